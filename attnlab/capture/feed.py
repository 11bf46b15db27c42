"""How a model call was fed: which of its arguments came of which tokenizer calls."""

from __future__ import annotations

import copy
import inspect
import weakref
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from attnlab.capture.inputs import arguments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch

    from attnlab.capture.callsite import Callsite

TEXTS = ("text", "text_pair", "text_target", "text_pair_target", "conversation")
"""Arguments of a tokenizer's call that are texts."""

Key = str | None
"""Names one tensor of a tokenizer's result; None is a result that is bare ids."""


@dataclass(frozen=True, eq=False)
class Tokenized:
    """One outermost call of a tokenizer.

    Attributes
    ----------
    method
        ``__call__``, ``encode`` or ``apply_chat_template``.
    texts
        The arguments that are texts, by name, as they were given: text, list, conversation.
    """

    tokenizer: Any
    method: str
    bound: inspect.BoundArguments
    texts: dict[str, Any]
    result: Any
    callsite: Callsite | None

    @classmethod
    def of(
        cls,
        tokenizer: Any,
        method: str,
        call: tuple[tuple[Any, ...], Mapping[str, Any]],
        result: Any,
        callsite: Callsite | None,
    ) -> Tokenized | None:
        """Note a call; None for one that gave no ids."""
        if not _tensors(result):
            return None
        args, kwargs = call
        bound = inspect.signature(getattr(tokenizer, method)).bind(*args, **kwargs)
        given = {name: bound.arguments.get(name) for name in TEXTS}
        # The cell may change its lists later.
        texts = {name: copy.deepcopy(own) for name, own in given.items() if own is not None}
        return cls(tokenizer, method, bound, texts, result, callsite)

    def again(self, texts: Mapping[str, Any]) -> Tokenized:
        """Make the call anew with other texts."""
        bound = copy.copy(self.bound)
        bound.arguments = {**self.bound.arguments, **texts}
        result = getattr(self.tokenizer, self.method)(*bound.args, **bound.kwargs)
        return replace(self, bound=bound, texts=dict(texts), result=result)

    @property
    def tensors(self) -> dict[Key, Any]:
        """What it gave, by name: tensors or lists of numbers."""
        return _tensors(self.result)


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
    autocast
        Device type and dtype of the autocast that it ran in.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    prompt: int | None
    tokenized: list[Tokenized]
    callsite: Callsite | None
    refusal: str
    autocast: tuple[str, torch.dtype] | None
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
        """Find what fed a call among the tokenizer calls before it, the newest first."""
        if prompt is not None:
            kwargs = {name: own for name, own in kwargs.items() if not _counted(name, own)}
        given = _places(args, kwargs)
        names = _names(model, args)
        slots: dict[str | int, tuple[Tokenized, Key]] = {}
        loose: dict[str, Any] = {}
        for place, value in given.items():
            name = names.get(place, str(place))
            if not _is_tensor(value):
                continue
            found = next(_sources(name, value, known, prompt), None)
            if found is None:
                loose[name] = value
            else:
                slots[place] = found
        used = [own for own in known if any(own is source for source, _ in slots.values())]
        bound = {place: (used.index(source), key) for place, (source, key) in slots.items()}
        refusal = _refusal(arguments(model, args, kwargs), loose, slots, given)
        return cls(
            args, kwargs, prompt, used, callsite, refusal, _autocast(), weakref.ref(model), bound
        )

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
            new = _like(old, tokenized[index].tensors[key], self.prompt, "mask" in str(key))
            if isinstance(place, int):
                args[place] = new
            else:
                kwargs[place] = new
        self._check_batch(_places(tuple(args), kwargs))
        return tuple(args), kwargs

    def lengthened(self, kwargs: Mapping[str, Any]) -> int:
        """Count how many more ids a prompt has than that of the call."""
        return int(kwargs["input_ids"].shape[-1] - self.kwargs["input_ids"].shape[-1])

    def length(self, tokenized: Sequence[Tokenized]) -> int:
        """Count the tokens of the longest text."""
        rows = [_rows(own) for call in tokenized for own in call.tensors.values()]
        return max((len(row) for own in rows for row in own), default=0)

    def _check_batch(self, new: Mapping[str | int, Any]) -> None:
        fed, old = next(iter(self._slots)), _places(self.args, self.kwargs)
        before, now = int(old[fed].shape[0]), int(new[fed].shape[0])
        for place, value in new.items():
            made = _is_tensor(value) and tuple(value.shape[:1]) == (before,)
            if before != now and made and place not in self._slots:
                raise ValueError(f"`{place}` is made for {before} texts, not {now}")


def _places(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str | int, Any]:
    """Name all arguments of a call: by number, or by keyword."""
    found: dict[str | int, Any] = dict(enumerate(args))
    found.update(kwargs)
    return found


def _counted(name: str, value: Any) -> bool:
    """Whether a model makes an argument by itself where it is not given."""
    return name == "position_ids" or ("mask" in name and _is_tensor(value) and bool(value.all()))


def _names(model: Any, args: tuple[Any, ...]) -> dict[str | int, str]:
    """Name positional arguments as the model's own `forward` does."""
    try:
        bound = inspect.signature(model.forward).bind_partial(*args)
    except (TypeError, ValueError):
        return {}
    return {place: name for place, name in enumerate(bound.arguments) if place < len(args)}


def _sources(
    name: str, value: torch.Tensor, known: Sequence[Tokenized], prompt: int | None
) -> Iterator[tuple[Tokenized, Key]]:
    """Find results that an argument may be: the very tensor, the one of its name, an equal one."""
    own = value if prompt is None or value.ndim < 2 else value[:, :prompt]
    calls = list(reversed(known))
    for call in calls:
        yield from ((call, key) for key, tensor in call.tensors.items() if tensor is value)
    for call in calls:
        if name in call.tensors and _equal(own, call.tensors[name]):
            yield call, name
    for call in calls:
        yield from ((call, key) for key, tensor in call.tensors.items() if _equal(own, tensor))


def _equal(value: torch.Tensor, other: Any) -> bool:
    if value.is_meta or value.is_floating_point() or value.ndim not in (1, 2):
        return False
    rows = value.tolist()
    return bool((rows if value.ndim == 2 else [rows]) == _rows(other))


def _rows(ids: Any) -> list[Any]:
    """Give numbers by item of the batch."""
    own = ids.tolist() if _is_tensor(ids) else ids
    return own if own and isinstance(own[0], list) else [own]


def _tensors(result: Any) -> dict[Key, Any]:
    named = result.items() if hasattr(result, "keys") and hasattr(result, "items") else None
    found = {None: result} if named is None else dict(named)
    return {key: own for key, own in found.items() if _is_tensor(own) or _is_ids(own)}


def _is_ids(value: Any) -> bool:
    while isinstance(value, list) and value and isinstance(value[0], list):
        value = value[0]
    return isinstance(value, list) and all(isinstance(own, int) for own in value)


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _like(old: torch.Tensor, new: Any, prompt: int | None, mask: bool) -> torch.Tensor:
    """Give ids or a mask the form of those in whose place they come.

    What the model itself has written stays behind a new prompt.
    """
    import torch

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
    loose: Mapping[str, torch.Tensor],
    slots: Mapping[str | int, Any],
    given: Mapping[str | int, Any],
) -> str:
    if named.get("past_key_values") is not None:
        return "the call goes on with a cache of an earlier one"
    for name in ("inputs_embeds", "encoder_outputs"):
        if named.get(name) is not None:
            return f"`{name}` was made of the text before the call"
    if not slots:
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
