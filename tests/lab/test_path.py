"""The path of a person: open, run, see; edit, rerun; reload, restart, close and open again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.lab.jupyter import Server
from tests.lab.lab import Lab
from tests.lab.quickstart import (
    CELL,
    FOX,
    FOX_TOKENS,
    PAIR,
    SETUP,
    cell_with,
    run_sentence,
    sentence_runs,
)

OpenLab = Callable[..., Lab]
Oracle = Callable[[str], list[list[list[list[float]]]]]


@pytest.mark.parametrize("kernel", ["python3", "ipykernel6"])
def test_the_panel_prints_the_weights_of_an_eager_forward_pass(
    open_shared: OpenLab, oracle: Oracle, kernel: str
) -> None:
    page = run_sentence(open_shared(kernel))
    assert page.tokens() == FOX_TOKENS
    expect(page.one("thumb")).to_have_count(72)
    truth = oracle(FOX)
    for layer, head, query in [(3, 7, 8), (0, 0, 0), (5, 11, 10)]:
        page.focus(layer, head)
        page.one("token", index=query).click()
        assert page.weights() == pytest.approx(truth[layer][head][query], abs=2e-6)
        page.page.keyboard.press("Escape")


def test_hovering_a_token_marks_it_everywhere_and_prints_its_weights(
    shared: Lab, oracle: Oracle
) -> None:
    page = run_sentence(shared)
    page.focus(2, 4)
    page.point("token", 3)
    assert page.weights() == pytest.approx(oracle(FOX)[2][4][3], abs=2e-6)
    page.point("head-query", 5)
    assert page.weights() == pytest.approx(oracle(FOX)[2][4][5], abs=2e-6)


def test_an_edited_text_redraws_and_keeps_the_selection(shared: Lab, oracle: Oracle) -> None:
    page = run_sentence(shared)
    page.focus(4, 2)
    page.one("token", index=4).click()
    page.write(CELL, cell_with("attention is all you need"))
    page.run(CELL)
    page.sees_tokens(7)
    expect(page.one("thumb", site=4, head=2)).to_have_attribute("aria-selected", "true")
    assert page.weights() == pytest.approx(oracle("attention is all you need")[4][2][4], abs=2e-6)


def test_a_reload_restores_trace_and_selection(new_page: OpenLab, oracle: Oracle) -> None:
    page = sentence_runs(new_page())
    page.focus(3, 7)
    page.one("token", index=8).click()
    page.stored(site=3, head=7, query=8)
    page.open()
    page.sees_tokens(11)
    expect(page.one("thumb", site=3, head=7)).to_have_attribute("aria-selected", "true")
    assert page.weights() == pytest.approx(oracle(FOX)[3][7][8], abs=2e-6)


def test_closing_and_opening_the_notebook_restores_the_trace(shared: Lab) -> None:
    page = run_sentence(shared)
    page.save()
    page.do("application:close")
    page.do("docmanager:open", {"path": page.name})
    page.sees_tokens(11)


def test_after_a_restart_the_panel_asks_to_run_the_cell_and_then_works(shared: Lab) -> None:
    page = run_sentence(shared)
    page.restart()
    page.says("The kernel was restarted; run the cell again")
    page.run(SETUP)
    page.write(CELL, cell_with("one two three"))
    page.run(CELL)
    page.sees_tokens(5)


def test_the_first_run_is_not_missed_in_run_all(open_fresh: OpenLab) -> None:
    page = open_fresh()
    page.run_all()
    page.sees_tokens(17)  # the pair, which ran last


def test_a_cell_that_imports_and_runs_in_one_is_not_missed(open_fresh: OpenLab) -> None:
    page = open_fresh()
    load = page.notebook("panel.content.widgets[1].model.sharedModel.getSource()")
    page.write(CELL, load + "\n" + cell_with("all in one"))
    page.run(CELL)
    page.sees_tokens(5)


def test_the_panel_follows_the_cell_that_ran_last_unless_one_is_pinned(shared: Lab) -> None:
    page = run_sentence(shared)
    page.run(PAIR)
    page.sees_tokens(17)
    page.one("pin").click()
    with page.published():
        page.run(CELL)
    page.sees_tokens(17)
    page.one("pin").click()
    page.sees_tokens(11)


def test_each_model_call_of_a_cell_is_a_trace_and_a_picker_offers_them(shared: Lab) -> None:
    page = run_sentence(shared)
    page.write(CELL, "\n".join(cell_with(t) for t in ("one", "one two", "one two three")))
    page.run(CELL)
    page.sees_tokens(5)
    picker = page.one("picker")
    expect(picker.locator("option")).to_have_count(3)
    picker.select_option(index=0)
    page.sees_tokens(3)


def test_two_notebooks_never_mix_and_the_panel_follows_the_active_one(
    shared: Lab, notebook: Callable[..., str]
) -> None:
    page = run_sentence(shared)
    first = page.name
    second = notebook()
    page.do("docmanager:open", {"path": second})
    page.page.wait_for_function(
        """name => {
             const panel = window.jupyterapp.shell.currentWidget;
             return panel?.context?.path === name
               && panel.sessionContext.session?.kernel?.status === 'idle';
           }""",
        arg=second,
    )
    expect(page.one("token")).to_have_count(0)
    page.run(SETUP)
    page.write(CELL, cell_with("second"))
    page.run(CELL)
    page.sees_tokens(3)
    page.do("docmanager:open", {"path": first})
    page.sees_tokens(11)


def test_two_pages_on_one_notebook_both_show_the_trace(
    shared: Lab, lab: OpenLab, oracle: Oracle
) -> None:
    one = run_sentence(shared)
    two = lab(one.name).open().show_panel()
    two.sees_tokens(11)
    two.focus(1, 1)
    one.focus(5, 5)
    two.one("token", index=2).click()
    one.one("token", index=6).click()
    truth = oracle(FOX)
    assert two.weights() == pytest.approx(truth[1][1][2], abs=2e-6)
    assert one.weights() == pytest.approx(truth[5][5][6], abs=2e-6)


@pytest.mark.parametrize("kernel", ["python3", "ipykernel6"])
def test_while_a_cell_runs_for_long_the_panel_answers(
    open_shared: OpenLab, oracle: Oracle, kernel: str
) -> None:
    page = run_sentence(open_shared(kernel))
    with page.busy():
        page.focus(5, 3)
        page.one("token", index=1).click()
        assert page.weights() == pytest.approx(oracle(FOX)[5][3][1], abs=2e-6)


@pytest.mark.parametrize("kernel", ["python3", "ipykernel6"])
def test_a_page_opened_while_the_kernel_is_busy_gets_the_trace(
    open_shared: OpenLab, lab: OpenLab, kernel: str
) -> None:
    page = run_sentence(open_shared(kernel))
    page.save()
    with page.busy():
        other = lab(page.name).open(idle=False).show_panel()
        other.sees_tokens(11)


def test_opening_a_notebook_imports_nothing(lab: OpenLab) -> None:
    page = lab().open().show_panel()
    page.says("Give a cell")
    probe = page.add("import sys; print([m for m in ('attnlab', 'torch') if m in sys.modules])")
    page.run(probe)
    assert page.output(probe) == "[]\n"


@pytest.mark.parametrize(
    ("package", "remedy"),
    [
        ("attnlab", "pip install 'attnlab[kernel]'"),
        ("torch", "torch"),
        ("transformers", "transformers"),
    ],
)
def test_a_missing_package_is_reported_with_how_to_install_it(
    open_fresh: OpenLab, package: str, remedy: str
) -> None:
    page = open_fresh(f"without-{package}").show_panel()
    page.run(CELL)
    page.says("pip install")
    page.says(remedy)


def test_the_selection_is_read_and_set_from_python(shared: Lab, oracle: Oracle) -> None:
    page = run_sentence(shared)
    page.focus(1, 2)
    page.one("token", index=7).click()
    probe = page.add("import attnlab\nprint(attnlab.selection)")
    page.prints(probe, "Selection(layer=1, head=2, query=7)\n")
    page.write(probe, "attnlab.selection.site = 4\nattnlab.selection.head = 11")
    page.run(probe)
    expect(page.one("thumb", site=4, head=11)).to_have_attribute("aria-selected", "true")
    assert page.weights() == pytest.approx(oracle(FOX)[4][11][7], abs=2e-6)


def test_an_error_in_the_cell_keeps_the_last_trace_and_is_shown(shared: Lab) -> None:
    page = run_sentence(shared)
    page.write(CELL, "import torch\nmodel(torch.tensor([[10**9]]))")
    page.run(CELL)
    page.says("index out of range")
    page.sees_tokens(11)


def test_the_notebook_file_does_not_grow_with_reruns(shared: Lab, server: Server) -> None:
    page = run_sentence(shared)
    file = server.folder / page.name

    def saved() -> dict[str, Any]:
        """What is in the file, but for the counters and times of JupyterLab itself."""
        page.save()
        content: dict[str, Any] = json.loads(Path(file).read_text())
        for cell in content["cells"]:
            cell.get("metadata", {}).pop("execution", None)
            cell.pop("execution_count", None)
        return content

    before = saved()
    assert "application/vnd.jupyter.widget-state+json" not in before["metadata"].get("widgets", {})
    for _ in range(20):
        page.run(CELL)
    assert saved() == before


HOSTILE = (
    "<img src=x onerror=window.hacked=1> </script><script>hacked=1</script> \u202eabc 🙂 \x00 中文"
)


def test_hostile_text_is_shown_as_text(shared: Lab) -> None:
    page = run_sentence(shared)
    page.write(CELL, cell_with(HOSTILE))
    page.run(CELL)
    expect(page.one("token").nth(1)).to_have_text("<")
    assert page.page.evaluate("window.hacked") is None
    assert page.panel.locator("img, script").count() == 0
    name = HOSTILE.replace("\x00", "")  # Python itself refuses NUL in a class's name
    evil = f"class Evil(type(model)): pass\nEvil.__name__ = {name!r}\nmodel.__class__ = Evil"
    page.write(CELL, f"{evil}\n{cell_with('named')}")
    page.run(CELL)
    page.sees_tokens(3)
    page.says("<img src=x onerror=window.hacked=1>")
    page.write(CELL, f"model(input_ids={HOSTILE!r})")
    page.run(CELL)
    page.sees_tokens(3)
    assert page.page.evaluate("window.hacked") is None
    assert page.panel.locator("img, script").count() == 0


def test_no_message_is_sent_and_nothing_starts_without_a_tag(lab: OpenLab) -> None:
    page = lab()
    sent: list[str] = []
    page.page.on(
        "websocket",
        lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))),
    )
    page.open()
    for cell in (CELL, PAIR):
        page.notebook("void panel.content.widgets[arg].model.deleteMetadata('tags')", cell)
    page.run_all()
    assert not [frame for frame in sent if "attnlab" in frame]


def test_the_panel_works_in_notebook_7(new_page: OpenLab) -> None:
    page = new_page(app="notebooks").open()
    page.run(SETUP)
    page.run(CELL)
    page.show_panel()
    page.sees_tokens(11)
    assert page.tokens() == FOX_TOKENS
