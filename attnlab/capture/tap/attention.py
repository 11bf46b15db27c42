"""Records an attention whose weights were seen to multiply values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnlab.capture.inspection.attributes import stored
from attnlab.capture.reading.attention_recorder import PIECES
from attnlab.capture.reading.errors import UnreadableError
from attnlab.capture.record.terms import Scale, Term, mapped, tensor_of
from attnlab.capture.tap.lineage import Scores, Weights, common
from attnlab.capture.tap.matrix import Matrix, Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from attnlab.capture.reading.attention_recorder import AttentionRecorder
    from attnlab.capture.tap.axes import Axes
    from attnlab.capture.tap.context import TapContext
    from attnlab.capture.tap.matrix import Lineage


def note_attention(
    tap: TapContext,
    matrix: Matrix,
    known: Lineage,
    operand: torch.Tensor,
    value: torch.Tensor,
    output: torch.Tensor,
    straight: bool,
) -> Output:
    """Record an attention whose product with its values has just been computed.

    Parameters
    ----------
    tap
        The tap that follows the tensors.
    matrix
        The matrix that multiplies the values, with the keys along the axis that is summed over.
    known
        The same matrix as it was followed.
    operand, value, output
        The tensors of the product.
    straight
        Whether the matrix is the first operand.

    Raises
    ------
    UnreadableError
        If heads and items cannot be distinguished, or memory does not suffice.
    """
    recorder = tap.recorder
    modules = common(matrix.modules, tap.running())
    module = modules[-1] if modules else recorder.model
    tap.settle(matrix.modules)
    axes = _output_axes(matrix, output, straight)
    if matrix.stage == "powers" and not _sums_to_one(matrix, operand):
        return Output(axes, None, module, matrix.product)
    scores, lead = _scores(matrix, known, operand)
    exact = matrix if scores is None else replace(matrix, lead=lead)
    if not straight:
        value, mixed = value.transpose(-1, -2), output.transpose(-1, -2)
    else:
        mixed = output
    rows, columns = (-2, -1) if straight else (-1, -2)
    beside = matrix.axes.folded(rows, columns) or ()
    split = HeadSplit.of(exact.lead, recorder.texts.batch or recorder.kept.batch, module)
    value = split(_ordered(exact, value, beside, rows=False))
    mixed = split(_ordered(exact, mixed, beside, rows=True))
    parts: dict[str, Any] = {"doubt": matrix.doubt, "value": value}
    if scores is None:
        dense = matrix.axes.dense(operand.detach())
        parts["weights"] = split(dense.reshape(*matrix.lead, *dense.shape[-2:]))
        recorder.kept.begin(module, value, parts["weights"])
        parts |= _before(matrix, split, recorder.kept.shared)
    else:
        recorder.kept.begin(module, value, scores.query, scores.key)
        parts |= _scored(scores, split, recorder.kept.shared)
    parts["rows"], kept = recorder.kept.rows(mixed.transpose(1, 2))
    parts["output"] = None if matrix.doubt else kept
    if _overlaps(split.blocks, int(mixed.shape[2]), int(value.shape[2]), recorder):
        parts["doubt"] = PIECES
    noted = recorder.note(module, None, "tap", tap.serial(modules), **parts)
    return Output(axes, noted, module, matrix.product)


SLACK = 2e-2
"""How much sums of weights may differ from 1, by rounding in half precision."""


def _scores(
    matrix: Matrix, known: Lineage, operand: torch.Tensor
) -> tuple[Scores | None, tuple[int, ...]]:
    """Return the scores whose softmax a matrix is, and the sizes of the leading axes."""
    if isinstance(known, Weights):
        # If the product sums over another axis than the softmax, the weights are stored.
        same = matrix.axes is known.axes
        return (known.scores, known.lead) if same else (None, matrix.lead)
    if matrix.powers_of is None or not _sums_to_one(matrix, operand):
        return None, matrix.lead
    scores = matrix.powers_of.unfolded().settled()
    return scores, scores.axes.lead()


def _before(matrix: Matrix, split: HeadSplit, shared: Any) -> dict[str, Any]:
    """Return the queries, keys and terms from which a changed matrix was computed, if known."""
    source = matrix.source
    if source is None or source.axes.lead() != matrix.lead:
        return {}
    ends = int(source.query.shape[-2]), int(source.key.shape[-2])
    sizes = matrix.axes.sizes
    counts = [
        math.prod(sizes[atom] for atom in matrix.axes.atoms(kind)) for kind in ("query", "key")
    ]
    if list(ends) != counts:
        return {}
    try:
        return _scored(source, split, shared) | {"softened": matrix.softened}
    except UnreadableError:  # Its terms exceed the memory budget; the weights are enough.
        return {}


def _sums_to_one(matrix: Matrix, operand: torch.Tensor) -> bool:
    """Whether each row sums to 1, or consists of zeros."""
    sums = matrix.axes.dense(operand.detach()).float().sum(-1)
    return bool((((sums - 1).abs() < SLACK) | (sums == 0)).all())


def _overlaps(blocks: int, queries: int, keys: int, recorder: AttentionRecorder) -> bool:
    """Whether blocks of queries make up a text, and each also attends to keys of its neighbors."""
    lengths = recorder.projections.lengths
    whole = blocks * queries in lengths and blocks * keys not in lengths
    return blocks > 1 and keys > queries and whole


def _output_axes(matrix: Matrix, output: torch.Tensor, straight: bool) -> Axes:
    """Return the axes of a product of weights with values."""
    axis = -1 if straight else -2
    axes = matrix.axes.resized(axis, int(output.shape[axis]), "key")
    assert axes is not None
    return axes


def _scored(scores: Scores, split: HeadSplit, shared: Any) -> dict[str, Any]:
    terms = []
    for term in scores.terms:
        tensor = tensor_of(term)
        if tensor is None:
            terms.append(term)
            continue
        changed = shared(split(tensor, scores.axes.leads))
        terms.append(mapped(term, lambda _, changed=changed: changed))  # type: ignore[misc]
    return {"query": split(scores.query), "key": split(scores.key), "terms": _tidy(terms)}


def _tidy(terms: Sequence[Term]) -> list[Term]:
    """Multiply successive scales, as models split them between q and q·k."""
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


@dataclass(frozen=True)
class HeadSplit:
    """Distinguishes items from heads in the axes before queries and keys.

    Attributes
    ----------
    lead
        Sizes of these axes, at the softmax.
    heads
        Index of the axis of heads; None if a single axis counts both.
    shape
        Number of items and of heads.
    blocks
        Number of blocks of each item among the items.
    """

    lead: tuple[int, ...]
    heads: int | None
    shape: tuple[int, int]
    blocks: int = 1

    @classmethod
    def of(cls, lead: tuple[int, ...], batch: int, module: Any) -> HeadSplit:
        """Determine it from the sizes, the batch, and the attributes of the module.

        Raises
        ------
        UnreadableError
            If these do not suffice.
        """
        count = math.prod(lead)
        heads = _heads(module)
        if len(lead) == 2:
            return cls(lead, 1, lead)
        if len(lead) < 2:
            if heads and count % heads == 0 and count != batch:
                return cls(lead, None, (count // heads, heads))
            return cls(lead, None, (batch, count // batch) if count % batch == 0 else (1, count))
        indices = [index for index, size in enumerate(lead) if index and size == heads]
        if indices:
            items = count // lead[indices[-1]]
            return cls(lead, indices[-1], (items, lead[indices[-1]]), items // lead[0])
        if lead[0] == batch and heads in (None, count // batch):
            return cls(lead, None, (batch, count // batch))  # groups of heads, then heads
        raise UnreadableError(f"its scores have the axes {lead} before queries and keys")

    def __call__(self, tensor: torch.Tensor, atoms: tuple[int, ...] | None = None) -> torch.Tensor:
        """Rearrange (lead…, a, b) to (items, heads, a, b).

        For a term, whose leading axes are `atoms` or of size 1, an axis of items or heads stays of
        size 1 if all its numbers are the same.
        """
        ends = tensor.shape[-2:]
        if atoms is not None:
            if all(size == 1 for size in tensor.shape[:-2]):
                return tensor.reshape(1, 1, *ends)
            tensor = tensor.expand(*atoms, *ends)
        if self.heads is None:
            return tensor.reshape(*self.shape, *ends)
        laid = tensor.reshape(*self.lead, *ends).movedim(self.heads, -3)
        return laid.reshape(-1, *laid.shape[-3:]) if laid.ndim != 4 else laid


def _ordered(
    weights: Matrix, tensor: torch.Tensor, beside: tuple[int, ...], rows: bool
) -> torch.Tensor:
    """Rearrange (leading axes…, a, b) that follow the weights' axes to (*lead, a, b).

    Heads that are folded into the rows, `beside` the queries, are unfolded in an output; the values
    are the same for all of them.
    """
    axes = weights.axes
    leads = axes.atoms("lead")
    order = [atom for group in axes.groups for atom in group if atom in leads]
    apart = [axes.sizes[atom] for atom in order if atom not in beside]
    folded = [axes.sizes[atom] for atom in beside]
    size, width = tensor.shape[-2:]
    if rows:
        split = tensor.reshape(*apart, *folded, size // math.prod(folded), width)
    else:
        whole = tensor.reshape(*apart, *[1] * len(folded), size, width)
        split = whole.expand(*apart, *folded, size, width)
    order = [atom for atom in order if atom not in beside] + list(beside)
    laid = split.permute([*(order.index(atom) for atom in leads), len(order), len(order) + 1])
    return laid.reshape(*weights.lead, *laid.shape[-2:])


def _heads(module: Any) -> int | None:
    """Return the number of heads according to a module's attributes."""
    for name in (
        "num_heads",
        "num_attention_heads",
        "num_attn_heads",
        "n_heads",
        "n_head",
        "heads",
    ):
        number = stored(module, name)
        if isinstance(number, int) and number > 0:
            return number
    return None
