"""Notes, inside a kernel, what a cell leaves behind besides its output.

A plain kernel and one that is observed load this file alike; it knows nothing of attnlab.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import random
import sys
import warnings
from typing import Any

import numpy as np
import torch
import transformers

FOREIGN = ("attnlab", "Comm", "asyncio", "traitlets", "IPKernelApp", "anywidget")
"""Loggers of attnlab, and of the machinery by which a panel talks to a kernel."""

records: list[str] = []
shown: list[tuple[str, str, str, int]] = []


def install() -> None:
    """Begin to note log records and warnings."""
    handle, show = logging.Logger.handle, warnings._showwarnmsg  # type: ignore[attr-defined]

    @functools.wraps(handle)
    def noted(logger: logging.Logger, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] not in FOREIGN:
            place = f"{record.pathname}:{record.lineno} {record.funcName}"
            records.append(f"{record.name} {record.levelname} {place} {record.getMessage()}")
        handle(logger, record)

    @functools.wraps(show)
    def seen(message: Any) -> None:
        place = (message.filename, message.lineno)
        shown.append((message.category.__name__, str(message.message), *place))
        show(message)

    logging.Logger.handle = noted  # type: ignore[assignment, method-assign]
    warnings._showwarnmsg = seen  # type: ignore[attr-defined]
    logging.getLogger().setLevel(logging.DEBUG)


def fresh() -> None:
    """Give every cell the same start: nothing said yet, and known random numbers."""
    records.clear()
    shown.clear()
    for once in onces().values():
        once.cache_clear()
    for registry in registries().values():
        registry.clear()
    torch.manual_seed(7)
    np.random.seed(7)
    random.seed(7)
    transformers.logging.set_verbosity_debug()


def onces() -> dict[str, Any]:
    """Functions that do something once for each of their arguments, of all loggers."""
    return {
        f"{owner.__name__}.{name}": value
        for owner in (logging.Logger, logging.LoggerAdapter)
        for name, value in vars(owner).items()
        if hasattr(value, "cache_info")
    }


def registries() -> dict[str, dict[Any, Any]]:
    """Say, by module, what has been warned of."""
    found = {}
    for name, module in list(sys.modules.items()):
        registry = getattr(module, "__dict__", {}).get("__warningregistry__")
        if isinstance(registry, dict):
            found[name] = registry
    return found


def left() -> dict[str, Any]:
    """Everything that a later cell could notice."""
    said = {name: sorted(map(repr, value)) for name, value in registries().items()}
    numpy_state: Any = np.random.get_state()
    return {
        "log records": list(records),
        "warnings": list(shown),
        "random numbers": {
            "torch": hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest(),
            "numpy": repr(numpy_state[1:]),
            "python": hashlib.sha256(repr(random.getstate()).encode()).hexdigest(),
        },
        "filters": [repr(entry) for entry in warnings.filters],
        "warned of": {
            name: [key for key in value if "'version'" not in key]
            for name, value in said.items()
            if name.partition(".")[0] not in FOREIGN and len(value) > 1
        },
        "said once": {name: repr(value.cache_info()) for name, value in onces().items()},
        "loggers": {
            name: (value.level, value.disabled, value.propagate, len(value.handlers))
            for name, value in sorted(logging.root.manager.loggerDict.items())
            if isinstance(value, logging.Logger)
            and name.partition(".")[0] in ("torch", "transformers", "numpy", "tokenizers", "root")
        },
        "streams": [
            (type(entry).__name__, sorted(vars(entry))) for entry in (sys.stdout, sys.stderr)
        ],
        "patches": [
            f"{owner.__name__}.{name}"
            for owner in (torch.nn.Module, logging.Logger, transformers.PreTrainedTokenizerBase)
            for name, value in vars(owner).items()
            if "/attnlab/" in getattr(getattr(value, "__code__", None), "co_filename", "")
        ],
        "showing": (
            warnings.showwarning.__module__,
            warnings.warn.__module__,
            torch.is_warn_always_enabled(),
        ),
    }
