"""Replaces an attribute temporarily."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_MISSING = object()


@dataclass(frozen=True)
class Patch:
    """An attribute that was replaced, and its original value."""

    owner: Any
    name: str
    original: Any
    replacement: Any

    @classmethod
    def apply(cls, owner: Any, name: str, wrap: Callable[[Callable[..., Any]], Any]) -> Patch:
        """Replace an attribute of a class, module or object by ``wrap(attribute)``."""
        original = vars(owner).get(name, _MISSING)
        replacement = wrap(getattr(owner, name))
        setattr(owner, name, replacement)
        return cls(owner, name, original, replacement)

    def undo(self) -> bool:
        """Restore the original value, unless other code has replaced the attribute meanwhile.

        In that case the other replacement stays; ours only passes calls on if it is still called.

        Returns
        -------
        bool
            Whether the replacement is gone.
        """
        if vars(self.owner).get(self.name) is not self.replacement:
            return False
        if self.original is _MISSING:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, self.original)
        return True
