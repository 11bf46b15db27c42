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
from attnlab.capture.record.terms import Mask, identity_of, tensor_of
from attnlab.capture.torch_internals import versions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from attnlab.capture.generate.step import SiteKey
    from attnlab.capture.reading.attention_recorder import AttentionRecorder
    from attnlab.capture.record.terms import Term

    Terms = tuple[Term, ...]

NAMES = ("module", "query", "key", "value", "attention_mask")
"""Positional arguments of an attention function."""


@dataclass(eq=False, slots=True)
class InterfaceCall:
    """One call of an attention function, with its own tensors.

    Attributes
    ----------
    versions
        Of its tensors when the call had returned; higher if they were written to since.
    """

    function: Callable[..., Any]
    default: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any
    versions: int

    @property
    def changed(self) -> bool:
        """Whether its tensors were written to since."""
        return self.versions != versions_of_call(self.args, self.result)

    @property
    def output(self) -> Any:
        """The first result."""
        return _output(self.result)


def versions_of_call(args: tuple[Any, ...], result: Any) -> int:
    """Count the in-place changes of queries, keys, values and output of a call."""
    return versions_of((*args[1:4], _output(result)))


def _output(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) and result else result


@dataclass(eq=False, slots=True)
class Form:
    """What calls of one site have in common in all steps, and how they are interpreted.

    Attributes
    ----------
    shapes
        Of queries, keys, values and output.
    mask
        Shape and dtype of the mask; None without one.
    """

    function: Callable[..., Any]
    default: Callable[..., Any]
    kwargs: Mapping[str, Any]
    shapes: tuple[torch.Size, torch.Size, torch.Size, torch.Size]
    dtype: torch.dtype
    device: torch.device
    terms: Terms
    mask: tuple[torch.Size, torch.dtype] | None

    @classmethod
    def of(cls, call: InterfaceCall, attention: Attention) -> Form | None:
        """Return the form of a call; None if calls of its form must be interpreted each time."""
        query, key, value, output = attention.query, attention.key, attention.value, call.output
        if query is None or key is None or value is None or attention.output is None:
            return None
        if len(call.args) != len(NAMES) or query.shape[2] != 1 or type(output) is not torch.Tensor:
            return None
        if any(type(tensor) is not torch.Tensor for tensor in call.args[1:4]):
            return None
        mask = call.args[4]
        masks = [index for index, term in enumerate(attention.terms) if isinstance(term, Mask)]
        if len(masks) != (mask is not None):
            return None
        form = None
        if mask is not None:
            term = attention.terms[masks[0]]
            if type(mask) is not torch.Tensor or mask.ndim != 4 or not isinstance(term, Mask):
                return None
            if mask.dtype != term.tensor.dtype:
                return None  # The mask is converted.
            form = mask.shape, mask.dtype
        others = (term for index, term in enumerate(attention.terms) if index not in masks)
        if any(tensor_of(term) is not None for term in others):
            return None
        shapes = query.shape, key.shape, value.shape, output.shape
        return cls(
            call.function,
            call.default,
            call.kwargs,
            shapes,
            query.dtype,
            query.device,
            attention.terms,
            form,
        )

    def interpret(
        self, call: InterfaceCall, heads_first: torch.Size, masked: dict[tuple[int, int], Terms]
    ) -> Attention | None:
        """Interpret a call; None if it has another form.

        Layers with one mask and the same other terms get the same object, kept in `masked`.
        """
        if call.function is not self.function or call.default is not self.default:
            return None
        if len(call.args) != len(NAMES) or not _same_options(call.kwargs, self.kwargs):
            return None
        _, query, key, value, mask = call.args
        output = call.output
        first, keys, values, outputs = self.shapes
        for tensor in (query, key, value, output):
            if type(tensor) is not torch.Tensor:
                return None
        if query.shape != first or query.dtype != self.dtype or query.device != self.device:
            return None
        if output.shape != outputs:
            return None
        if not _grown(key.shape, keys) or not _grown(value.shape, values):
            return None
        count = key.shape[2]
        if value.shape[2] != count:
            return None
        terms = self.terms
        if self.mask is not None:
            shape, dtype = self.mask
            if type(mask) is not torch.Tensor or mask.dtype != dtype or mask.shape[:3] != shape[:3]:
                return None
            shared = id(terms), id(mask)
            if shared not in masked:
                cut = Mask(mask[..., :count])
                masked[shared] = tuple(cut if isinstance(term, Mask) else term for term in terms)
            terms = masked[shared]
        elif mask is not None:
            return None
        if outputs != heads_first:
            output = output.reshape(heads_first)
        return Attention(query, key, value, output, terms)


class InterfaceCalls:
    """Interprets the calls of successive steps."""

    def __init__(self) -> None:
        self._forms: dict[SiteKey, tuple[Form, torch.Size]] = {}
        self._terms: dict[tuple[object, ...], Terms] = {}

    def attentions(
        self, recorder: AttentionRecorder, calls: list[InterfaceCall]
    ) -> list[tuple[SiteKey, Attention]]:
        """Return the attention calls of a step that has ended."""
        counts: dict[int, int] = {}
        masked: dict[tuple[int, int], Terms] = {}
        found: list[tuple[SiteKey, Attention]] = []
        for call in calls:
            module = call.args[0] if call.args else call.kwargs.get("module")
            number = counts.get(id(module), 0)
            counts[id(module)] = number + 1
            if call.changed:
                recorder.refuse(module, "its arguments were changed after the call")
                continue
            site = id(module), number
            known = self._forms.get(site)
            attention = None if known is None else known[0].interpret(call, known[1], masked)
            if attention is None:
                attention = _interpreted(recorder, module, call)
                self._remember(site, call, attention)
            if attention is not None:
                found.append((site, attention))
        return found

    def _remember(self, site: SiteKey, call: InterfaceCall, attention: Attention | None) -> None:
        """Remember how a call was interpreted, without its tensors."""
        self._forms.pop(site, None)
        form = None if attention is None else Form.of(call, attention)
        if form is not None and attention is not None and attention.output is not None:
            identity = tuple(map(_without_mask, form.terms))
            form.terms = self._terms.setdefault(identity, form.terms)
            self._forms[site] = form, attention.output.shape


def _without_mask(term: Term) -> tuple[object, ...]:
    """Return what identifies a term without a tensor; masks differ from step to step."""
    return (Mask,) if isinstance(term, Mask) else identity_of(term)


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


def _grown(shape: torch.Size, before: torch.Size) -> bool:
    """Whether keys or values have the shape of those before, but for their number."""
    if len(shape) != 4:
        return False
    items, groups, _, width = shape
    return items == before[0] and groups == before[1] and width == before[3]


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
