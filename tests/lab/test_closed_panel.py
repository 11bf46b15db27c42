"""A closed panel in a real JupyterLab: no message for it, until it opens on the newest run."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.lab.jupyter import Server
from tests.lab.lab import Lab
from tests.lab.quickstart import CELL, SETUP, SOURCE

KIND = re.compile(rb'"msg_type":\s*"(comm_open|comm_msg|comm_close)"')
COMM = re.compile(rb'"comm_id":\s*"([^"]+)"')


class Frames:
    """What the page's websockets have carried for attnlab, in both directions."""

    def __init__(self, page: Any) -> None:
        self._frames: list[bytes] = []
        page.on("websocket", self._listen)

    def _listen(self, socket: Any) -> None:
        if "/channels" in socket.url:
            for event in ("framesent", "framereceived"):
                socket.on(event, self._note)

    def _note(self, frame: str | bytes) -> None:
        self._frames.append(frame.encode() if isinstance(frame, str) else frame)

    @property
    def of_hub(self) -> list[str]:
        """The kinds of the messages of the hub's comm."""
        comms = [
            (kind[1].decode(), comm[1], frame)
            for frame in self._frames
            if (kind := KIND.search(frame)) and (comm := COMM.search(frame))
        ]
        hub = next(comm for _, comm, frame in comms if b"attnlab.widget.Hub" in frame)
        return [kind for kind, comm, _ in comms if comm == hub]


def test_a_run_sends_nothing_to_a_closed_panel_which_then_opens_on_it(
    lab: Callable[..., Lab], server: Server, oracle: Callable[[str], Any]
) -> None:
    page = lab()
    frames = Frames(page.page)
    with server.setting("attnlab:panel", openOnRun=False):
        page.open()
        page.run(SETUP)
        page.run(CELL)
        # The hub itself is sent when the backend starts, once a kernel; a run adds nothing.
        assert frames.of_hub == ["comm_open"]
        text = str(page.notebook(SOURCE, CELL)).replace("lazy", "very lazy")
        page.write(CELL, text)
        page.run(CELL)
        page.write(CELL, text.replace("fox", "old fox"))
        assert frames.of_hub == ["comm_open"]
        page.show_panel()
        page.sees_tokens(13)
        page.one("token", index=4).click()
        words = "the quick brown old fox jumps over the very lazy dog"
        assert page.weights() == pytest.approx(oracle(words)[0][0][4], abs=2e-6)
        status = page.page.locator(".attnlab-status-item")
        page.select(CELL)
        expect(status).to_contain_text("live")
        page.do("application:toggle-right-area")
        expect(status).to_contain_text("paused")
        page.run(SETUP)
        seen = len(frames.of_hub)
        page.run(CELL)
        assert frames.of_hub[seen:] == []
