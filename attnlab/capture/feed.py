"""How a model call was fed: which of its arguments came of which tokenizer calls."""

from __future__ import annotations

import inspect
import weakref
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from attnlab.capture.caches import caches
from attnlab.capture.inputs import arguments
from attnlab.capture.tokenized import IDS, is_tensor, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from attnlab.capture.callsite import Callsite
    from attnlab.capture.tokenized import Key, Tokenized

WRITTEN = "decoder_input_ids"
"""What an encoder-decoder has written; its texts go to the encoder."""


@dataclass(frozen=True, eq=False)
class Feed:
    """How one model call was fed.

    Attributes
    ----------
    args, kwargs
        Of the call; of ``generate``, those of one pass over all that it has returned.
    prompt
        How many of the ids were the user's, where the model has written the others.
    tokenized
        The tokenizer calls whose results it got.
    refusal
        Why it cannot be made again with other texts, a clause; empty where it can.
    gradients
        Whether it was to be differentiated: some kernels differ.
    autocast
        Device type and dtype of the autocast that it ran in.
    device
        On which tensors are made where none is named; this is of a thread.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    prompt: int | None
    tokenized: list[Tokenized]
    callsite: Callsite | None
    refusal: str
    gradients: bool
    autocast: tuple[str, torch.dtype] | None
    device: torch.device
    _model: weakref.ref[Any]
    _slots: dict[str | int, tuple[int, Key]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        model: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        prompt: int | None,
        known: Sequence[Tokenized],
        callsite: Callsite | None,
    ) -> Feed:
        """Find what fed a call among the tokenizer calls before it."""
        import torch

        given = _places(args, kwargs)
        names = _names(model, args)
        named = {place: names.get(place, str(place)) for place in given}
        slots: dict[str | int, tuple[Tokenized, Key]] = {}
        loose: dict[str, Any] = {}
        # Ids come first: they tell whose masks are meant.
        for place in sorted(given, key=lambda place: "input_ids" not in named[place]):
            name, value = named[place], given[place]
            if not is_tensor(value) or (prompt is not None and place == WRITTEN):
                continue
            before = _before(kwargs, prompt)
            found = _source(name, value, known, [own for own, _ in slots.values()], before)
            if found is not None:
                slots[place] = found
            elif prompt is not None and _counted(name, value):
                kwargs = {other: own for other, own in kwargs.items() if other != place}
            else:
                loose[name] = value
        used = [own for own in known if any(own is source for source, _ in slots.values())]
        bound = {place: (used.index(source), key) for place, (source, key) in slots.items()}
        held = caches(args, kwargs)
        refusal = _refusal(arguments(model, args, kwargs), held, loose, slots, given)
        if refusal:  # Nothing of the notebook, least of all a cache, is kept in vain.
            args, kwargs = (), {}
        return cls(
            args,
            kwargs,
            prompt,
            used,
            callsite,
            refusal,
            torch.is_grad_enabled() and prompt is None,
            _autocast(),
            torch.get_default_device(),
            weakref.ref(model),
            bound,
        )

    def refused(self, why: str) -> Feed:
        """Say that the call cannot be made again; a reason known before stays."""
        return replace(self, args=(), kwargs={}, refusal=self.refusal or why)

    @property
    def model(self) -> Any:
        """The model; None where the notebook has let go of it."""
        return self._model()

    def refed(self, tokenized: Sequence[Tokenized]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Give the call's arguments with what other tokenizer calls gave in place of their own.

        Raises
        ------
        ValueError
            Where another argument is of as many texts as the call had.
        """
        args, kwargs = list(self.args), dict(self.kwargs)
        for place, (index, key) in self._slots.items():
            old = args[place] if isinstance(place, int) else kwargs[place]
            before = _before(self.kwargs, self.prompt)
            new = _like(old, tokenized[index].tensors[key], before, "mask" in str(key))
            if isinstance(place, int):
                args[place] = new
            else:
                kwargs[place] = new
        self._check_batch(_places(tuple(args), kwargs))
        masks = [
            mask
            for call in tokenized
            for key, mask in call.tensors.items()
            if key == "attention_mask"
        ]
        # Where padding comes in, ``generate`` places the tokens in its own way.
        if self.prompt is not None and not all(all(row) for own in masks for row in rows_of(own)):
            raise ValueError("the prompts are of several lengths")
        return tuple(args), kwargs

    @property
    def written(self) -> int:
        """How many ids of the model's own stand behind the prompt."""
        before = _before(self.kwargs, self.prompt)
        return 0 if before is None else int(self.kwargs["input_ids"].shape[-1]) - before

    def lengthened(self, kwargs: Mapping[str, Any]) -> int:
        """Count how many more ids a prompt has than that of the call."""
        if _before(kwargs, self.prompt) is None:
            return 0
        return int(kwargs["input_ids"].shape[-1] - self.kwargs["input_ids"].shape[-1])

    def length(self, tokenized: Sequence[Tokenized]) -> int:
        """Count the tokens of the longest text."""
        rows = [rows_of(own) for call in tokenized for own in call.tensors.values()]
        return max((len(row) for own in rows for row in own), default=0)

    def _check_batch(self, new: Mapping[str | int, Any]) -> None:
        fed, old = next(iter(self._slots)), _places(self.args, self.kwargs)
        before, now = int(old[fed].shape[0]), int(new[fed].shape[0])
        for place, value in new.items():
            made = is_tensor(value) and tuple(value.shape[:1]) == (before,)
            if before != now and made and place not in self._slots:
                raise ValueError(f"`{place}` is made for {before} texts, not {now}")


def _before(kwargs: Mapping[str, Any], prompt: int | None) -> int | None:
    """Count the ids of the user's that what the model has written stands behind, in one row."""
    return None if WRITTEN in kwargs else prompt


def _places(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str | int, Any]:
    """Name all arguments of a call: by number, or by keyword."""
    found: dict[str | int, Any] = dict(enumerate(args))
    found.update(kwargs)
    return found


def _counted(name: str, value: torch.Tensor) -> bool:
    """Whether a model makes an argument of ``generate`` by itself where it is not given."""
    import torch

    if name == "position_ids":
        count = torch.arange(value.shape[-1], device=value.device)
        return bool((value == count).all())
    return "mask" in name and bool(value.all())


def _names(model: Any, args: tuple[Any, ...]) -> dict[str | int, str]:
    """Name positional arguments as the model's own `forward` does."""
    try:
        bound = inspect.signature(model.forward).bind_partial(*args)
    except (TypeError, ValueError):
        return {}
    return {place: name for place, name in enumerate(bound.arguments) if place < len(args)}


def _source(
    name: str,
    value: torch.Tensor,
    known: Sequence[Tokenized],
    used: Sequence[Tokenized],
    prompt: int | None,
) -> tuple[Tokenized, Key] | None:
    """Find the result that an argument is, among those equal to it."""
    if value.ndim not in (1, 2) or value.is_meta:
        return None
    own = value if prompt is None or value.ndim < 2 else value[:, :prompt]

    def rank(source: tuple[Tokenized, Key]) -> tuple[bool, ...]:
        call, key = source
        itself = call.tensors[key] is value
        fed = any(call is other for other in used)
        return itself, fed, key == name, key in IDS

    equal = [
        (call, key)
        for call in reversed(known)
        for key, numbers in call.numbers.items()
        if _equal(own, numbers)
    ]
    best = max(equal, key=rank, default=None)  # of several the newest
    return best if best is not None and any((*rank(best)[:2], best[1] in IDS)) else None


def _equal(value: torch.Tensor, other: Any) -> bool:
    if not is_tensor(other):
        rows = rows_of(other)
        first = len(rows) * len(rows[0])
        return first == value.numel() and bool(
            (value.tolist() if value.ndim == 2 else [value.tolist()]) == rows
        )
    if other.numel() != value.numel() or other.shape[-1:] != value.shape[-1:]:
        return False
    return bool((other.to(value.device).reshape(value.shape) == value).all())


def _like(old: torch.Tensor, new: Any, prompt: int | None, mask: bool) -> torch.Tensor:
    """Give ids or a mask the form of those in whose place they come.

    What the model itself has written stays behind a new prompt.
    """
    import torch

    if not is_tensor(new) and len({len(row) for row in rows_of(new)}) > 1:
        raise ValueError("the texts have different numbers of tokens now, in one tensor")
    own = torch.as_tensor(new, device="cpu").to(old.device, old.dtype)
    if own.ndim < old.ndim:
        own = own[None]
    elif own.ndim > old.ndim and own.shape[0] == 1:
        own = own[0]
    if prompt is None or old.ndim != 2 or old.shape[1] == prompt:
        return own
    written = old[:, prompt:]
    if own.shape[0] != written.shape[0]:
        raise ValueError(f"the model has written for {written.shape[0]} texts")
    return torch.cat([own, torch.ones_like(written) if mask else written], dim=1)


def _refusal(
    named: Mapping[str, Any],
    held: Sequence[Any],
    loose: Mapping[str, torch.Tensor],
    slots: Mapping[str | int, Any],
    given: Mapping[str | int, Any],
) -> str:
    if held:
        return f"the call continues with a cache of an earlier one, a {type(held[0]).__name__}"
    for name in ("inputs_embeds", "encoder_outputs"):
        if named.get(name) is not None:
            return f"`{name}` was made of the text before the call"
    if not slots or "input_ids" in loose:
        return "its text was tokenized in another cell, or changed since"
    length = next(given[place] for place in slots).shape[-1]
    for name, value in loose.items():
        if length > 1 and length in value.shape:
            return f"`{name}` depends on the text's length"
    return ""


def _autocast() -> tuple[str, torch.dtype] | None:
    import torch

    for device in ("cpu", "cuda", "mps", "xpu"):
        if torch.is_autocast_enabled(device):
            return device, torch.get_autocast_dtype(device)
    return None
