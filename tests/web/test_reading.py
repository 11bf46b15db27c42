"""What is shown of a head by words and without special tokens: the same in strip and lines."""

from __future__ import annotations

import pytest

from tests.web.panel import Panel

WORDS = ["[CLS]", "un", "##believ", "##able", "cats", "purr", "##ing", "now", "[SEP]"]
STARTS = {1: (1, 2, 3), 4: (4,), 5: (5, 6), 7: (7,)}
"""First token of each word → its tokens."""
N = len(WORDS)


def tints(panel: Panel) -> dict[int, float]:
    """Token → the weight that its background in the strip shows."""
    script = """all => all.filter(e => e.dataset.tinted)
      .map(e => [Number(e.dataset.index), e.style.getPropertyValue('--attnlab-weight')])"""
    return {i: float(weight) for i, weight in panel.find("token").evaluate_all(script)}


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("hidden", [False, True])
def test_the_strip_shows_the_weights_that_the_head_view_prints(
    panel: Panel, words: bool, hidden: bool
) -> None:
    panel.show(WORDS)
    panel.page.evaluate(
        """([words, hidden]) => {
          lab.state.display.words.value = words;
          lab.state.display.hideSpecial.value = hidden;
        }""",
        [words, hidden],
    )
    panel.find("token", 2).hover()
    panel.frame()
    weights = panel.weights(0, 0)
    keys = [k for k in range(N) if not (hidden and WORDS[k].startswith("["))]
    word = {token: tokens for tokens in STARTS.values() for token in tokens} if words else {}

    def share(key: int) -> float:
        """What the word of the second token gives to the word of a key."""
        queries = word.get(2, (2,))
        rows = [[weights[q * N + k] for k in range(N)] for q in queries]
        return sum(
            sum(row[k] for k in word.get(key, (key,))) / sum(row[k] for k in keys) for row in rows
        ) / len(rows)

    expected = {key: share(key) for key in keys}
    assert tints(panel) == pytest.approx(expected, abs=0.0006)
    printed = panel.printed()
    assert printed == pytest.approx({key: expected[key] for key in printed}, rel=1e-4)
    assert set(printed) == {word.get(key, (key,))[0] for key in keys}
    assert panel.find("renormalized").count() == int(hidden)
