"""Makes a note of weights that were seen to multiply a value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.lineage import Scores, mapped
from attnlab.capture.operations import common
from attnlab.capture.recorder import UnreadableError
from attnlab.capture.terms import Term, tensor_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnlab.capture.lineage import Weights
    from attnlab.capture.tap import Tap


def finish(tap: Tap, weights: Weights, args: tuple[Any, ...], output: torch.Tensor) -> None:
    """Note an attention whose product with its values has just been computed.

    Raises
    ------
    UnreadableError
        When heads and items cannot be told apart, or memory does not suffice.
    """
    first, second = args[:2]
    straight = weights.axes.ends_in("query", "key") and tap.lineage(first) is weights
    value = second if straight else first.transpose(-1, -2)
    mixed = output if straight else output.transpose(-1, -2)
    recorder = tap.recorder
    modules = common(weights.modules, tap.running())
    module = modules[-1] if modules else recorder.model
    tap.settle(weights.modules)
    items, heads = _items(weights.lead, recorder.batch, module)
    value, mixed = (_ordered(weights, own, items, heads) for own in (value, mixed))
    scored = weights.scores
    grown = [weights.dense] if scored is None else [scored.query, scored.key]
    recorder.begin(module, value, *(own for own in grown if own is not None))
    rows, kept = recorder.kept_rows(mixed.transpose(1, 2))
    parts: dict[str, Any] = {"rows": rows, "output": kept, "doubt": weights.doubt, "value": value}
    if weights.doubt:
        parts["output"] = None
    if weights.scores is None:
        assert weights.dense is not None
        queries, keys = weights.dense.shape[-2:]
        parts["weights"] = weights.dense.reshape(items, heads, queries, keys)
    else:
        parts |= _scored(weights.scores, items, heads, recorder.shared)
    recorder.note(module, None, "tap", **parts)


def _scored(scores: Scores, items: int, heads: int, shared: Any) -> dict[str, Any]:
    query, key = scores.query, scores.key
    leads = scores.axes.leads
    terms = []
    for term in scores.terms:
        tensor = tensor_of(term)
        if tensor is None:
            terms.append(term)
            continue
        own = shared(_split(tensor, leads, items, heads))
        terms.append(mapped(term, lambda _, own=own: own))  # type: ignore[misc]
    return {
        "query": query.reshape(items, heads, *query.shape[-2:]),
        "key": key.reshape(items, heads, *key.shape[-2:]),
        "terms": _tidy(terms),
    }


def _tidy(terms: Sequence[Term]) -> list[Term]:
    """Join scales that follow on one another, as models halve them between q and q·k."""
    from attnlab.capture.terms import Scale

    result: list[Term] = []
    for term in terms:
        last = result[-1] if result else None
        if (
            isinstance(term, Scale)
            and isinstance(last, Scale)
            and isinstance(term.factor, float)
            and isinstance(last.factor, float)
        ):
            result[-1] = Scale(term.factor * last.factor)
        else:
            result.append(term)
    return result


def _split(
    tensor: torch.Tensor, leads: tuple[int, ...], items: int, heads: int
) -> torch.Tensor:
    """Bring (leading atoms…, a, b), which may be 1 anywhere, to (items, heads, a, b)."""
    ends = tensor.shape[-2:]
    if all(size == 1 for size in tensor.shape[:-2]):
        return tensor.reshape(1, 1, *ends)
    # The atoms of the items come first, those of the heads after them, where the cut allows it.
    for cut in range(len(leads) + 1):
        if math.prod(leads[:cut]) == items:
            parts = tensor.shape[:cut], tensor.shape[cut:-2]
            own = [1 if all(size == 1 for size in part) else -1 for part in parts]
            shape = [
                math.prod(leads[:cut]) if own[0] == -1 else 1,
                math.prod(leads[cut:]) if own[1] == -1 else 1,
            ]
            whole = [
                *(leads[:cut] if own[0] == -1 else parts[0]),
                *(leads[cut:] if own[1] == -1 else parts[1]),
            ]
            return tensor.expand(*whole, *ends).reshape(*shape, *ends)
    return tensor.expand(*leads, *ends).reshape(items, heads, *ends)


def _ordered(weights: Weights, tensor: torch.Tensor, items: int, heads: int) -> torch.Tensor:
    """Bring (leading axes…, a, b) that follow the weights' axes to (items, heads, a, b)."""
    ends = tensor.shape[-2:]
    axes = weights.axes
    leads = axes.atoms("lead")
    order = [atom for group in axes.groups for atom in group if atom in leads]
    split = tensor.reshape([*(axes.sizes[atom] for atom in order), *ends])
    laid = split.permute([*(order.index(atom) for atom in leads), len(order), len(order) + 1])
    return laid.reshape(items, heads, *ends)


def _items(lead: tuple[int, ...], batch: int, module: Any) -> tuple[int, int]:
    """Tell items from heads in what stands before queries and keys."""
    count = math.prod(lead)
    if len(lead) == 2:
        return lead
    own = _heads(module)
    if own and count % own == 0 and (len(lead) < 2 or lead[-1] == own):
        return count // own, own
    if len(lead) <= 1:
        return (batch, count // batch) if count % batch == 0 else (1, count)
    if lead[0] == batch:
        return batch, count // batch
    raise UnreadableError(f"its scores have the axes {lead} before queries and keys")


def _heads(module: Any) -> int | None:
    """How many heads a module says it has."""
    for name in ("num_heads", "num_attention_heads", "n_heads", "n_head", "heads"):
        number = getattr(module, name, None)
        if isinstance(number, int) and number > 0:
            return number
    return None
