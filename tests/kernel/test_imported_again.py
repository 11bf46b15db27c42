"""However often attnlab is imported, a kernel has one backend."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.conftest import LOAD, Kernel

AGAIN = {
    "reload": "import importlib, attnlab.widget, attnlab.inline\n"
    "importlib.reload(attnlab.widget); importlib.reload(attnlab.inline)",
    "import of the widget": "import sys\ndel sys.modules['attnlab.widget']\nimport attnlab.widget",
    "import of all": "import sys\n"
    "for name in [own for own in sys.modules if own.partition('.')[0] == 'attnlab']:\n"
    "    del sys.modules[name]\n"
    "import attnlab.widget",
}
HANDLERS = (
    "{name: sum(getattr(own, '__module__', '').startswith('attnlab') for own in callbacks)"
    " for name, callbacks in get_ipython().events.callbacks.items()}"
)
COMMS = "len(get_ipython().kernel.comm_manager.comms)"


@pytest.mark.parametrize("way", AGAIN)
def test_a_second_import_makes_no_second_backend(
    fresh: Kernel, way: str, minilm_path: Path
) -> None:
    started = fresh.start()
    fresh.attach()
    fresh.run(LOAD.format(path=str(minilm_path)))
    fresh.watched("model(**inputs)")
    fresh.run("import attnlab\nshown = attnlab.show()")
    before = fresh.value(HANDLERS), fresh.value(COMMS)
    for _ in range(2):
        assert fresh.run(AGAIN[way]).reply["status"] == "ok"
        assert fresh.start() == started
    assert (fresh.value(HANDLERS), fresh.value(COMMS)) == before
    ran = fresh.watched("out = model(**inputs)", cell="def")
    assert len(ran.traces) == 1
    assert ran.problems == []
    fresh.run("import attnlab\nagain = attnlab.show()")
    assert fresh.value("again is shown")
    assert fresh.value("attnlab.current().model") == "BertModel"
    assert (fresh.value(HANDLERS), fresh.value(COMMS)) == before
