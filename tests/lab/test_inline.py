"""The panel as a cell's output, in a JupyterLab whose attnlab extension is disabled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.lab.jupyter import Server, jupyterlab
from tests.lab.lab import PATIENCE, Lab
from tests.lab.shared import SharedPage

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
    cells: list[dict[str, Any]] = [
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, minilm_path: Path) -> Iterator[Server]:
    """A JupyterLab without the extension, which saves the state of all widgets."""
    saving = {"@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True}}
    home = tmp_path_factory.mktemp("inline")
    with jupyterlab(home, minilm_path, without=("attnlab",), settings=saving) as running:
        yield running


@pytest.fixture(scope="module")
def worker_page(browser: Browser, server: Server) -> Iterator[SharedPage]:
    """A page of this server and its kernel."""
    shared = SharedPage(browser, server)
    yield shared
    shared.discard()


@pytest.fixture
def lab(shared_page: SharedPage, server: Server, request: pytest.FixtureRequest) -> Lab:
    """A new notebook in the page that the tests of this module share."""
    path = server.folder / f"{request.node.name[:40]}.ipynb"
    write(path)
    lab = shared_page.open(path.name)
    lab.where = ".attnlab-inline"
    return lab


def test_without_the_extension_a_cell_shows_the_panel_with_the_models_weights(
    lab: Lab, oracle: Callable[[str], list[list[list[list[float]]]]]
) -> None:
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
    lab.says("The kernel was restarted; run the cell again.")
    lab.run(SHOW, wait=False)
    expect(lab.panel).to_have_count(0, timeout=PATIENCE)


def test_a_notebook_that_saves_widgets_has_neither_script_nor_attention_of_attnlab(
    lab: Lab, server: Server, request: pytest.FixtureRequest
) -> None:
    lab.run(LOAD)
    lab.run(SHOW)
    lab.sees_tokens(11)
    lab.focus(layer=3, head=7)
    lab.one("token", index=4).click()
    expect(lab.one("weight")).to_have_count(11)
    lab.save()
    saved = json.loads((server.folder / f"{request.node.name[:40]}.ipynb").read_text())
    (widgets,) = saved["metadata"]["widgets"].values()
    states = [model["state"] for model in widgets["state"].values()]
    found = [state for state in states if state.get("_anywidget_id", "").startswith("attnlab.")]
    assert {state["_anywidget_id"] for state in found} == {
        "attnlab.widget.Hub",
        "attnlab.inline.Inline",
    }
    for state in found:
        assert state["_esm"] == "export default {};"
        assert not state.get("_css")
        kept = {name for name in state if not name.startswith("_")}
        assert kept <= {"session", "state", "hub", "cell", "layout"}
        assert len(json.dumps(state)) < 1000
    # The output names the view, and has a text for programs that draw no widgets.
    (output,) = saved["cells"][SHOW]["outputs"]
    assert output["data"].keys() == {"application/vnd.jupyter.widget-view+json", "text/plain"}
