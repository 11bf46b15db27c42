"""The specimens that generate: those of the zoo, with a head of their family if they have none."""

from __future__ import annotations

from dataclasses import replace

from tests.zoo.specimen import Maker, Specimen
from tests.zoo.zoo import ZOO

ENDINGS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")

HEADS = {
    "BartModel": "BartForConditionalGeneration",
    "BertGenerationEncoder": "BertGenerationDecoder",
    "BigBirdModel": "BigBirdForCausalLM",
    "BigBirdPegasusModel": "BigBirdPegasusForConditionalGeneration",
    "BlenderbotModel": "BlenderbotForConditionalGeneration",
    "BlenderbotSmallModel": "BlenderbotSmallForConditionalGeneration",
    "BlipTextModel": "BlipTextLMHeadModel",
    "CpmAntModel": "CpmAntForCausalLM",
    "FSMTModel": "FSMTForConditionalGeneration",
    "FlaubertModel": "FlaubertWithLMHeadModel",
    "GitModel": "GitForCausalLM",
    "ImageGPTModel": "ImageGPTForCausalImageModeling",
    "LEDModel": "LEDForConditionalGeneration",
    "M2M100Model": "M2M100ForConditionalGeneration",
    "MBartModel": "MBartForConditionalGeneration",
    "MT5Model": "MT5ForConditionalGeneration",
    "MarianModel": "MarianMTModel",
    "MegatronBertModel": "MegatronBertForCausalLM",
    "MoonshineModel": "MoonshineForConditionalGeneration",
    "MvpModel": "MvpForConditionalGeneration",
    "NllbMoeModel": "NllbMoeForConditionalGeneration",
    "PLBartModel": "PLBartForConditionalGeneration",
    "PegasusModel": "PegasusForConditionalGeneration",
    "ProphetNetModel": "ProphetNetForConditionalGeneration",
    "RemBertModel": "RemBertForCausalLM",
    "RoFormerModel": "RoFormerForCausalLM",
    "RobertaModel": "RobertaForCausalLM",
    "Speech2TextModel": "Speech2TextForConditionalGeneration",
    "SwitchTransformersModel": "SwitchTransformersForConditionalGeneration",
    "T5Gemma2Model": "T5Gemma2ForConditionalGeneration",
    "T5GemmaModel": "T5GemmaForConditionalGeneration",
    "T5Model": "T5ForConditionalGeneration",
    "UMT5Model": "UMT5ForConditionalGeneration",
    "UdopModel": "UdopForConditionalGeneration",
    "WhisperModel": "WhisperForConditionalGeneration",
    "XLMModel": "XLMWithLMHeadModel",
    "XLNetModel": "XLNetLMHeadModel",
}


LIMITED = {
    "cpmant, prompt of 32 tokens before the text": "puts 32 states before the text",
    "git, one tower in, one outside": "puts 17 states before the text",
    "prophetnet, streams of n-grams: scores of five axes": "Attention calls not shown: 4",
    "t5gemma2, self and cross attention in one": "Attention calls not shown: 2",
}
"""What is not shown, or not in full, and words of the reason that is given."""

MASKED = ("flaubert", "xlm", "xlnet")
"""Families that are given a mask token after the text, in whose place the next token belongs."""

CODES = ("musicgen_decoder",)
"""Families whose own ``generate`` needs more than a text, and returns no text."""


def headed(specimen: Specimen) -> Specimen:
    """Put the head that generates on the model of a specimen."""
    kind = HEADS.get(specimen.model, specimen.model)
    make = specimen.make
    assert isinstance(make, Maker)
    return replace(specimen, model=kind, make=replace(make, kind=kind))


GENERATING = [
    headed(specimen)
    for specimen in ZOO
    if (specimen.model in HEADS or specimen.model.endswith(ENDINGS))
    and specimen.family not in CODES
    and specimen.expected.reading != "pieces"
]
GENERATORS = [item for item in GENERATING if item.name not in LIMITED and item.family not in MASKED]


def generator(name: str) -> Specimen:
    """Find a specimen that generates by its name."""
    return next(item for item in GENERATING if item.name == name)
