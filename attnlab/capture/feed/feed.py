"""Finds which arguments of a model call came from which tokenizer calls."""

from __future__ import annotations

import inspect
import weakref
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from attnlab.capture.feed.caches import caches
from attnlab.capture.feed.kept_arguments import KeptArguments
from attnlab.capture.feed.matching import (
    is_recomputed,
    matching_result,
    placeholder,
    repetitions,
    replaced_ids,
)
from attnlab.capture.feed.model_inputs import arguments
from attnlab.capture.feed.tokenized import is_tensor, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from attnlab.capture.feed.callsite import Callsite
    from attnlab.capture.feed.tokenized import ResultKey, Tokenized
    from attnlab.capture.tokens.tokens import TokenInfo

WRITTEN = "decoder_input_ids"
"""Argument with the tokens that an encoder-decoder has generated; its texts go to the encoder."""


@dataclass(frozen=True, eq=False)
class Feed:
    """Where the arguments of one model call came from.

    It keeps none of the notebook's objects alive.

    Attributes
    ----------
    prompt
        Number of prompt ids before those that the model generated; None if it generated none.
    tokenized
        The tokenizer calls whose results were passed to the model.
    refusal
        Why the call cannot be repeated with other texts, a clause; empty if it can.
    gradients
        Whether gradients were enabled: some kernels differ.
    autocast
        Device type and dtype of the autocast context of the call.
    device
        The thread's default device for new tensors.
    written
        By batch item, the tokens that the model generated after the prompt.
    """

    prompt: int | None
    tokenized: list[Tokenized]
    callsite: Callsite | None
    refusal: str
    gradients: bool
    autocast: tuple[str, torch.dtype] | None
    device: torch.device
    _model: weakref.ref[Any]
    _kept: KeptArguments
    _slots: dict[str | int, tuple[int, ResultKey, int]] = field(default_factory=dict)
    """By argument: index of the tokenizer call, its result, and how often each text is repeated."""
    written: list[list[TokenInfo]] = field(default_factory=list)

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
        """Find the origin of a call's arguments among the tokenizer calls before it."""
        import torch

        given = _slots_of(args, kwargs)
        names = _names(model, args)
        named = {slot: names.get(slot, str(slot)) for slot in given}
        slots: dict[str | int, tuple[Tokenized, ResultKey]] = {}
        loose: dict[str, Any] = {}
        # Ids come first: they decide which tokenizer call a mask belongs to.
        for slot in sorted(given, key=lambda slot: "input_ids" not in named[slot]):
            name, value = named[slot], given[slot]
            if not is_tensor(value) or (prompt is not None and slot == WRITTEN):
                continue
            before = _before(kwargs, prompt)
            found = matching_result(
                name, value, known, [call for call, _ in slots.values()], before
            )
            if found is not None:
                slots[slot] = found
            elif prompt is not None and is_recomputed(name, value):
                kwargs = {other: argument for other, argument in kwargs.items() if other != slot}
            else:
                loose[name] = value
        used = [call for call in known if any(call is source for source, _ in slots.values())]
        bound = {
            slot: (
                used.index(source),
                key,
                1 if prompt is None else repetitions(given[slot], source.numbers[key]),
            )
            for slot, (source, key) in slots.items()
        }
        held = caches(args, kwargs)
        refusal = _refusal(arguments(model, args, kwargs), held, loose, slots, given)
        # Arguments of a call that cannot be repeated are not copied.
        others = {} if refusal else _slots_of(args, kwargs)
        kept = KeptArguments({slot: value for slot, value in others.items() if slot not in slots})
        for slot in () if refusal else slots:
            kept.add(slot, placeholder(given[slot]) if prompt is None else given[slot].clone())
        return cls(
            prompt,
            [call.bare for call in used],
            callsite,
            refusal,
            torch.is_grad_enabled() and prompt is None,
            _autocast(),
            torch.get_default_device(),
            weakref.ref(model, lambda _: kept.clear()),
            kept,
            bound,
        )

    def refused(self, why: str) -> Feed:
        """Mark the call as not repeatable; an earlier reason is kept."""
        self._kept.clear()
        return replace(self, refusal=self.refusal or why)

    @property
    def model(self) -> Any:
        """The model; None if the notebook has deleted it."""
        return self._model()

    @property
    def gone(self) -> str:
        """What the call needs and the notebook has deleted, a sentence; empty if nothing."""
        if self.model is None:
            return "The model is no longer in memory; run the cell."
        if any(call.tokenizer is None for call in self.tokenized):
            return "The tokenizer is no longer in memory; run the cell."
        return ""

    @property
    def kwargs(self) -> dict[str, Any]:
        """Keyword arguments; of ``generate``, those of one pass over all that it returned.

        Raises
        ------
        GoneError
            If an argument is no longer in memory.
        """
        return _kwargs(self._kept.read())

    def refed(self, tokenized: Sequence[Tokenized]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the call's arguments with the results of other tokenizer calls.

        Raises
        ------
        ValueError
            If another argument has one entry for each text of the original call, or an argument is
            no longer in memory.
        """
        given = self._kept.read()
        refed = dict(given)
        before = _before(given, self.prompt)
        for slot, (index, key, times) in self._slots.items():
            new = tokenized[index].tensors[key]
            refed[slot] = replaced_ids(given[slot], new, before, "mask" in str(key), times)
        self._check_batch(given, refed)
        masks = [
            mask
            for call in tokenized
            for key, mask in call.tensors.items()
            if key == "attention_mask"
        ]
        # With padding, ``generate`` computes the positions of tokens differently.
        if self.prompt is not None and not all(all(row) for mask in masks for row in rows_of(mask)):
            raise ValueError("the prompts are of several lengths")
        return _args(refed), _kwargs(refed)

    def text_of(self, item: int) -> int:
        """Return which text a batch item has: ``generate`` repeats each text for its results."""
        return item // max((times for _, _, times in self._slots.values()), default=1)

    def lengthened(self, kwargs: Mapping[str, Any]) -> int:
        """Return how many more ids a prompt has than the prompt of the original call."""
        if _before(kwargs, self.prompt) is None:
            return 0
        return int(kwargs["input_ids"].shape[-1] - self.kwargs["input_ids"].shape[-1])

    def length(self, tokenized: Sequence[Tokenized]) -> int:
        """Return the number of tokens of the longest text."""
        rows = [rows_of(ids) for call in tokenized for ids in call.tensors.values()]
        return max((len(row) for ids in rows for row in ids), default=0)

    def _check_batch(self, old: Mapping[str | int, Any], new: Mapping[str | int, Any]) -> None:
        fed = next(iter(self._slots))
        before, now = int(old[fed].shape[0]), int(new[fed].shape[0])
        for slot, value in new.items():
            made = is_tensor(value) and tuple(value.shape[:1]) == (before,)
            if before != now and made and slot not in self._slots:
                raise ValueError(f"`{slot}` has entries for {before} texts, not {now}")


def _args(given: Mapping[str | int, Any]) -> tuple[Any, ...]:
    return tuple(given[slot] for slot in sorted(slot for slot in given if isinstance(slot, int)))


def _kwargs(given: Mapping[str | int, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if isinstance(name, str)}


def _before(kwargs: Mapping[Any, Any], prompt: int | None) -> int | None:
    """Return the number of prompt ids before the generated ones; None if there are none."""
    return None if WRITTEN in kwargs else prompt


def _slots_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str | int, Any]:
    """Name all arguments of a call: by position or keyword."""
    found: dict[str | int, Any] = dict(enumerate(args))
    found.update(kwargs)
    return found


def _names(model: Any, args: tuple[Any, ...]) -> dict[str | int, str]:
    """Map positional arguments to their names in the model's `forward`."""
    try:
        bound = inspect.signature(model.forward).bind_partial(*args)
    except (TypeError, ValueError):
        return {}
    return {index: name for index, name in enumerate(bound.arguments) if index < len(args)}


def _refusal(
    named: Mapping[str, Any],
    held: Sequence[Any],
    loose: Mapping[str, torch.Tensor],
    slots: Mapping[str | int, Any],
    given: Mapping[str | int, Any],
) -> str:
    if held:
        return f"the call continues with a cache of an earlier call, a {type(held[0]).__name__}"
    for name in ("inputs_embeds", "encoder_outputs"):
        if named.get(name) is not None:
            return f"`{name}` was computed from the text before the call"
    if not slots or "input_ids" in loose:
        return "its text was tokenized in another cell, or its ids were changed"
    length = next(given[slot] for slot in slots).shape[-1]
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
