"""What a pass computed, in a few numbers a row: enough to tell whether another computed it too.

A second pass is shown in place of the user's own, e.g. one pass over the finished text in
place of the steps of ``generate``. Whether both computed the same must be told from the user's
pass. So while it runs, each row of each attention's output is projected onto a few fixed random
directions (a random projection keeps distances: Johnson and Lindenstrauss 1984). The second
pass does the same, and every row of it must be found in the user's pass.

Attention outside transformers' interface is not seen in the steps of ``generate``. There the
witness is what each layer adds to its input.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnlab.capture.contents import leaves
from attnlab.capture.frames import between
from attnlab.capture.recorder import unseen

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

log = logging.getLogger(__name__)

DIRECTIONS = 3
"""Onto how many random directions each head's output is projected."""

Key = tuple[str, int, int]
"""What was seen: ``attention``, ``layer`` or ``result``; the module; which call of it in a pass."""


@dataclass
class Seen:
    """What one module returned in all its calls in a pass, or in the steps of ``generate``.

    Attributes
    ----------
    dtype
        Of what it returned.
    blocks
        By call: projections of its rows, shape (items, rows, heads, directions), float32.
    norms
        By call: the norms of the same rows, shape (items, rows, heads); of a second pass alone.
    """

    dtype: torch.dtype
    blocks: list[torch.Tensor] = field(default_factory=list)
    norms: list[torch.Tensor] = field(default_factory=list)


class Witness:
    """Collects what the modules of a model return.

    Parameters
    ----------
    model
        The module whose calls are the passes.
    like
        The witness of the user's pass, where this one is of a second pass.
    """

    def __init__(self, model: Any, like: Witness | None = None) -> None:
        self.seen: dict[Key, Seen] = {}
        self.layer: Key | None = None
        """The layer that is running, while one is."""
        self._model = model
        self._like = like
        self._own = {id(part) for part in model.modules()}
        self._layers = _layers(model)
        self._counts: Counter[tuple[str, int]] = Counter()
        self._attended = False
        self._directions: dict[Any, torch.Tensor] = {}
        self._faulty = False

    def follows(self, module: Any) -> bool:
        """Whether a call of a module is to be made through `call`."""
        return module is self._model or (self.layer is None and id(module) in self._layers)

    @between
    def call(self, original: Callable[..., Any], module: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run the call of the model or of one of its layers, and note what it returns."""
        if module is self._model:
            self._counts.clear()
            result = original(module, *args, **kwargs)
            self._returned(result)
            return result
        self.layer, self._attended = self._key("layer", module), False
        try:
            result = original(module, *args, **kwargs)
            self._passed(self.layer, args, kwargs, result)
        finally:
            self.layer = None
        return result

    def attended(self, module: Any, result: Any) -> Key | None:
        """Note what an attention function returned; None where nothing can be noted."""
        self._attended = True
        output = _first(result)
        if id(module) not in self._own or output is None or output.ndim not in (3, 4):
            return None
        key = self._key("attention", module)
        self._note(key, output if output.ndim == 4 else output[:, :, None])
        return key

    def _passed(self, key: Key, args: tuple[Any, ...], kwargs: Any, result: Any) -> None:
        """Note what a layer added to its input, where no attention was seen in it."""
        output = None if self._attended else _first(result)
        if output is None or output.ndim != 3:
            return
        given = (own for own in (*args, *kwargs.values()) if _plain(own))
        before = next((own for own in given if own.shape == output.shape), None)
        self._note(key, output[:, :, None], None if before is None else before[:, :, None])

    def _returned(self, result: Any) -> None:
        """Note what the model itself returned, where nothing was seen inside of it."""
        key = ("result", id(self._model), 0)
        inner = any(own != key for own in self.seen)
        if inner if self._like is None else key not in self._like.seen:
            return
        output = _first(result)
        if output is not None and output.ndim == 3:
            self._note(key, output[:, :, None])

    def _key(self, kind: str, module: Any) -> Key:
        count = self._counts[kind, id(module)]
        self._counts[kind, id(module)] += 1
        return kind, id(module), count

    def _note(self, key: Key, output: torch.Tensor, before: torch.Tensor | None = None) -> None:
        """Keep the numbers of some rows; never raises."""
        import torch

        if self._faulty:
            return
        try:
            with unseen(), torch.no_grad(), torch.autocast(output.device.type, enabled=False):
                own = output.detach().float()
                if before is not None:
                    own = own - before.detach().float()
                seen = self.seen.setdefault(key, Seen(output.dtype))
                seen.blocks.append(own @ self._projection(own))
                if self._like is not None:
                    seen.norms.append(own.norm(dim=-1))
        except Exception:
            self._faulty = True
            self.seen.clear()  # Without a witness, nothing is confirmed.
            log.exception("attnlab could not note what a module returned")

    def _projection(self, output: torch.Tensor) -> torch.Tensor:
        import torch

        known = (int(output.shape[-1]), output.device)
        if known not in self._directions:
            generator = torch.Generator("cpu").manual_seed(0)
            shape = (known[0], DIRECTIONS)
            drawn = torch.randn(shape, generator=generator, device="cpu", dtype=torch.float32)
            self._directions[known] = drawn.to(output.device)
        return self._directions[known]


def _layers(model: Any) -> set[int]:
    """Find the modules that stand in lists: the layers of a model."""
    import torch

    lists = [part for part in model.modules() if issubclass(type(part), torch.nn.ModuleList)]
    return {id(part) for own in lists for part in own._modules.values()}


def _first(result: Any) -> torch.Tensor | None:
    """Give the first tensor of floating numbers in a result."""
    return next((own for own in leaves(result) if _plain(own)), None)


def _plain(value: Any) -> bool:
    import torch

    return (
        type(value) in (torch.Tensor, torch.nn.Parameter)
        and value.is_floating_point()
        and value.layout is torch.strided
        and not (value.is_meta or value.is_nested)
        and not torch._C._functorch.is_functorch_wrapped_tensor(value)
    )
