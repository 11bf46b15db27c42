"""The lock pins the installed versions, and the docs list them."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from attnlab.capture.passes.releases import TESTED
from attnlab.kernel.packages import REQUIRED
from canary.lock import LOCK, locked
from canary.oldest import minimums
from canary.requirements import PYPROJECT, ROOT, direct
from canary.resolve import HEADER, resolve, settings, torch_requirements

TEXT = LOCK.read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PYTHONS = ["3.11.0", "3.11.7", "3.12.1", "3.13.0"]


def on(python: str) -> dict[str, str]:
    """Markers of a Python."""
    return {"python_version": python.rpartition(".")[0], "python_full_version": python}


def torch() -> str:
    """The version that the Makefile pins."""
    return re.findall(r"^TORCH\s*\?=\s*torch==(\S+)$", MAKEFILE, re.MULTILINE)[0]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("requirement", sorted(set(direct())))
def test_the_lock_pins_a_version_that_is_allowed(requirement: str, python: str) -> None:
    wanted = Requirement(requirement)
    pins = locked(TEXT, on(python)) | {"torch": torch()}
    assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)])


@pytest.mark.parametrize("python", PYTHONS)
def test_no_package_has_two_versions_on_one_python(python: str) -> None:
    names = [
        Requirement(line).name
        for line in TEXT.splitlines()
        if not line.startswith("#")
        and ((marker := Requirement(line).marker) is None or marker.evaluate(on(python)))
    ]
    assert len(names) == len(set(names))
    assert len(names) > 100


def test_the_models_are_pinned() -> None:
    packages = re.findall(r"^\w*MODEL_PACKAGE \??:?= (\S+)$", MAKEFILE, re.MULTILINE)
    assert len(packages) == 2
    assert {canonicalize_name(name) for name in packages} <= set(locked(TEXT))


def test_torch_is_pinned_in_one_place_and_the_lock_has_no_accelerator_packages() -> None:
    names = set(locked(TEXT))
    assert "torch" not in names
    assert not [name for name in names if re.match("nvidia|cuda|triton", name)]
    assert len(re.findall(r"torch==\d", MAKEFILE)) == 1


def test_the_lock_names_no_host_and_no_file() -> None:
    assert not re.search(r"://|--index|--find-links|\.whl|/", TEXT.replace("`", ""))


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("filelock", True),
        ('networkx>=2.5.1; python_version >= "3.10"', True),
        ('nvidia-cudnn-cu13==9.20.0.48; platform_system == "Linux"', False),
        ("cuda-bindings>=13", False),
        ("triton==3.7.1", False),
        ('optree>=0.13.0; extra == "optree"', False),
    ],
)
def test_requirements_of_accelerators_are_not_resolved(line: str, kept: bool) -> None:
    assert torch_requirements([line]) == ([line] if kept else [])


def test_packages_that_contain_models_add_nothing_to_the_lock() -> None:
    reported = tomllib.loads(settings(["a-model"], ["filelock"]))["dependency-metadata"]
    assert reported == [
        {"name": "torch", "requires-dist": ["filelock"]},
        {"name": "a-model", "requires-dist": []},
    ]


UV = """\
#!{python}
import sys, pathlib
options = [word.partition("=")[0] for word in sys.argv[1:] if word.startswith("--")]
assert len({*options} - {"--extra"}) == len([o for o in options if o != "--extra"]), options
print("# asked for", *pathlib.Path(sys.argv[-1]).read_text().split())
print("one==1.0 ; python_full_version < '3.12'")
"""


def test_a_new_lock_holds_what_is_resolved_and_each_option_is_given_once(tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text(UV.replace("{python}", sys.executable))
    uv.chmod(0o755)
    assert resolve(str(uv), "torch==1.0", ["a-model"]) == (
        HEADER + "one==1.0 ; python_full_version < '3.12'\n"
    )


def test_the_missing_package_message_matches_the_requirements() -> None:
    least = minimums(direct())
    assert {name: least[name].release[:2] for name in REQUIRED} == REQUIRED


def test_the_releases_that_a_doubt_calls_tested_are_those_of_the_lock() -> None:
    pins = locked(TEXT, on("3.11.7")) | {"torch": torch()}
    assert {name: pins[name] for name in TESTED} == TESTED


def rows() -> dict[str, list[str]]:
    """The table of tested versions in the docs: package → oldest, locked."""
    page = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    section = page.partition("## Tested versions")[2]
    lines = section.partition("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    return {name: versions for name, *versions in cells[2:]}


def test_the_docs_list_the_versions_of_the_lock_and_the_oldest_ones() -> None:
    table = rows()
    pins = locked(TEXT, on("3.11.7")) | {"torch": torch()}
    least = minimums(direct())
    assert {"torch", "transformers", "JupyterLab", "Notebook", "ipykernel"} <= set(table)
    for name, (oldest, newest) in table.items():
        if name != "Python":
            assert newest == pins[canonicalize_name(name)], name
            assert Version(oldest) == least[canonicalize_name(name)], name


def test_the_docs_list_the_python_that_the_package_requires() -> None:
    asked = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["requires-python"]
    assert {f">={version}" for version in rows()["Python"]} == {asked}
