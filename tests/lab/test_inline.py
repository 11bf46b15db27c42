"""The panel as a cell's output, in a JupyterLab whose attnlab extension is disabled."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.lab.jupyter import jupyterlab
from tests.lab.lab import PATIENCE, Lab

TEXT = "the quick brown fox jumps over the lazy dog"
LOAD, SHOW = 0, 1


def write(path: Path) -> None:
    """Write a notebook of somebody who has never tagged a cell."""
    load = (
        "import os, attnlab\n"
        "from transformers import AutoModel, AutoTokenizer\n"
        "name = os.environ['ATTNLAB_MODEL']\n"
        "tokenizer, model = AutoTokenizer.from_pretrained(name), AutoModel.from_pretrained(name)"
    )
    show = (
        "with attnlab.record(model, tokenizer) as trace:\n"
        f"    model(**tokenizer({TEXT!r}, return_tensors='pt'))\n"
        "attnlab.show(trace)"
    )
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate((load, show))
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}}
    path.write_text(json.dumps(notebook | {"nbformat": 4, "nbformat_minor": 5}))


def test_without_the_extension_a_cell_shows_the_panel_with_the_models_own_weights(
    browser: Browser,
    tmp_path: Path,
    minilm_path: Path,
    oracle: Callable[[str], list[list[list[list[float]]]]],
) -> None:
    with jupyterlab(tmp_path, minilm_path, without=("attnlab",)) as server:
        write(server.folder / "inline.ipynb")
        context = browser.new_context(viewport={"width": 1200, "height": 1000})
        lab = Lab(context.new_page(), server.url, "inline.ipynb").open()
        lab.where = ".attnlab-inline"
        assert not lab.page.evaluate("window.jupyterapp.commands.hasCommand('attnlab:show-panel')")
        lab.run(LOAD)
        lab.run(SHOW)
        lab.sees_tokens(11)
        expect(lab.one("tag-cell")).to_have_count(0)
        lab.focus(layer=3, head=7)
        lab.one("token", index=4).click()
        expect(lab.one("weight")).to_have_count(11)
        expected = oracle(TEXT)[3][7][4]
        assert lab.weights() == pytest.approx(expected, abs=2e-5)
        # Keys that the panel does not know stay with it: in JupyterLab two d's delete a cell.
        lab.page.keyboard.press("d")
        lab.page.keyboard.press("d")
        assert lab.notebook("panel.content.widgets.length") == 2
        bar = lab.panel.get_by_role("separator", name="Height of the view")
        before = lab.panel.bounding_box()
        bar.press("ArrowDown")
        after = lab.panel.bounding_box()
        assert before
        assert after
        assert after["height"] == before["height"] + 24
        # Python speaks of this panel as of any other.
        asked = lab.add("print(attnlab.selection.layer, attnlab.selection.head)")
        lab.run(asked)
        assert lab.output(asked).split() == ["3", "7"]
        lab.restart()
        lab.says("Kernel restarted, run the cell again.")
        lab.run(SHOW, wait=False)
        expect(lab.panel).to_have_count(0, timeout=PATIENCE)
        context.close()
