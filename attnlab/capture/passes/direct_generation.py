"""Records a ``generate`` that was not intercepted, e.g. the function under its decorators.

Its frame is found among the callers of the model's first pass inside. Its result is unknown, so the
ids are collected from its passes. The last generated token is missing, because no pass reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.model_inputs import arguments
from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.inspection.contents import is_tensor
from attnlab.capture.passes.generation import Generation, UnfinishedError

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


@dataclass(eq=False)
class DirectGeneration(Generation):
    """A running call of ``generate``, and the ids that it has passed to its model."""

    ids: torch.Tensor | None = None
    mixed: bool = False
    """Whether a pass did not add exactly one token, e.g. in assisted decoding."""

    @hidden_frame
    def inside(self, original: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
        """Run a module call inside ``generate``."""
        if module is self.model and not self.mixed:
            self._gather(args, kwargs)
        return super().inside(original, module, args, kwargs)

    def _gather(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Add the ids of one pass."""
        inputs = arguments(self.model, args, kwargs)
        ids = inputs.get("decoder_input_ids" if self.encoder is not None else "input_ids")
        if not is_tensor(ids) or ids.ndim != 2:
            return
        if self.ids is None:
            self.ids = ids.detach().clone()
            return
        length, new_length = int(self.ids.shape[1]), int(ids.shape[1])
        if ids.shape[0] != self.ids.shape[0] or new_length not in (1, length + 1):
            self.mixed = True
            return
        import torch

        self.ids = torch.cat([self.ids, ids[:, -1:].detach()], dim=1)

    def whole(self, result: Any = None) -> tuple[dict[str, Any], int]:
        """Return the arguments of one pass over everything, as `Generation.whole` does."""
        if self.mixed or self.ids is None:
            raise UnfinishedError(
                "attnlab did not see the call of generate() itself, and its forward passes do not "
                "add one token at a time"
            )
        return super().whole(self.ids if result is None else result)
