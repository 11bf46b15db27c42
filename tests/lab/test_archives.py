"""Wheel and sdist: the same bytes from every checkout, with nothing in them by accident."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import tomllib
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from tests.lab.archives import build

ROOT = Path(__file__).parent.parent.parent

STRAY = [
    ".env",
    "attnlab/.env",
    "attnlab/notes.txt",
    "attnlab/server/handlers.py.orig",
    "attnlab/static/metafile.json",
    "attnlab/traces/weights.npy",
    "docs/_build/html/index.html",
    "docs/_build/html/_sources/live.md",
    "docs/draft.txt",
    "docs/pictures/original.psd",
    "lib/lab/old.js",
    "schema/live.json~",
    "src/lab/.index.ts.swp",
    "style/base.css.bak",
    "tests/secret.py",
]
"""What editors, people and tools leave in a checkout."""

CODE = r"attnlab/([a-z_]+/)*[a-z_]+\.py|attnlab/py\.typed|attnlab/static/inline\.(js|css)"
LABEXTENSION = (
    r"(package\.json|schemas/attnlab/([a-z]+\.json|package\.json\.orig)"
    r"|static/(\d+\.[0-9a-f]{16}\.js|remoteEntry\.[0-9a-f]{16}\.js|style\.js|third-party-licenses\.json))"
)
WHEEL = (
    rf"{CODE}"
    r"|attnlab-V\.data/data/etc/jupyter/jupyter_server_config\.d/attnlab\.json"
    rf"|attnlab-V\.data/data/share/jupyter/labextensions/attnlab/({LABEXTENSION}|install\.json)"
    r"|attnlab-V\.dist-info/(METADATA|WHEEL|RECORD|licenses/LICENSE)"
)
SDIST = (
    rf"attnlab-V/({CODE}|attnlab/labextension/{LABEXTENSION}"
    r"|attnlab/server_extension/enable\.json|bundle/[a-z.]+\.cjs"
    r"|docs/[a-z-]+\.md|docs/tutorials/[a-z-]+\.(md|ipynb)|docs/pictures/[a-z-]+\.png"
    r"|schema/[a-z]+\.json"
    r"|src/([a-z_-]+/)*[a-z-]+(\.test)?\.tsx?|style/([a-z-]+\.css|index\.js)"
    r"|\.npmrc|\.gitignore|(CHANGELOG|README|SECURITY)\.md|LICENSE|PKG-INFO|install\.json"
    r"|package(-lock)?\.json|pyproject\.toml|requirements\.lock|tsconfig(\.build)?\.json)"
)


def link(source: str, target: str) -> None:
    """Make a copy that takes no space, where the file system can."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The archives of a copy that was built in another folder, by a person with other habits."""
    copy = tmp_path_factory.mktemp("a folder") / "with a longer name"
    left = [
        "node_modules",
        "labextension",
        "static",
        "tests",
        "dist",
        "__pycache__",
        "test-results",
        "_build",
    ]
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*left, ".*_cache", ".venv*", ".git"))
    shutil.copytree(ROOT / "node_modules", copy / "node_modules", symlinks=True, copy_function=link)
    for stray in STRAY:
        (copy / stray).parent.mkdir(parents=True, exist_ok=True)
        (copy / stray).write_text("nobody asked for this")
    # The compiled TypeScript has come along: building it again takes longer than all of this.
    for step in ("build:widget", "build:lab"):
        env = os.environ | {"TZ": "Asia/Tokyo", "LC_ALL": "C"}
        subprocess.run(["npm", "run", "--silent", step], check=True, cwd=copy, env=env, umask=0o077)
    (copy / "attnlab/static/metafile.json").write_text("nobody asked for this")
    return build(copy, tmp_path_factory.mktemp("elsewhere"), umask=0o077)


def contents(archive: Path) -> dict[str, bytes]:
    """Read every file of an archive, with the version in its names as ``V``."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            read = {name: wheel.read(name) for name in wheel.namelist()}
    else:
        with tarfile.open(archive) as sdist:
            files = ((member.name, sdist.extractfile(member)) for member in sdist)
            read = {name: file.read() for name, file in files if file is not None}
    version = json.loads((ROOT / "package.json").read_text())["version"]
    return {name.replace(f"attnlab-{version}", "attnlab-V", 1): read[name] for name in read}


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_two_builds_are_identical(
    kind: str, archives: dict[str, Path], elsewhere: dict[str, Path]
) -> None:
    hashes = [
        {name: sha256(content).hexdigest() for name, content in contents(archive[kind]).items()}
        for archive in (archives, elsewhere)
    ]
    assert hashes[0] == hashes[1]
    assert archives[kind].read_bytes() == elsewhere[kind].read_bytes()


@pytest.mark.parametrize(("kind", "allowed"), [("wheel", WHEEL), ("sdist", SDIST)])
def test_an_archive_has_only_what_belongs_in_it(
    kind: str, allowed: str, archives: dict[str, Path]
) -> None:
    names = contents(archives[kind])
    assert [name for name in names if not re.fullmatch(allowed, name)] == []
    # Every module is there: what is left out by a rule would be missed only when imported.
    prefix = "attnlab-V/" if kind == "sdist" else ""
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "attnlab").rglob("*.py")}
    assert {f"{prefix}{module}" for module in modules} <= names.keys()


def test_no_path_of_the_machine_is_in_an_archive(archives: dict[str, Path]) -> None:
    found = [
        (kind, name)
        for kind, archive in archives.items()
        for name, content in contents(archive).items()
        if str(ROOT).encode() in content or str(Path.home()).encode() + b"/" in content
    ]
    assert found == []


METADATA = {"wheel": "attnlab-V.dist-info/METADATA", "sdist": "attnlab-V/PKG-INFO"}
LICENSE = {"wheel": "attnlab-V.dist-info/licenses/LICENSE", "sdist": "attnlab-V/LICENSE"}


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_the_metadata_is_valid_and_says_what_the_project_does(
    kind: str, archives: dict[str, Path]
) -> None:
    files = contents(archives[kind])
    metadata = Metadata.from_email(files[METADATA[kind]], validate=True)
    package = json.loads((ROOT / "package.json").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert str(metadata.version) == package["version"]
    assert metadata.summary == package["description"]
    assert metadata.license_expression == package["license"]
    assert metadata.license_files == ["LICENSE"]
    assert files[LICENSE[kind]] == (ROOT / "LICENSE").read_bytes()
    assert metadata.project_urls == project["urls"]
    assert metadata.classifiers == project["classifiers"]
    assert metadata.description_content_type == "text/markdown"
    assert metadata.description is not None
    assert metadata.description.strip() == (ROOT / "README.md").read_text().strip()


def bundled() -> set[str]:
    """Packages whose code the inline view has, as esbuild lists its sources."""
    outputs = json.loads((ROOT / "lib/widget.json").read_text())["outputs"]
    sources = [source for output in outputs.values() for source in output["inputs"]]
    names = (re.match(r".*node_modules/((?:@[^/]+/)?[^/]+)/", source) for source in sources)
    return {name[1] for name in names if name is not None}


def license_of(package: str) -> str:
    folder = ROOT / "node_modules" / package
    return next(folder.glob("LICENSE*")).read_text().strip()


def test_the_inline_view_includes_the_licenses_of_its_contents(
    archives: dict[str, Path],
) -> None:
    assert "preact" in bundled()
    view = contents(archives["wheel"])["attnlab/static/inline.js"].decode()
    notice = view[: view.index("*/")]
    for package in bundled():
        version = json.loads((ROOT / "node_modules" / package / "package.json").read_text())
        assert f"\n{package} {version['version']}\n\n{license_of(package)}\n" in notice


def test_the_labextension_includes_the_licenses_of_its_contents(
    archives: dict[str, Path],
) -> None:
    folder = "attnlab-V.data/data/share/jupyter/labextensions/attnlab/static/"
    files = contents(archives["wheel"])
    report = json.loads(files[f"{folder}third-party-licenses.json"])["packages"]
    texts = {package["name"]: package["extractedText"] for package in report}
    # It has the same views, and what the bundler adds: its runtime, and loaders of style sheets.
    assert texts.keys() == bundled() | {"@rspack/core", "css-loader", "style-loader"}
    assert texts == {package: license_of(package) for package in texts}
