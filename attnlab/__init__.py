"""See what attention does in your model, in your notebook, while you type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnlab.api import current as current
    from attnlab.api import record as record
    from attnlab.api import show as show
    from attnlab.api import trace as trace
    from attnlab.api import unwatch as unwatch
    from attnlab.api import watch as watch
    from attnlab.live.block import NotRecordedError as NotRecordedError
    from attnlab.server.selection import selection as selection

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
        from attnlab.live.block import NotRecordedError

        return NotRecordedError
    if name == "selection":
        from attnlab.server.selection import selection

        return selection
    if name in __all__:
        from attnlab import api

        return getattr(api, name)
    raise AttributeError(f"module 'attnlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "attnlab"}]
