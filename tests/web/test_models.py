"""Real models in a real browser: what every view draws is read back and is the model's own.

The models run in this process under attnlab's server (`tests/web/served.py`). The truth is
what an independent eager copy multiplies its values by (`tests/zoo/oracle.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray

from attnlab.capture.record.attention_record import Kind
from attnlab.server.payloads import tiles
from attnlab.traces.trace import Trace
from tests.web.panel import Panel, Pixels
from tests.web.served import Kernel
from tests.web.test_matrix import image, lens, matrix
from tests.web.test_neuron import came, column
from tests.zoo.inputs import ids, left, pair, right, text
from tests.zoo.inputs import image as picture
from tests.zoo.specimen import Specimen, interface

Serve = Callable[..., tuple[Panel, Kernel]]
Weights = NDArray[np.float32]

SIDE = 48
"""Entries along a side of the thumbnails that a panel asks for."""

MAMBA: dict[str, Any] = {
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_d_state": 8,
    "mamba_n_groups": 1,
}
TINY = [
    interface("bert", "BertModel", right(), "padded"),
    interface("vit", "ViTModel", picture()),
    interface("t5", "T5Model", pair(), "unequal depths", spread=0.1, num_layers=1,
              num_decoder_layers=3),
    interface("granitemoehybrid", "GraniteMoeHybridForCausalLM", text(), "attention in layers "
              "1 and 4 of 6", spread=0.2, num_hidden_layers=6, **MAMBA,
              layer_types=["mamba", "attention", "mamba", "mamba", "attention", "mamba"]),
    interface("gpt_oss", "GptOssForCausalLM", left(), "sinks and window", sliding_window=4),
    interface("gemma2", "Gemma2ForCausalLM", left(), "softcap and window", sliding_window=4,
              attn_logit_softcapping=2.0, query_pre_attn_scalar=3),
    interface("llama", "LlamaForCausalLM", text(1, 1), "one token"),
]  # fmt: skip
BY_NAME = {specimen.family: specimen for specimen in TINY}


def shown(serve: Serve, specimen: Specimen) -> tuple[Panel, Trace]:
    """Run a tiny model, and wait for the panel; its trace is the truth of an eager copy."""
    panel, kernel = serve()
    model = specimen.make(specimen.implementation)
    trace = kernel.run(lambda: model(**specimen.inputs(model)))
    same(trace, [weights[0].numpy() for weights in specimen.truth])
    panel.exact()
    return panel, trace


def same(trace: Trace, truth: list[Weights], tolerance: float = 2e-5) -> None:
    """The trace has the sites and the weights that the eager copy has, in the same order."""
    assert [(site.heads, site.queries, site.keys) for site in trace.sites] == [
        weights.shape for weights in truth
    ]
    for site, weights in zip(trace.sites, truth, strict=True):
        for head in range(site.heads):
            actual = trace.head(site.index, head)
            # A query that may attend to no key has no weights here, and even ones in eager.
            real = ~np.isnan(actual).any(-1)
            np.testing.assert_allclose(actual[real], weights[head][real], rtol=0, atol=tolerance)


def look(panel: Panel, site: int, head: int) -> None:
    """Choose a head in the model view, and wait for its exact weights."""
    panel.thumb(site, head).click()
    panel.page.locator(f'[data-site="{site}"][data-head="{head}"][data-mark=focus]').wait_for()
    panel.frame()
    panel.exact()


def ask(panel: Panel, query: int) -> None:
    """Select a query, which stays selected."""
    if panel.focus()["query"] != query:
        panel.find("head-query", query).click()


# --- what is drawn ------------------------------------------------------------------------


def prints(panel: Panel, row: Weights) -> None:
    """The head view's numbers beside its keys are a row of weights, to the bit and in words."""
    read = panel.printed()
    assert read.keys() == set(range(len(row)))
    np.testing.assert_array_equal([read[key] for key in range(len(row))], row.astype(float))
    for said, weight in zip(panel.find("weight").all_inner_texts(), row, strict=True):
        assert float(said) == pytest.approx(float(weight), rel=0.05, abs=1e-9, nan_ok=True)


class Colors:
    """The panel's color table, read backwards."""

    def __init__(self, panel: Panel) -> None:
        steps: dict[int, tuple[int, int]] = {}
        for step, word in enumerate(panel.page.evaluate("lab.ramp()")):
            steps[word] = (steps.get(word, (step, step))[0], step)
        self._steps = steps

    def show(self, words: NDArray[np.uint32], weights: NDArray[Any]) -> None:
        """Pixels have the colors of weights rounded to a 255th; of NaN, none of the table."""
        found, places = np.unique(words, return_inverse=True)
        # Neighbours in the table may have one color: it stands for all of them.
        least, most = np.array([self._steps.get(int(w), (999, -999)) for w in found]).T
        least, most = (of[places].reshape(words.shape) for of in (least, most))
        number = ~np.isnan(weights)
        assert (most[~number] < 0).all(), "what is not a number has a weight's color"
        exact = 255 * np.nan_to_num(weights)
        right = (least - 0.51 <= exact) & (exact <= most + 0.51)
        assert right[number].all(), np.argwhere(number & ~right)[:5]


def words(pixels: Pixels) -> NDArray[np.uint32]:
    """A picture's pixels, a little-endian RGBA word each."""
    return np.frombuffer(pixels.data, "<u4").reshape(pixels.height, pixels.width)


def thumbnails_are(panel: Panel, trace: Trace, site: int, table: Colors) -> None:
    """Every pixel of a layer's thumbnails has the color of the heaviest weight under it."""
    panel.thumb(site, 0).scroll_into_view_if_needed()
    panel.frame()
    read = words(panel.layer(site))
    cells = panel.page.locator(f".attnlab-thumb[data-site='{site}']")
    lefts = cells.evaluate_all("all => all.map(e => parseFloat(e.style.left))")
    side = len(read)
    actual = trace.sites[site]
    assert len(lefts) == actual.heads
    rows = min(SIDE, max(one.queries for one in trace.sites))
    columns = min(SIDE, max(one.keys for one in trace.sites))
    down, across = under(side, rows, actual.queries), under(side, columns, actual.keys)
    for head, x in enumerate(map(round, lefts)):
        # A thumbnail has no color for what is not a number.
        weights = np.nan_to_num(trace.head(site, head))
        pooled = np.array([weights[positions].max(0) for positions in down])
        pooled = np.array([pooled[:, positions].max(1) for positions in across]).T
        table.show(read[:, x : x + side], pooled)


def under(pixels: int, entries: int, length: int) -> list[list[int]]:
    """Positions that each pixel of a thumbnail shows, which has so many entries."""
    shows = [
        [i for i in range(length) if i * entries // length == entry]
        if length >= entries
        else [entry * length // entries]
        for entry in range(entries)
    ]
    starts = [pixel * entries // pixels for pixel in range(pixels + 1)]
    return [
        [position for shown in shows[start : max(start + 1, end)] for position in shown]
        for start, end in pairwise(starts)
    ]


def matrix_is(panel: Panel, weights: Weights, table: Colors) -> None:
    """Every cell of the head as a matrix has the color of its weight."""
    matrix(panel)
    side = lens(panel) if len(weights) > 1 else 24
    y, x = ((np.arange(count) + 0.5) * side for count in weights.shape)
    table.show(words(image(panel))[np.ix_(y.astype(int), x.astype(int))], weights)
    panel.page.get_by_role("radio", name="lines").check(force=True)
    panel.exact()


def adds_up(panel: Panel, row: Weights, whole: bool = False) -> list[str]:
    """The neuron view's scores follow from each other, and their softmax is the row.

    Returns
    -------
    list of str
        The names of the scores' terms.
    """
    steps = panel.page.locator('.attnlab-neuron-row[data-index="0"] [data-cell][data-value]')
    names = list(steps.evaluate_all("all => all.map(e => e.dataset.cell)"))
    assert names[0] == "q·k"
    assert names.pop() == "weight"
    scores = {name: np.array(list(column(panel, name).values())) for name in names}
    if whole:
        np.testing.assert_allclose(products(panel), scores["q·k"], rtol=1e-4, atol=1e-4)
    for before, name in pairwise(names):
        follows(name, scores[before], scores[name])
    sink = panel.find("neuron-sink").locator("[data-cell=sink]")
    last = scores[names[-1]]
    extra = [float(sink.get_attribute("data-value") or "nan")] if sink.count() else []
    powers = np.exp(np.array([*last, *extra]) - np.max([*last, *extra]))
    weights = np.array(list(column(panel, "weight").values()))
    np.testing.assert_allclose(powers[: len(row)] / powers.sum(), weights, atol=1e-5, rtol=0)
    # Computed for one query and for a whole head: the last bits may differ.
    np.testing.assert_allclose(weights, row, rtol=5e-6, atol=1e-9)
    return names


def follows(name: str, before: NDArray[Any], after: NDArray[Any]) -> None:
    """A term does to the scores what its name says."""
    if name == "scale":
        factor = after[0] / before[0]
        np.testing.assert_allclose(before * factor, after, rtol=1e-4, atol=1e-6)
    elif name == "softcap":
        np.testing.assert_allclose(2 * np.tanh(before / 2), after, rtol=1e-4, atol=1e-5)
    elif name in ("mask", "causal", "window"):
        hidden = after < -1e30
        np.testing.assert_allclose(after[~hidden], before[~hidden], rtol=1e-5, atol=1e-6)
    else:
        assert name == "bias", name


def products(panel: Panel) -> NDArray[Any]:
    """The sum of q × k over all dimensions, each of them read where the view prints it."""
    said = panel.page.locator("[data-strip=q]").get_attribute("aria-label") or ""
    total: Any = 0
    for dimension in range(int(said.split()[0])):
        panel.page.evaluate("i => void (lab.state.selection.dimension.value = i)", dimension)
        panel.page.wait_for_selector(f'[role=columnheader]:text-is("q×k[{dimension}]")')
        total = total + np.array(list(column(panel, "product").values()))
    panel.page.evaluate("lab.state.selection.dimension.value = null")
    panel.page.wait_for_selector("[role=columnheader]:text('q×k[')", state="detached")
    return total


# --- tiny models of every kind ------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("specimen", TINY, ids=lambda specimen: specimen.name)
def test_every_view_shows_the_weights_of_the_model(serve: Serve, specimen: Specimen) -> None:
    panel, trace = shown(serve, specimen)
    table = Colors(panel)
    for site in trace.sites:
        thumbnails_are(panel, trace, site.index, table)
        head = (site.index + 1) % site.heads
        weights = trace.head(site.index, head)
        look(panel, site.index, head)
        matrix_is(panel, weights, table)
        for query in sorted({site.queries // 2, site.queries - 1}):
            ask(panel, query)
            came(panel, query)
            prints(panel, weights[query])
            if not np.isnan(weights[query]).any():
                adds_up(panel, weights[query], whole=site.index == 0)


@pytest.mark.filterwarnings("ignore")
def test_layers_without_attention_are_gaps_with_their_true_numbers(serve: Serve) -> None:
    panel, _ = shown(serve, BY_NAME["granitemoehybrid"])
    labels = panel.page.locator(".attnlab-layer-label").all_inner_texts()
    assert labels == ["0", "1", "2", "3", "4", "5"]
    gaps = panel.page.locator(".attnlab-gap")
    assert gaps.locator(".attnlab-layer-label").all_inner_texts() == ["0", "2", "3", "5"]
    assert set(gaps.locator("[role=gridcell]").all_inner_texts()) == {"no attention"}
    assert panel.find("layer-picker").locator("option").all_inner_texts() == ["1", "4"]


@pytest.mark.filterwarnings("ignore")
def test_the_weight_of_a_learned_sink_is_shown_in_the_head_and_neuron_views(serve: Serve) -> None:
    panel, trace = shown(serve, BY_NAME["gpt_oss"])
    for site in (0, 1):
        rests = 1 - np.array([trace.head(site, head).sum(-1) for head in range(4)])[:, 4:]
        head, query = (int(place) for place in np.unravel_index(rests.argmax(), rests.shape))
        rest = rests[head, query]
        assert rest > 0.01
        query += 4
        look(panel, site, head)
        ask(panel, query)
        came(panel, query)
        for row in (panel.find("sink"), panel.find("neuron-sink").locator("[data-cell=weight]")):
            assert float(row.get_attribute("data-value") or 0) == pytest.approx(rest, abs=1e-6)
            assert float(row.locator(".attnlab-number").inner_text()) == pytest.approx(
                rest, rel=0.02
            )


@pytest.mark.filterwarnings("ignore")
def test_encoder_decoder_and_cross_attention_are_picked_and_each_has_its_tokens(
    serve: Serve,
) -> None:
    panel, trace = shown(serve, BY_NAME["t5"])
    stacks = panel.find("stack").locator("option").all_inner_texts()
    assert sorted(stacks) == ["Cross-attention", "Decoder", "Encoder"]
    depths: list[tuple[str, Kind, list[str]]] = [
        ("Encoder", "encoder", ["0"]),
        ("Decoder", "decoder", ["0", "1", "2"]),
        ("Cross-attention", "cross", ["0", "1", "2"]),
    ]
    for stack, kind, layers in depths:
        panel.find("stack").select_option(label=stack)
        assert panel.find("layer-picker").locator("option").all_inner_texts() == layers
        panel.find("layer-picker").select_option(label=layers[-1])
        panel.find("head-picker").select_option(label="3")
        panel.frame()
        panel.exact()
        site = trace.site(int(layers[-1]), kind=kind)
        assert panel.find("head-query").count() == site.queries
        assert panel.find("head-key").count() == site.keys
        ask(panel, 1)
        prints(panel, trace.head(site.index, 3)[1])


@pytest.mark.filterwarnings("ignore")
def test_weights_that_are_not_numbers_are_shown_as_that(serve: Serve) -> None:
    specimen = interface("llama", "LlamaForCausalLM", left(), "queries that see no key")
    panel, trace = shown(serve, specimen)
    weights = trace.head(1, 0)
    # Padding on the left: what comes before the text may attend to nothing.
    assert np.isnan(weights).any(-1).tolist() == [True] * 3 + [False] * 6
    table = Colors(panel)
    look(panel, 1, 0)
    matrix_is(panel, weights, table)
    thumbnails_are(panel, trace, 1, table)
    for query in (2, 5):
        ask(panel, query)
        came(panel, query)
        prints(panel, weights[query])
    adds_up(panel, weights[5])


@pytest.mark.filterwarnings("ignore")
def test_a_model_whose_numbers_are_broken_is_shown_as_broken(serve: Serve) -> None:
    specimen = interface("llama", "LlamaForCausalLM", text(8, 1), "a token without a meaning")
    model: Any = specimen.make(None)
    given = specimen.inputs(model)
    model.model.embed_tokens.weight.data[given["input_ids"][0, 5]] = math.nan
    panel, kernel = serve()
    trace = kernel.run(lambda: model(**given))
    panel.exact()
    assert np.isnan(trace.head(1, 0)).all()
    look(panel, 1, 0)
    matrix_is(panel, trace.head(1, 0), Colors(panel))
    ask(panel, 7)
    came(panel, 7)
    assert set(panel.find("weight").all_inner_texts()) == {"NaN"}
    assert set(panel.page.locator("[data-cell=weight] .attnlab-number").all_inner_texts()) == {
        "NaN"
    }


def test_one_token_attends_to_itself_in_every_view(serve: Serve) -> None:
    panel, _ = shown(serve, BY_NAME["llama"])
    assert "1 token" in panel.page.locator("header").inner_text()
    ask(panel, 0)
    came(panel, 0)
    assert panel.find("weight", 0).inner_text() == "1.000"
    assert column(panel, "weight") == {0: 1.0}


# --- real and long ones -------------------------------------------------------------------


def eager(path: Any, kind: Any, given: Any) -> list[Weights]:
    """What an eager copy of a model returns as its attention."""
    with torch.no_grad():
        copy = kind.from_pretrained(path, attn_implementation="eager")
        return [layer[0].numpy() for layer in copy(**given, output_attentions=True).attentions]


def of_real(serve: Serve, path: Any, kind: Any, words: str) -> tuple[Panel, Trace]:
    """Run an installed model on a text, and compare it with its eager copy."""
    panel, kernel = serve()
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    model = kind.from_pretrained(path)
    given = tokenizer(words, return_tensors="pt")
    names = {"tokenizer": tokenizer, "model": model}
    trace = kernel.run(lambda: model(**tokenizer(words, return_tensors="pt")), names)
    same(trace, eager(path, kind, given))
    panel.exact()
    return panel, trace


def test_minilm_is_shown_correctly(serve: Serve, minilm_path: Any) -> None:
    words = "The quick brown fox jumps over the lazy dog."
    panel, trace = of_real(serve, minilm_path, transformers.AutoModel, words)
    table = Colors(panel)
    assert panel.find("token").all_inner_texts()[:4] == ["[CLS]", "the", "quick", "brown"]
    assert panel.find("thumb").count() == 72
    for site in range(6):
        thumbnails_are(panel, trace, site, table)
    for site, head, query in ((0, 0, 4), (5, 11, 7)):
        weights = trace.head(site, head)
        look(panel, site, head)
        matrix_is(panel, weights, table)
        ask(panel, query)
        came(panel, query)
        prints(panel, weights[query])
        assert adds_up(panel, weights[query], whole=True) == ["q·k", "scale"]


def test_smollm2_is_shown_with_its_heads_in_groups(serve: Serve, smollm_path: Any) -> None:
    words = "Alice gave Bob the old book, and then Bob gave Alice the new one."
    panel, trace = of_real(serve, smollm_path, transformers.AutoModelForCausalLM, words)
    table = Colors(panel)
    assert "30" in panel.page.locator(".attnlab-model-title").inner_text()
    lefts = [panel.thumb(0, head).evaluate("e => parseFloat(e.style.left)") for head in range(9)]
    gaps = np.diff(lefts)
    assert gaps[[2, 5]].min() > gaps[[0, 1, 3, 4, 6, 7]].max()
    for site in (0, 13, 29):
        thumbnails_are(panel, trace, site, table)
    for site, head, query in ((0, 4, 9), (29, 8, 15)):
        weights = trace.head(site, head)
        look(panel, site, head)
        matrix_is(panel, weights, table)
        ask(panel, query)
        came(panel, query)
        prints(panel, weights[query])
        adds_up(panel, weights[query])


LONG = 4096


def test_with_4096_tokens_the_page_is_small_and_every_weight_is_reachable(serve: Serve) -> None:
    specimen = interface(
        "llama", "LlamaForCausalLM", {"input_ids": ids(1, LONG)}, "long",
        num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
        max_position_embeddings=LONG,
    )  # fmt: skip
    panel, kernel = serve()
    model = specimen.make(None)
    trace = kernel.run(lambda: model(**specimen.inputs(model)))
    panel.exact()
    truth = specimen.truth[0][0].numpy()
    assert panel.page.locator("#panel *").count() < 3000
    look(panel, 0, 1)
    panel.page.locator(".attnlab-queries").focus()
    with kernel.silent():
        panel.page.keyboard.press("End")
        panel.find("weight", LONG - 1).wait_for()
        said = panel.find("weight").all_inner_texts()
        assert any("≈" in text for text in said)
    panel.page.wait_for_function(
        """() => [...document.querySelectorAll('[data-testid=attnlab-weight]')]
             .every(e => e.dataset.exact === 'true')"""
    )
    assert not any("≈" in text for text in panel.find("weight").all_inner_texts())
    read = panel.printed()
    assert 20 < len(read) < 300
    actual = trace.row(0, LONG - 1)[1]
    for key, weight in read.items():
        assert weight == actual[key]
        assert weight == pytest.approx(truth[1, LONG - 1, key], abs=2e-5)
    panel.page.keyboard.press("Enter")
    came(panel, LONG - 1)
    assert panel.page.locator("#panel *").count() < 3000
    weights = column(panel, "weight")
    for key, weight in weights.items():
        assert weight == pytest.approx(actual[key], rel=5e-6)
    # As small as this a pixel shows more weights than one of the tile that holds all of them.
    panel.page.set_viewport_size({"width": 320, "height": 800})
    matrix(panel)
    drawn = panel.find("matrix-canvas").bounding_box()
    assert drawn is not None
    assert drawn["height"] < tiles.TILE
