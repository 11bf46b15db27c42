"""What is loaded by `import attnlab` and by the backend, and what is said when parts lack."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import attnlab
from attnlab import widget
from attnlab.kernel import packages


def loaded(statement: str) -> set[str]:
    """Top-level modules that a new interpreter has loaded after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    root = Path(attnlab.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_attnlab_imports_no_other_package() -> None:
    assert not loaded("import attnlab") & {"anywidget", "ipywidgets", "IPython", "numpy", "torch"}


def test_the_backend_imports_neither_torch_nor_transformers_nor_numpy() -> None:
    found = loaded("import attnlab.widget, attnlab.api")
    assert "anywidget" in found
    assert not found & {"torch", "transformers", "numpy"}


def test_the_package_declares_its_version_and_labextension() -> None:
    assert attnlab.__version__ == importlib.metadata.version("attnlab")
    assert attnlab._jupyter_labextension_paths() == [{"src": "labextension", "dest": "attnlab"}]
    assert {"watch", "unwatch", "__version__"} <= set(dir(attnlab))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'wtch'"):
        _ = attnlab.wtch


def test_watch_outside_a_kernel_explains_where_it_works() -> None:
    with pytest.raises(RuntimeError, match="in a notebook"):
        attnlab.watch(lambda: None)


def test_missing_packages_are_listed_as_arguments_of_pip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert packages.missing() == []
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "4.57.1")
    assert packages.missing() == ["transformers>=5.20"]

    def without_metadata(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", without_metadata)
    assert packages.missing() == []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert packages.missing() == ["torch", "transformers"]


def test_missing_built_files_are_reported_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(widget, "files", lambda _: tmp_path)
    with pytest.raises(RuntimeError, match="npm run build"):
        widget.built("inline.js")
