"""Everything that BertViz 1.4.1 lets a person do, driven in attnlab.

`TABLE` has a row for each handler and menu of BertViz's `head_view.js`, `model_view.js` and
`neuron_view.js`, and for each argument of `head_view()`, `model_view()` and `show()` that says
what is seen first (one that several views have stands once, unless they differ): the view, what
a person does in BertViz, what they do here; the row's test says what is then seen. Three
differences run through it. The views are one panel, so that a thing is done once for all of
them. What BertViz wants as an argument before it draws is here chosen while looking, by a
control or from Python through `attnlab.selection`. And attention is recorded rather than passed
in, so that the arguments `attention`, `tokens`, `encoder_attention`, `decoder_attention`,
`cross_attention`, `encoder_tokens`, `decoder_tokens`, `model`, `model_type`, `tokenizer`,
`sentence_a` and `sentence_b` are the tagged cell's own. Out of a browser's reach is only
`html_action='return'`, which hands HTML to Python.
"""

from __future__ import annotations

import pytest

from tests.web.bertviz import head_view, model_view, neuron_view  # noqa: F401 - add their rows
from tests.web.bertviz.table import TABLE, Row
from tests.web.panel import Panel


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_every_feature_of_bertviz_has_a_counterpart(tall_panel: Panel, row: Row) -> None:
    row.drive(tall_panel)


def test_each_row_of_the_table_is_unique_and_complete() -> None:
    assert len({str(row) for row in TABLE}) == len(TABLE)
    assert all(row.in_bertviz and row.here and row.seen for row in TABLE)
