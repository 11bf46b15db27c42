"""The axes of scores stay known through every view: labeled numbers show it."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attnlab.capture.tap.axes import Axes, refined

SIZES = st.sampled_from([1, 1, 2, 3, 4, 6])

SHAPES = st.lists(SIZES, min_size=2, max_size=5)


def labels(axes, kind):
    """Return for each number of a tensor with these axes its position along all atoms of a kind."""
    order = [atom for group in axes.groups for atom in group]
    result = axes.atoms(kind)
    place = torch.zeros([axes.sizes[atom] for atom in order], dtype=torch.long)
    step = 1
    for atom in reversed(result):
        shape = [-1 if other == atom else 1 for other in order]
        place = place + step * torch.arange(axes.sizes[atom]).reshape(shape)
        step *= axes.sizes[atom]
    return place.reshape(axes.shape)


def known(shape):
    """Axes of a shape, and the expected positions of each number."""
    whole = torch.arange(math.prod(shape)).reshape(shape)
    queries, keys = shape[-2:]
    truth = {
        "lead": whole // (queries * keys),
        "query": whole // keys % queries,
        "key": whole % keys,
    }
    return Axes.of(shape), truth


def agree(axes, truth):
    for kind, value in truth.items():
        assert axes.shape == tuple(value.shape)
        assert torch.equal(labels(axes, kind), value)


@st.composite
def regrouped(draw, shape):
    """Return another shape of the same size, with axes split, joined, added and removed."""
    factors = []
    for size in shape:
        while size > 1:
            factor = draw(st.sampled_from([n for n in range(2, size + 1) if size % n == 0]))
            factors.append(factor)
            size //= factor
    result, product = [], 1
    for factor in factors:
        product *= factor
        if draw(st.booleans()):
            result.append(product)
            product = 1
        if draw(st.integers(0, 5)) == 0:
            result.append(1)
    return [*result, product] if product > 1 or not result else result


@given(SHAPES)
def test_the_last_two_axes_of_a_product_are_queries_and_keys(shape):
    axes, truth = known(shape)
    agree(axes, truth)
    assert math.prod(axes.leads) == math.prod(shape[:-2])


@given(st.data())
@settings(deadline=None)
def test_any_chain_of_views_and_permutations_keeps_every_position_known(data):
    axes, truth = known(data.draw(SHAPES))
    for _ in range(data.draw(st.integers(1, 5))):
        if data.draw(st.booleans()):
            order = data.draw(st.permutations(range(len(axes.shape))))
            axes = axes.permuted(order)
            truth = {kind: value.permute(order) for kind, value in truth.items()}
        else:
            shape = data.draw(regrouped(axes.shape))
            found = axes.viewed(shape)
            if found is None:
                return
            assert [math.prod(entry) for entry in found[1]] == list(axes.sizes)
            axes = found[0]
            truth = {kind: value.reshape(shape) for kind, value in truth.items()}
        agree(axes, truth)


@given(st.data())
@settings(deadline=None)
def test_a_view_that_splits_and_joins_whole_axes_is_always_understood(data):
    shape = data.draw(SHAPES)
    axes, truth = known(shape)
    # Axes joined with their neighbors, and split again.
    cut = data.draw(st.integers(1, len(shape)))
    joined = [math.prod(shape[:cut]), *shape[cut:]]
    (merged, _), (back, _) = axes.viewed(joined), axes.viewed(joined)[0].viewed(shape)
    agree(merged, {kind: value.reshape(joined) for kind, value in truth.items()})
    agree(back, truth)


def test_a_view_that_splits_axes_unevenly_is_not_followed():
    assert Axes.of((2, 3, 4)).viewed((4, 6)) is None
    assert Axes.of((2, 3, 4)).viewed((2, 3, 2)) is None
    assert Axes.of((2, 3, 4)).viewed((2, 3, 4, 2)) is None
    assert Axes.of((2, 3, 4)).viewed((5, 5)) is None


@given(SHAPES)
def test_flipped_axes_exchange_queries_and_keys(shape):
    axes, truth = known(shape)
    agree(axes.flipped(), {"lead": truth["lead"], "query": truth["key"], "key": truth["query"]})


@given(st.data())
@settings(deadline=None)
def test_a_tensor_that_broadcasts_is_arranged_as_leads_queries_and_keys(data):
    axes, truth = known(data.draw(SHAPES))
    for _ in range(data.draw(st.integers(0, 3))):
        order = data.draw(st.permutations(range(len(axes.shape))))
        found = axes.permuted(order).viewed(data.draw(regrouped(axes.permuted(order).shape)))
        if found is not None:
            truth = {k: value.permute(order).reshape(found[0].shape) for k, value in truth.items()}
            axes = found[0]
    shape = [data.draw(st.sampled_from([size, 1])) for size in axes.shape]
    shape = shape[data.draw(st.integers(0, len(shape))) :]
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    laid = axes.canonical(mask)
    whole = mask.expand(axes.shape)
    sizes = [math.prod(axes.sizes[atom] for atom in axes.atoms(kind)) for kind in truth]
    result = laid.expand(*axes.leads, *sizes[1:]).reshape(sizes)
    assert torch.equal(result[truth["lead"], truth["query"], truth["key"]], whole)
    # Axes along which all numbers are the same have size 1.
    assert laid.numel() <= max(1, math.prod(sizes))


@given(st.data())
@settings(deadline=None)
def test_a_mask_for_all_heads_or_all_queries_is_not_expanded(data):
    shape = data.draw(st.lists(st.integers(2, 4), min_size=4, max_size=4))
    axes = Axes.of(shape)
    mask = torch.rand(shape[0], 1, 1, shape[3])
    assert axes.canonical(mask).shape == (shape[0], 1, 1, shape[3])
    assert axes.canonical(torch.rand(shape[2], shape[3])).shape == (1, 1, *shape[2:])
    assert axes.canonical(torch.tensor(1.0)).shape == (1, 1, 1, 1)


@given(st.lists(st.sampled_from([2, 3, 4, 6]), min_size=1, max_size=3), st.data())
@settings(deadline=None)
def test_the_operands_are_split_as_a_view_has_split_the_leading_axes(leads, data):
    tensor = torch.rand(*leads, 5, 7)
    shape = data.draw(regrouped(leads))
    found = Axes.of((*leads, 2, 2)).viewed((*shape, 2, 2))
    if found is None:
        return
    axes, pieces = found
    result = refined(tensor, pieces[: len(leads)])
    assert torch.equal(result, tensor.reshape(*axes.leads, 5, 7))
    one = refined(tensor[:1].narrow(-1, 0, 1), pieces[: len(leads)])
    assert one.numel() == tensor[:1, ...].narrow(-1, 0, 1).numel()


def test_grouped_heads_folded_into_the_queries_are_detected():
    viewed = Axes.of((2, 3, 2, 5, 7)).viewed((2, 3, 10, 7))
    assert viewed is not None
    axes = viewed[0]
    assert axes.folded(-2, -1) == (2,)
    assert Axes.of((2, 3, 5, 7)).folded(-2, -1) == ()
    assert Axes.of((2, 3, 5, 7)).folded(-1, -2) is None
    assert Axes.of((2, 3, 5, 7)).permuted([0, 1, 3, 2]).folded(-1, -2) == ()


@given(st.data())
@settings(deadline=None)
def test_an_axis_of_one_kind_that_is_resized_keeps_all_other_positions(data):
    axes, truth = known(data.draw(SHAPES))
    order = data.draw(st.permutations(range(len(axes.shape))))
    axes = axes.permuted(order)
    truth = {kind: value.permute(order) for kind, value in truth.items()}
    axis = data.draw(st.integers(0, len(axes.shape) - 1))
    size = data.draw(SIZES)
    found = axes.resized(axis, size)
    kinds = {axes.kinds[atom] for atom in axes.groups[axis]}
    if len(kinds) != 1:
        assert found is None
        return
    shape = list(axes.shape)
    shape[axis] = size
    assert found.shape == tuple(shape)
    (changed,) = kinds
    for kind in truth:
        if kind != changed:
            # The positions of other kinds are the same wherever both have a number.
            first = truth[kind].narrow(axis, 0, 1).expand(shape)
            assert torch.equal(labels(found, kind), first)
    assert math.prod(found.sizes[atom] for atom in found.atoms(changed)) * axes.shape[axis] == (
        math.prod(axes.sizes[atom] for atom in axes.atoms(changed)) * size
    )


@given(st.data())
@settings(deadline=None)
def test_the_numbers_of_a_tensor_are_laid_out_by_leads_queries_and_keys(data):
    axes, truth = known(data.draw(SHAPES))
    order = data.draw(st.permutations(range(len(axes.shape))))
    axes = axes.permuted(order)
    numbers = torch.arange(math.prod(axes.shape)).reshape(axes.shape)
    laid = axes.dense(numbers)
    leads = math.prod(axes.leads)
    places = {kind: value.permute(order) for kind, value in truth.items()}
    result = laid.reshape(leads, *laid.shape[-2:])
    assert torch.equal(result[places["lead"], places["query"], places["key"]], numbers)


@given(st.data())
@settings(deadline=None)
def test_leading_factors_are_put_into_the_order_of_the_tensor(data):
    axes, _ = known(data.draw(SHAPES))
    axes = axes.permuted(data.draw(st.permutations(range(len(axes.shape)))))
    settled = axes.settled()
    order = [atom for group in settled.groups for atom in group]
    assert [atom for atom in order if atom in settled.atoms("lead")] == list(settled.atoms("lead"))
    assert settled.shape == axes.shape
    for kind in ("query", "key"):
        assert torch.equal(labels(settled, kind), labels(axes, kind))


def test_a_repeated_axis_is_leading():
    axes = Axes.of((1, 3, 5, 7)).expanded((2, 3, 5, 7))
    assert axes is not None
    assert axes.leads == (2, 3)
    axes = Axes.of((5, 7)).expanded((2, 3, 5, 7))
    assert axes is not None
    assert axes.leads == (2, 3)
    assert Axes.of((3, 1, 7)).expanded((3, 5, 7)) is None
    assert Axes.of((3, 5, 7)).expanded((3, 5, 8)) is None


def test_one_index_of_a_leading_axis_is_selected():
    axes = Axes.of((2, 3, 5, 7))
    without = axes.without(1)
    assert without is not None
    assert without.shape == (2, 5, 7)
    assert without.leads == (2,)
    assert axes.without(2) is None
    assert axes.without(3) is None
