"""Runs the tests of what runs in jupyter-server, in a process of their own.

The event loop of a jupyter-server and that of the browser's driver cannot run in one thread.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).with_name("websockets.py")


def test_kernel_websockets_send_at_once():
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout
