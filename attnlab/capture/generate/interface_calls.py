"""Notes a step's calls of attention functions once the step has ended, by those of the step before.

From one step to the next, the calls of a layer differ in their tensors only. So the interpretation
of a call is that of the step before, with other tensors; only a call that differs in anything else
is interpreted again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.generate.step import Attention
from attnlab.capture.reading import interface
from attnlab.capture.reading.errors import UnreadableError
from attnlab.capture.record.terms import Mask
from attnlab.capture.torch_internals import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from attnlab.capture.generate.step import SiteKey
    from attnlab.capture.reading.attention_recorder import AttentionRecorder

NAMES = ("module", "query", "key", "value", "attention_mask")
"""Positional arguments of an attention function."""


@dataclass(eq=False, slots=True)
class InterfaceCall:
    """One call of an attention function, with its own tensors.

    Attributes
    ----------
    versions
        Of the tensors when the call had returned; other versions if they were written to since.
    """

    function: Callable[..., Any]
    default: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any
    versions: tuple[int, ...]

    @classmethod
    def of(
        cls,
        function: Callable[..., Any],
        default: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        result: Any,
    ) -> InterfaceCall:
        """Keep a call that has returned."""
        return cls(function, default, args, kwargs, result, _versions(args, result))

    @property
    def changed(self) -> bool:
        """Whether its tensors were written to since."""
        return self.versions != _versions(self.args, self.result)


class InterfaceCalls:
    """Interprets the calls of successive steps."""

    def __init__(self) -> None:
        self._known: dict[SiteKey, tuple[InterfaceCall, Attention]] = {}

    def attentions(
        self, recorder: AttentionRecorder, calls: list[InterfaceCall]
    ) -> list[tuple[SiteKey, Attention]]:
        """Return the attention calls of a step that has ended."""
        counts: dict[int, int] = {}
        found: list[tuple[SiteKey, Attention]] = []
        known, self._known = self._known, {}
        for call in calls:
            module = call.args[0] if call.args else call.kwargs.get("module")
            number = counts.get(id(module), 0)
            counts[id(module)] = number + 1
            if call.changed:
                recorder.refuse(module, "its arguments were changed after the call")
                continue
            site = id(module), number
            attention = _like(*known[site], call) if site in known else None
            if attention is None:
                attention = _interpreted(recorder, module, call)
            if attention is not None:
                self._known[site] = call, attention
                found.append((site, attention))
        return found


def _interpreted(recorder: AttentionRecorder, module: Any, call: InterfaceCall) -> Attention | None:
    """Interpret a call; return None if it cannot be read."""
    before = len(recorder.noted)
    try:
        interface.note(recorder, call.function, call.default, call.args, call.kwargs, call.result)
    except UnreadableError as error:
        recorder.refuse(module, str(error))
        return None
    noted = recorder.noted[before:]
    return Attention.of(noted[-1].record) if noted else None


def _like(before: InterfaceCall, known: Attention, call: InterfaceCall) -> Attention | None:
    """Interpret a call as that of the step before; None if it differs in more than its tensors."""
    if call.function is not before.function or call.default is not before.default:
        return None
    if len(call.args) != len(NAMES) or len(before.args) != len(NAMES):
        return None
    if not _same_options(call.kwargs, before.kwargs):
        return None
    _, query, key, value, mask = call.args
    if not all(map(_alike, call.args[1:4], before.args[1:4])):
        return None
    if query.shape[2] != 1 or known.queries != 1 or known.output is None:
        return None
    terms = known.terms
    if mask is not None or before.args[4] is not None:
        masks = [index for index, term in enumerate(terms) if isinstance(term, Mask)]
        if len(masks) != 1 or not _alike(mask, before.args[4]):
            return None
        index, term = masks[0], terms[masks[0]]
        assert isinstance(term, Mask)
        if mask.ndim != 4 or term.tensor.dtype != mask.dtype:
            return None
        terms = (*terms[:index], Mask(mask[..., : key.shape[2]]), *terms[index + 1 :])
    output = call.result[0] if isinstance(call.result, tuple) and call.result else call.result
    if not isinstance(output, torch.Tensor) or output.numel() != known.output.numel():
        return None
    return Attention(query, key, value, output.reshape(known.output.shape), terms)


def _alike(tensor: Any, other: Any) -> bool:
    """Whether tensors of two steps differ in the number of keys only."""
    if type(tensor) is not torch.Tensor or type(other) is not torch.Tensor:
        return False
    one, two = tensor.shape, other.shape
    if one != two:
        # Keys are the third axis, those of masks the fourth.
        if len(one) != 4 or len(two) != 4 or one[:2] != two[:2]:
            return False
        if one[2] != two[2] and one[3] != two[3]:
            return False
    return len(one) == 4 and tensor.dtype == other.dtype and tensor.device == other.device


def _same_options(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two calls have the same options: numbers, names and None."""
    if one.keys() != other.keys():
        return False
    for name, value in one.items():
        before = other[name]
        # No attention function of the interface reads positions: they are in the keys already.
        if value is before or name == "position_ids":
            continue
        if not isinstance(value, int | float | str) or value != before:
            return False
    return True


def _versions(args: tuple[Any, ...], result: Any) -> tuple[int, ...]:
    """Return the versions of the tensors of a call; inference tensors have none."""
    output = result[0] if isinstance(result, tuple) and result else result
    return tuple(
        version_of(tensor)
        for tensor in (*args[1:4], output)
        if type(tensor) is torch.Tensor and not tensor.is_inference()
    )
