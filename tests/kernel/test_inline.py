"""The inline view: one model that names the hub, made when it is shown, with a trace or without."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import attnlab
from tests.kernel.conftest import Kernel

STATIC = Path(attnlab.__file__).parent / "static"
WIDGET = "application/vnd.jupyter.widget-view+json"


def opened(kernel: Kernel, name: str) -> list[dict[str, Any]]:
    """What comes with each widget model of this class that the kernel has opened."""
    opened = [m["content"] for m in kernel.iopub if m["msg_type"] == "comm_open"]
    states = [(content["comm_id"], content["data"].get("state", {})) for content in opened]
    return [s | {"id": id_} for id_, s in states if s.get("_anywidget_id") == f"attnlab.{name}"]


def test_the_hub_has_no_script(kernel: Kernel) -> None:
    (hub,) = opened(kernel, "widget.Hub")
    assert hub["_esm"] == "export default {};"
    assert "_css" not in hub


def test_the_views_script_and_styles_are_whole_and_load_nothing() -> None:
    script = (STATIC / "inline.js").read_text(encoding="utf-8")
    assert re.findall(r"export\s*\{[^}]*\}", script)
    loads = r"\bimport\b|\brequire\(|\bfetch\(|\bXMLHttpRequest\b|\bnew Worker\b|sourceMappingURL"
    assert re.findall(loads, script) == []
    # Namespaces of SVG and MathML, by which elements are made, are names and no addresses.
    addresses = set(re.findall(r"\w+://[^\s\"'`]+", script))
    assert {address for address in addresses if "://www.w3.org/" not in address} == set()
    styles = (STATIC / "inline.css").read_text(encoding="utf-8")
    assert re.findall(r"@import|url\(", styles) == []


def test_the_view_is_made_when_it_is_shown_once_and_names_the_hub(fresh: Kernel) -> None:
    fresh.start()
    assert opened(fresh, "inline.Inline") == []
    shown = [fresh.run("import attnlab\nattnlab.show()") for _ in range(3)]
    (view,) = opened(fresh, "inline.Inline")
    assert (view["hub"], view["cell"]) == (fresh.hub, None)
    assert view["_esm"] == (STATIC / "inline.js").read_text(encoding="utf-8")
    assert view["_css"] == (STATIC / "inline.css").read_text(encoding="utf-8")
    for ran in shown:
        (output,) = (m for m in ran.outputs if m["msg_type"] == "execute_result")
        data = output["content"]["data"]
        assert data[WIDGET]["model_id"] == view["id"]
        assert "run the cell" in data["text/plain"]
    fresh.run("import ipywidgets; ipywidgets.Widget.close_all()")
    fresh.run("attnlab.show()")
    assert len(opened(fresh, "inline.Inline")) == 2


def test_a_recorded_block_is_handed_to_the_panels_from_a_cell_without_tag(
    kernel: Kernel,
) -> None:
    since = kernel.revision
    cell = "import attnlab\nwith attnlab.record(model, tokenizer) as mine:\n    model(**inputs)\n"
    ran = kernel.run(cell + "attnlab.show(mine);", cell="of-the-block")
    assert ran.reply["status"] == "ok", ran.reply
    kernel.wait(lambda: any("trace" in push for push in kernel.pushes(since)))
    (trace,) = (push["trace"] for push in kernel.pushes(since) if "trace" in push)
    assert (trace["cell"], trace["model"]) == ("of-the-block", "BertModel")
    where = {"item": 0, "site": 2, "head": 5}
    result, buffers = kernel.ask("trace/head", {"trace": trace["id"], **where})
    head = bytes(buffers[result["buffer"]])
    assert kernel.value("mine.weights(layer=2, head=5).tobytes().hex()") == head.hex()
    (view,) = (view for view in opened(kernel, "inline.Inline") if view["cell"])
    assert view["cell"] == "of-the-block"
    # It is held now: handing it over again makes no other one of it.
    before = kernel.revision
    assert kernel.run("attnlab.show(attnlab.current());").reply["status"] == "ok"
    assert kernel.revision == before


def test_a_watched_model_is_seen_without_tag(kernel: Kernel) -> None:
    kernel.run("import attnlab\nattnlab.watch(model, tokenizer)")
    try:
        watched = kernel.watched("model(**inputs)\nattnlab.show()", tags=[])
        assert [trace["model"] for trace in watched.traces] == ["BertModel"]
        assert watched.problems == []
        handed = kernel.watched(
            "with attnlab.record(model) as one:\n    model(**inputs)\nattnlab.show(one);", tags=[]
        )
        assert handed.problems == []
    finally:
        kernel.run("attnlab.unwatch()")


def test_what_cannot_be_shown_is_reported(kernel: Kernel) -> None:
    for code, error, said in (
        ("attnlab.show(model)", "TypeError", "not BertModel"),
        ("with attnlab.record(model) as none: pass\nattnlab.show(none)", "NotRecorded", "nothing"),
    ):
        reply = kernel.run(f"import attnlab\n{code}").reply
        assert reply["status"] == "error"
        assert error in reply["ename"]
        assert said in reply["evalue"]


def test_show_outside_a_notebook_names_the_alternative() -> None:
    with pytest.raises(RuntimeError, match=r"attnlab\.record"):
        attnlab.show()


def test_a_checkout_without_built_files_reports_that(fresh: Kernel) -> None:
    hide = "import pathlib\npathlib.Path.is_file = lambda path: path.name != 'inline.js'"
    reply = fresh.run(f"{hide}\nimport attnlab\nattnlab.show()").reply
    assert reply["ename"] == "RuntimeError"
    assert "attnlab/static/inline.js" in reply["evalue"]
