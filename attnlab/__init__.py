"""See what attention does in your model, in your notebook, while you type."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnlab.api import current as current
    from attnlab.api import record as record
    from attnlab.api import show as show
    from attnlab.api import trace as trace
    from attnlab.api import unwatch as unwatch
    from attnlab.api import watch as watch
    from attnlab.live.blocks.block import NotRecordedError as NotRecordedError
    from attnlab.server.selection.active import selection as selection

__all__ = [
    "NotRecordedError",
    "__version__",
    "current",
    "record",
    "selection",
    "show",
    "trace",
    "unwatch",
    "watch",
]

__version__: str


def __getattr__(name: str) -> Any:
    # Loaded when first asked for: JupyterLab's server imports this package too, and needs
    # nothing of it.
    if name == "__version__":
        from importlib.metadata import version

        return version("attnlab")
    if name == "NotRecordedError":
        from attnlab.live.blocks.block import NotRecordedError

        return NotRecordedError
    if name == "selection":
        from attnlab.server.selection.active import selection

        return selection
    if name in __all__:
        from attnlab import api

        return getattr(api, name)
    raise AttributeError(f"module 'attnlab' has no attribute {name!r}")


def _adopt() -> None:
    """Take the modules that a kernel's backend is made of, if attnlab was imported again.

    Its code imports more as it runs, and must not get other classes than it has.
    """
    library = sys.modules.get("IPython.core.getipython")
    backend = getattr(library.get_ipython(), "_attnlab_backend", None) if library else None
    package = getattr(backend, "package", None)
    if package is None or package is sys.modules[__name__]:
        return
    found = [package]
    for module in found:
        sys.modules[module.__name__] = module
        inside = module.__name__ + "."
        found += [
            attribute for attribute in vars(module).values() if _name(attribute).startswith(inside)
        ]


def _name(attribute: Any) -> str:
    return attribute.__name__ if type(attribute) is type(sys) else ""


_adopt()


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "attnlab"}]
