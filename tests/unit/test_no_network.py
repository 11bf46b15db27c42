"""What attnlab computes in a kernel opens no connection and looks no name up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_recording_and_reading_attention_asks_no_network(minilm_path: Path) -> None:
    code = f"""
import sys
from transformers import AutoModel, AutoTokenizer

name = {str(minilm_path)!r}
tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=True)
model = AutoModel.from_pretrained(name, local_files_only=True)

asked = []

def hear(event, arguments):
    if event.startswith(("socket.", "urllib.", "http.client", "ftplib.", "smtplib.")):
        asked.append((event, arguments))

sys.addaudithook(hear)
import attnlab

trace = attnlab.trace(model, tokenizer, "The cat sat on the mat.")
trace.weights(layer=0, head=0)
trace.heads()
with attnlab.record(model, tokenizer) as recorded:
    model(**tokenizer(["One.", "Another one."], padding=True, return_tensors="pt"))
recorded.weights(layer=1, head=2)
assert not asked, asked

import socket
socket.socket()
assert asked
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
