"""Notices that torch or transformers is imported while a cell is watched.

The watched cell may itself hold ``from transformers import …``, and importing them ahead
of the notebook would cost seconds and choose for the user. So a finder stands first in
``sys.meta_path`` for the time. It finds nothing by itself: it asks the other finders and
lends the loader an ``exec_module`` that takes itself away before it does anything. Spec,
loader and module are those that the notebook would have got without it.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class ImportWatch:
    """A finder that calls `imported(name, module)` once a module of `names` is complete."""

    def __init__(self, names: Sequence[str], imported: Callable[[str, ModuleType], None]) -> None:
        self._names = frozenset(names)
        self._imported = imported
        self._lent: list[Any] = []
        self._lock = threading.Lock()

    def start(self) -> None:
        """Stand first among the finders, unless all modules are there already."""
        if any(name not in sys.modules for name in self._names):
            sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """Leave the finders, and take back from loaders what they never used."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        with self._lock:
            lent, self._lent = self._lent, []
        for loader in lent:
            loader.__dict__.pop("exec_module", None)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Let the other finders find; of a module waited for, lend its loader our ear."""
        if name not in self._names:
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = (
                find(name, path, target) if find and finder is not self else None
            )
            if spec is not None:
                self._lend(name, spec.loader)
                return spec
        return None

    def _lend(self, name: str, loader: Loader | None) -> None:
        # A loader without a dictionary of its own is shared: it is left alone, and
        # `Interposition.ensure` finds the module at the first model call.
        borrowed: Any = loader
        if isinstance(borrowed, type) or not hasattr(borrowed, "__dict__"):
            return

        def exec_module(module: ModuleType) -> None:
            borrowed.__dict__.pop("exec_module", None)
            with self._lock:
                watching = borrowed in self._lent
                if watching:
                    self._lent.remove(borrowed)
            borrowed.exec_module(module)
            if watching:
                self._imported(name, module)

        with self._lock:
            self._lent.append(borrowed)
        borrowed.exec_module = exec_module
