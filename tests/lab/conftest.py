"""A real JupyterLab with a real model, once for all tests; a fresh notebook for each.

To load a page and to import a model's packages take most of the time of a test. So tests share a
page and a kernel (`shared`, `ran`) as far as they can. A test of the first run of a kernel uses
`open_fresh`, one of the load of a page `new_page`, and one of both `lab`. `lab` also opens a
second page on a notebook.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.lab.archives import of_this_checkout
from tests.lab.jupyter import Server, jupyterlab
from tests.lab.lab import Lab
from tests.lab.quickstart import run_sentence
from tests.lab.shared import LAB, VIEWPORT, SharedPage, page_on

ROOT = Path(__file__).parent.parent.parent
QUICKSTART = ROOT / "examples" / "quickstart.ipynb"
IPYKERNEL_6 = Path(sys.prefix) / "ipykernel6"
"""Where `make test` installs ipykernel 6, beside the environment's own release."""

FAILED = pytest.StashKey[bool]()


def kernelspec(folder: Path, name: str, pythonpath: Path) -> None:
    """Write a kernel that runs this Python with `pythonpath` in front."""
    spec = folder / "kernels" / name
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(
        json.dumps(
            {
                "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "display_name": name,
                "language": "python",
                "env": {"PYTHONPATH": str(pythonpath)},
            }
        )
    )


def without(package: str, folder: Path) -> Path:
    """Make a folder for PYTHONPATH that hides a package, as an environment without it does."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "from importlib.machinery import PathFinder\n"
        "class Hide(PathFinder):\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        f"        hidden = name.split('.')[0] == {package!r}\n"
        "        return None if hidden else super().find_spec(name, path, target)\n"
        "sys.meta_path[:] = [Hide if f is PathFinder else f for f in sys.meta_path]\n"
    )
    return folder


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel and the sdist of this checkout, as it was built for all tests."""
    return of_this_checkout(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, minilm_path: Path) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("jupyter")
    for package in ("attnlab", "torch", "transformers"):
        kernelspec(home / "data", f"without-{package}", without(package, home / f"no-{package}"))
    kernelspec(home / "data", "ipykernel6", IPYKERNEL_6)
    with jupyterlab(home, minilm_path) as running:
        yield running


@pytest.fixture
def notebook(server: Server, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Make a copy of the quickstart for this test alone; gives its name."""
    made: list[Path] = []

    def copy(kernel: str = "python3") -> str:
        if kernel == "ipykernel6":
            assert IPYKERNEL_6.is_dir(), "ipykernel 6 is not installed: run `make test`"
        stem = re.sub(r"\W+", "-", request.node.name).strip("-")[:60]
        path = server.folder / f"{stem}-{len(made)}.ipynb"
        content = json.loads(QUICKSTART.read_text())
        content["metadata"]["kernelspec"].update(name=kernel, display_name=kernel)
        for cell in content["cells"]:
            # A kernel that several notebooks use has no trace of these cells.
            cell["id"] = f"{cell['id']}-{uuid.uuid4().hex[:8]}"
        path.write_text(json.dumps(content))
        made.append(path)
        return path.name

    return copy


@pytest.fixture
def lab(
    browser: Browser, server: Server, notebook: Callable[..., str]
) -> Iterator[Callable[..., Lab]]:
    """Open pages: ``lab()`` on a new notebook with a new kernel, ``lab(name)`` on an old one."""
    context = browser.new_context(viewport=VIEWPORT)

    def page(name: str | None = None, *, kernel: str = "python3", app: str = LAB) -> Lab:
        return page_on(context, server, name or notebook(kernel), app)

    yield page
    context.close()
    server.shut_down_kernels()


@pytest.fixture(scope="package")
def worker_page(browser: Browser, server: Server) -> Iterator[SharedPage]:
    """A page and kernels for the tests of this folder that need no others, in each process."""
    shared = SharedPage(browser, server)
    yield shared
    shared.discard()


@pytest.fixture
def shared_page(worker_page: SharedPage, request: pytest.FixtureRequest) -> Iterator[SharedPage]:
    """The page and the kernels that tests share, new ones after a failure."""
    yield worker_page
    if request.node.stash.get(FAILED, False):
        # The test may have been stopped anywhere.
        worker_page.discard()


@pytest.fixture
def open_shared(shared_page: SharedPage, notebook: Callable[..., str]) -> Callable[..., Lab]:
    """Open a new notebook in the shared page, with the shared kernel of a kind."""
    return lambda kernel="python3": shared_page.open(notebook(kernel), kernel)


@pytest.fixture
def open_fresh(shared_page: SharedPage, notebook: Callable[..., str]) -> Callable[..., Lab]:
    """Open a new notebook in the shared page, with a new kernel."""
    return lambda kernel="python3": shared_page.open_fresh(notebook(kernel))


@pytest.fixture
def new_page(
    browser: Browser, server: Server, shared_page: SharedPage, notebook: Callable[..., str]
) -> Iterator[Callable[..., Lab]]:
    """Make a page, to be opened, for a new notebook with the shared kernel."""
    context = browser.new_context(viewport=VIEWPORT)

    def page(app: str = LAB) -> Lab:
        name = notebook()
        shared_page.lend(name)
        return page_on(context, server, name, app)

    yield page
    context.close()


@pytest.fixture
def shared(open_shared: Callable[..., Lab]) -> Lab:
    """A new notebook in the page and with the kernel that tests share."""
    return open_shared()


@pytest.fixture
def ran(shared: Lab) -> Lab:
    """The same, after its tagged cell has run; the cell's editor has the focus."""
    run_sentence(shared)
    shared.do("notebook:enter-edit-mode")
    return shared


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note that a test failed, for its fixtures."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session")
def oracle(minilm_path: Path) -> Callable[[str], list[list[list[list[float]]]]]:
    """An eager forward pass, computed apart from attnlab: text → [layer][head][query][key]."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(minilm_path)
    model = AutoModel.from_pretrained(minilm_path, attn_implementation="eager")

    def attentions(text: str) -> list[list[list[list[float]]]]:
        with torch.no_grad():
            output = model(**tokenizer(text, return_tensors="pt"), output_attentions=True)
        return [layer[0].tolist() for layer in output.attentions]

    return attentions
