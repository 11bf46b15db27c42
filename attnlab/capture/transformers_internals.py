"""All private names of transformers that are used, each with what depends on it.

Classes are looked up in the modules that the notebook has imported: attnlab never imports
transformers itself for this. The names are those of the supported releases, from 5.20 on.
"""

from __future__ import annotations

import sys
from typing import Any

TOKENIZERS = "transformers.tokenization_utils_base"
"""Module of ``PreTrainedTokenizerBase``."""

CHAT_TEMPLATES = "transformers.utils.chat_template_utils"
"""Module that renders conversations."""

TEMPLATE_COMPILER = "_compile_jinja_template"
"""Function of `CHAT_TEMPLATES` that makes a template from its source.

Without it, conversations are not rendered, and cells that use them are not live.
"""


def is_pretrained_model(module: Any) -> bool:
    """Whether a module is a model of transformers."""
    base = _class("transformers.modeling_utils", "PreTrainedModel")
    return base is not None and isinstance(module, base)


def cache_class() -> type | None:
    """Return the base class of caches; None if the notebook has not imported it."""
    return _class("transformers.cache_utils", "Cache")


def generation_class() -> type | None:
    """Return the class that has ``generate``; None if the notebook has not imported it."""
    return _class("transformers.generation.utils", "GenerationMixin")


def attention_implementation(config: Any) -> str:
    """Return the name of the attention function in a model's configuration, e.g. ``sdpa``.

    The attribute exists since 4.36. Without it the name is empty: a model whose implementation
    changes between two calls of the same form is then not tapped again.
    """
    return str(getattr(config, "_attn_implementation", ""))


def checkpoint_name(config: Any) -> str:
    """Return the name by which a model was loaded; empty if unknown.

    Without it, a tokenizer is found only if it is the only one that has all token ids.
    """
    return str(getattr(config, "_name_or_path", ""))


def _class(module: str, name: str) -> type | None:
    found: type | None = getattr(sys.modules.get(module), name, None)
    return found
