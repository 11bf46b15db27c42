"""Text encoders that call attention through the interface."""

from __future__ import annotations

from tests.zoo.inputs import boxes, left, right, text
from tests.zoo.specimen import Specimen, interface

TEXT_ENCODERS: list[Specimen] = [
    interface("albert", "AlbertModel", right(), "one module called by every layer", spread=0.5),
    interface("bert", "BertModel", right(), "padding on the right"),
    interface("bert", "BertModel", left(), "padding on the left"),
    interface("bert", "BertModel", right(), "called eagerly", implementation="eager"),
    interface("bert", "BertLMHeadModel", right(), "as a decoder", is_decoder=True),
    interface("bert-generation", "BertGenerationEncoder", right()),
    interface("camembert", "CamembertModel", right()),
    interface("distilbert", "DistilBertModel", right()),
    interface("dpr", "DPRQuestionEncoder", right()),
    interface("electra", "ElectraModel", right()),
    interface("ernie", "ErnieModel", right()),
    interface("esm", "EsmModel", right(), "rotary", position_embedding_type="rotary"),
    interface("esmc", "EsmcModel", right(), num_key_value_heads=4),
    interface("eurobert", "EuroBertModel", right()),
    interface("gte", "GteModel", right()),
    interface("jina_embeddings_v3", "JinaEmbeddingsV3Model", right()),
    interface("layoutlm", "LayoutLMModel", right(bbox=boxes())),
    interface("markuplm", "MarkupLMModel", right()),
    interface("mobilebert", "MobileBertModel", right(), "no norm", spread=0.12),
    interface("modernbert", "ModernBertModel", right(), "local and global", local_attention=4),
    interface("nomic_bert", "NomicBertModel", right()),
    interface("openai_privacy_filter", "OpenAIPrivacyFilterModel", right()),
    interface("roberta", "RobertaModel", right()),
    interface("roberta-prelayernorm", "RobertaPreLayerNormModel", right()),
    interface("roc_bert", "RoCBertModel", right()),
    interface("splinter", "SplinterModel", right()),
    interface("xlm-roberta", "XLMRobertaModel", text(12, 1), "three layers", num_hidden_layers=3),
    interface("xlm-roberta-xl", "XLMRobertaXLModel", right()),
    interface("xmod", "XmodModel", right(), default_language="en_XX"),
]
