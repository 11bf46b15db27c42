"""Detects imports of torch and transformers while a cell is watched.

The watched cell may import them itself, and importing them earlier would take seconds, even if the
user never needs them. Therefore a finder is placed first in ``sys.meta_path``. It calls the other
finders, and gives the loader that they return an ``exec_module`` that first removes itself. Spec,
loader and module are the same as without this finder.
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
    """A finder that calls `imported(name, module)` after a module in `names` was imported.

    Errors of attnlab are passed to `failed`, and do not affect the import.
    """

    def __init__(
        self,
        names: Sequence[str],
        imported: Callable[[str, ModuleType], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._names = frozenset(names)
        self._imported = imported
        self._failed = failed
        self._patched_loaders: list[Any] = []
        self._lock = threading.Lock()

    def start(self) -> None:
        """Become the first finder, unless all modules have already been imported."""
        if any(name not in sys.modules for name in self._names):
            sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """Remove the finder, and the replaced methods of loaders that have not been used."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        with self._lock:
            while self._patched_loaders:
                self._patched_loaders[-1].__dict__.pop("exec_module", None)
                self._patched_loaders.pop()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Call the other finders; replace the loader's `exec_module` for a watched module."""
        if name not in self._names:
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = (
                find(name, path, target) if find and finder is not self else None
            )
            if spec is not None:
                try:
                    self._lend(name, spec.loader)
                except Exception as fault:  # noqa: BLE001 - an error of attnlab
                    self._failed(fault)
                return spec
        return None

    def _lend(self, name: str, loader: Loader | None) -> None:
        # A loader that is a class, or has no `__dict__`, is shared and therefore not changed;
        # `Interposition.ensure` finds its module at the first model call.
        patched: Any = loader
        if isinstance(patched, type) or not hasattr(patched, "__dict__"):
            return

        def exec_module(module: ModuleType) -> None:
            patched.__dict__.pop("exec_module", None)
            with self._lock:
                watching = patched in self._patched_loaders
                if watching:
                    self._patched_loaders.remove(patched)
            patched.exec_module(module)
            if watching:
                try:
                    self._imported(name, module)
                except Exception as fault:  # noqa: BLE001 - an error of attnlab
                    self._failed(fault)

        with self._lock:
            self._patched_loaders.append(patched)
        patched.exec_module = exec_module
