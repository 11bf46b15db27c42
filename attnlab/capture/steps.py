"""A ``generate`` that was looked up before the block, so that nothing stands in its way.

Its frame is found among the callers of the model's first pass inside, and what it returns is
not seen. The ids are put together from those of its passes: the last token that it writes is
missing, which no pass has read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnlab.capture.contents import is_tensor
from attnlab.capture.frames import between
from attnlab.capture.generation import Generation, UnfinishedError
from attnlab.capture.inputs import arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


@dataclass(eq=False)
class Steps(Generation):
    """One call of ``generate`` while it runs, and the ids that it has passed to its model."""

    ids: torch.Tensor | None = None
    mixed: bool = False
    """Whether the passes are other than one new token at a time, e.g. those of candidates."""

    @between
    def inside(self, original: Callable[..., Any], module: Any, args: Any, kwargs: Any) -> Any:
        """Run a module's call inside."""
        if module is self.model and not self.mixed:
            self._gather(args, kwargs)
        return super().inside(original, module, args, kwargs)

    def _gather(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Add the ids of one pass."""
        given = arguments(self.model, args, kwargs)
        ids = given.get("decoder_input_ids" if self.encoder is not None else "input_ids")
        if not is_tensor(ids) or ids.ndim != 2:
            return
        if self.ids is None:
            self.ids = ids.detach().clone()
            return
        known, new = int(self.ids.shape[1]), int(ids.shape[1])
        if ids.shape[0] != self.ids.shape[0] or new not in (1, known + 1):
            self.mixed = True
            return
        import torch

        self.ids = torch.cat([self.ids, ids[:, -1:].detach()], dim=1)

    def whole(self, result: Any = None) -> tuple[dict[str, Any], int]:
        """Arguments of one pass over all that was generated, as `Generation.whole` gives them."""
        if self.mixed or self.ids is None:
            raise UnfinishedError(
                "it was looked up before it was watched, and does not write one token at a time"
            )
        return super().whole(self.ids if result is None else result)
