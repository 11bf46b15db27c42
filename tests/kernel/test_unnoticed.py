"""Cells with and without attnlab: whatever they show and leave behind is the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.cells import CELLS, SETUP
from tests.kernel.conftest import Kernel

WITNESS = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import witness
witness.install()
"""

SEEN = ("stdout", "stderr", "error", "results")


@dataclass
class Noticed:
    """What a person sees of a cell, and what a later cell could see."""

    seen: dict[str, Any]
    left: dict[str, Any]


def noticed(kernel: Kernel, code: str, tags: tuple[str, ...]) -> Noticed:
    kernel.value("witness.fresh()")
    ran = kernel.run(code, tags)
    seen: dict[str, Any] = dict.fromkeys(SEEN, "") | {"results": []}
    for message in ran.outputs:
        content = message["content"]
        if message["msg_type"] == "stream":
            seen[content["name"]] += content["text"]
        elif message["msg_type"] == "error":
            seen["error"] = "\n".join(content["traceback"])
        else:
            seen["results"].append(content["data"])
    seen["status"] = ran.reply["status"]
    return Noticed(_anonymous(seen), _anonymous(kernel.value("witness.left()")))


def _anonymous(noted: dict[str, Any]) -> Any:
    """Leave out the number of the kernel's process, after which the files of cells are named."""
    return json.loads(re.sub(r"ipykernel_\d+", "ipykernel", json.dumps(noted)))


def all_cells(kernel: Kernel, tags: tuple[str, ...]) -> dict[str, Noticed]:
    ran = kernel.run(SETUP)
    assert ran.reply["status"] == "ok", "\n".join(ran.reply["traceback"])
    kernel.run(WITNESS)
    return {title: noticed(kernel, code, tags) for title, code in CELLS.items()}


@pytest.fixture(scope="module")
def plain() -> Iterator[dict[str, Noticed]]:
    kernel = Kernel()
    yield all_cells(kernel, ())
    assert not kernel.value("[name for name in __import__('sys').modules if 'attnlab' in name]")
    kernel.close()


@pytest.fixture(scope="module")
def observed() -> Iterator[dict[str, Noticed]]:
    kernel = Kernel()
    kernel.start()
    kernel.attach()
    yield all_cells(kernel, ("attention",))
    assert any("trace" in push for push in kernel.pushes())
    kernel.close()


@pytest.mark.parametrize("title", CELLS)
def test_a_cell_shows_the_same_with_and_without_attnlab(
    title: str, plain: dict[str, Noticed], observed: dict[str, Noticed]
) -> None:
    for name, value in plain[title].seen.items():
        assert observed[title].seen[name] == value, name


@pytest.mark.parametrize("title", CELLS)
def test_a_cell_leaves_the_same_state_with_and_without_attnlab(
    title: str, plain: dict[str, Noticed], observed: dict[str, Noticed]
) -> None:
    for name, value in plain[title].left.items():
        assert observed[title].left[name] == value, name


def test_an_error_inside_attnlab_shows_in_the_panel_and_not_in_the_cell(fresh: Kernel) -> None:
    fresh.start()
    fresh.attach()
    fresh.run(SETUP)
    fresh.run(
        """
import attnlab.capture.reading.layer_positions as places
def fail(self, calls): raise RuntimeError("a fault of attnlab")
places.LayerPositions.of = fail
handler = logging.StreamHandler(sys.stdout)
logging.getLogger().addHandler(handler)
"""
    )
    watched = fresh.watched("out = bert(**inputs)")
    assert watched.ran.reply["status"] == "ok"
    assert watched.ran.text == ""
    assert "a fault of attnlab" in json.dumps(watched.problems)
