"""A real JupyterLab, started as a process of its own with a home of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any


@dataclass
class Server:
    """A running jupyter-server: where it listens and which folder has its files."""

    url: str
    home: Path
    kept: set[str] = field(default_factory=set)
    """Ids of the sessions that outlast a test, because several tests share their kernel."""

    @property
    def folder(self) -> Path:
        """What it serves."""
        return self.home / "notebooks"

    @property
    def runtime(self) -> Path:
        """Where the connection files of its kernels are."""
        return self.home / "runtime"

    def disable(self, *names: str) -> None:
        """Disable these labextensions and no others, for the pages that are loaded from now on."""
        # The news would ask the network, and cover the panel with a question.
        disabled = dict.fromkeys(["@jupyterlab/apputils-extension:announcements", *names], True)
        file = self.home / "config" / "labconfig" / "page_config.json"
        file.write_text(json.dumps({"disabledExtensions": disabled}))

    def ask(self, path: str, method: str = "GET", content: object = None) -> Any:
        """Use the server's API, as a program does; returns the JSON of the response."""
        return self._request(f"api/{path}", method, content)

    def _request(self, path: str, method: str, content: object) -> Any:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def shut_down_kernels(self) -> None:
        """End all sessions but the kept ones, so that models do not pile up in memory."""
        for session in self.ask("sessions"):
            if session["id"] not in self.kept:
                self.ask(f"sessions/{session['id']}", "DELETE")

    @contextmanager
    def setting(self, plugin: str, **values: object) -> Iterator[None]:
        """Set a plugin's settings for a while; a page reads them only as it loads."""
        path = f"lab/api/settings/{plugin}"
        self._request(path, "PUT", {"raw": json.dumps(values)})
        try:
            yield
        finally:
            self._request(path, "PUT", {"raw": "{}"})


@contextmanager
def jupyterlab(
    home: Path,
    model: Path,
    *,
    without: tuple[str, ...] = (),
    settings: Mapping[str, object] = MappingProxyType({}),
    policy: str = "",
) -> Iterator[Server]:
    """Start JupyterLab on an empty folder in `home`, with `model` as ``ATTNLAB_MODEL``.

    Labextensions named in `without` are disabled, as `jupyter labextension disable` does.
    `settings` are those of plugins, by their names. `policy` is the Content Security Policy of
    all that it serves, where it is not the server's own.
    """
    (home / "config" / "labconfig").mkdir(parents=True)
    for plugin, value in settings.items():
        path = home / "settings" / f"{plugin.replace(':', '/')}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(value))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}/", home)
    server.folder.mkdir()
    server.disable(*without)
    environment = os.environ | {
        "ATTNLAB_MODEL": str(model),
        "HF_HUB_OFFLINE": "1",
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(server.runtime),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    log = (home / "server.log").open("w")
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]
    command += ["--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"]
    if policy:
        headers = {"headers": {"Content-Security-Policy": policy}}
        command += [f"--ServerApp.tornado_settings={headers!r}"]
    process = subprocess.Popen(
        command, cwd=server.folder, env=environment, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        wait_for(server.url + "api", process, home / "server.log")
        yield server
    finally:
        # Killed, not asked: it would first wait for every kernel of a test that failed.
        process.kill()
        process.wait()
        log.close()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")
