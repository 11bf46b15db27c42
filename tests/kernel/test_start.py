"""Starting the backend: silent, light, once."""

from __future__ import annotations

from pathlib import Path

from attnlab.server.messages import PROTOCOL
from tests.kernel.conftest import LOAD, Kernel

BEFORE = "{'in': len(In), 'out': list(Out), 'n': get_ipython().execution_count, 'names': sorted(n for n in globals() if not n.startswith('_i'))}"  # noqa: E501
HEAVY = "[n for n in ('torch', 'transformers', 'numpy') if n in __import__('sys').modules]"


def test_starting_imports_neither_torch_nor_transformers_and_leaves_nothing(fresh: Kernel) -> None:
    fresh.run("1 + 1")
    before = fresh.value(BEFORE)
    started = fresh.start()
    assert fresh.value(BEFORE) == before
    assert fresh.value(HEAVY) == []
    assert started["protocol"] == PROTOCOL
    assert started["missing"] == []
    assert started["busy"]
    assert set(started["busy"]) <= {"control", "subshell"}
    assert fresh.hub == started["session"]
    assert fresh.run("_").result == "2"


def test_starting_again_opens_no_second_hub(fresh: Kernel) -> None:
    first = fresh.start()
    assert fresh.start() == first
    assert sum(message["msg_type"] == "comm_open" for message in fresh.iopub if _hub(message)) == 1


def test_a_hub_that_was_closed_is_opened_again_with_the_same_session(fresh: Kernel) -> None:
    first = fresh.start()
    fresh.run("import ipywidgets; ipywidgets.Widget.close_all()")
    assert fresh.start() == first
    assert sum(m["msg_type"] == "comm_open" for m in fresh.iopub if _hub(m)) == 2
    assert fresh.ask("initialize", {"protocol": PROTOCOL, "client": "t", "capabilities": []})[0]


CLOSE = """
import atexit, threading, time
from attnlab import widget
from attnlab.live.cells.watcher import CellWatcher
backend = widget.started()
backend.endpoint.session.settle()
before = {thread.name for thread in threading.enumerate()}
atexit.unregister(backend.close)
backend.close()
until = time.monotonic() + 10
while "attnlab" in {thread.name for thread in threading.enumerate()} and time.monotonic() < until:
    time.sleep(0.01)
events = get_ipython().events.callbacks
hooks = [it for name in ("pre_run_cell", "post_run_cell") for it in events[name]]
watched = any(isinstance(getattr(it, "__self__", None), CellWatcher) for it in hooks)
("attnlab" in before, "attnlab" in {it.name for it in threading.enumerate()}, watched)
"""


def test_closing_a_backend_removes_its_worker_and_hooks(fresh: Kernel) -> None:
    fresh.start()
    assert fresh.run(CLOSE).result == "(True, False, False)"


def test_an_untagged_cell_causes_no_message_and_no_hook(kernel: Kernel) -> None:
    count = len(kernel.messages())
    hooks = (
        "import torch\nfrom transformers.modeling_utils import AttentionInterface\n"
        "(torch.nn.Module.__call__.__module__, 'get_interface' in vars(AttentionInterface))"
    )
    ran = kernel.run(f"model(**inputs)\n{hooks}", tags=["other"])
    assert ran.reply["status"] == "ok"
    assert "attnlab" not in ran.result
    assert len(kernel.messages()) == count


def test_a_first_tagged_cell_that_imports_transformers_itself_is_not_missed(
    fresh: Kernel, minilm_path: Path
) -> None:
    fresh.start()
    fresh.attach()
    code = LOAD.format(path=str(minilm_path)) + "out = model(**inputs)"
    watched = fresh.watched(code)
    assert watched.ran.reply["status"] == "ok", watched.ran.reply
    assert [trace["model"] for trace in watched.traces] == ["BertModel"]


def _hub(message: dict[str, object]) -> bool:
    return "attnlab.widget.Hub" in str(message["content"])
