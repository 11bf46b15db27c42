"""What several files say about the project is the same in all of them."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests import browser

ROOT = Path(__file__).parent.parent
PACKAGE = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OWNER, NAME = PACKAGE["homepage"].split("/")[-2:]
SITE = f"https://{OWNER}.github.io/{NAME}/"
"""Where the docs site is published."""
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
READER = YAML(typ="safe", pure=True)
WORKFLOWS = {
    path.name: READER.load(path) for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
SYSTEMS = {"ubuntu-latest", "macos-latest", "windows-latest"}
JOBS = {
    f"{file}: {name}": job
    for file, workflow in WORKFLOWS.items()
    for name, job in workflow["jobs"].items()
}
EXPRESSION = re.compile(r"\$\{\{ *matrix\.(\w+)[^}]*\}\}")


def variants(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the values of `matrix` in each run of a job."""
    matrix = dict(job.get("strategy", {}).get("matrix", {}))
    included = matrix.pop("include", [])
    axes = [[(name, value) for value in values] for name, values in matrix.items()]
    return [dict(run) for run in product(*axes) if run] + included or [{}]


def commands(job: dict[str, Any]) -> set[str]:
    """Return the shell commands of all runs of a job."""
    written = [step["run"] for step in job.get("steps", []) if "run" in step]
    return {filled(command, run) for command in written for run in variants(job)}


def filled(command: str, run: dict[str, Any]) -> str:
    """Return a command with the values of `matrix` in one run."""
    return EXPRESSION.sub(lambda found: str(run.get(found[1], "")), command)


def targets(makefile: str) -> set[str]:
    """Return the targets that people call."""
    [phony] = re.findall(r"^\.PHONY:(.*)$", makefile, re.MULTILINE)
    return set(phony.split())


def called(command: str) -> set[str]:
    """Return the make targets that a command calls."""
    return {
        word
        for words in re.findall(r"^\s*make\b(.*)$", command, re.MULTILINE)
        for word in words.split()
        if "=" not in word
    }


def minors(versions: list[str]) -> list[str]:
    """Return the Python versions among classifiers."""
    found = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", v) for v in versions)
    return [match[1] for match in found if match]


def test_the_citation_names_this_version_and_no_person() -> None:
    citation = READER.load(ROOT / "CITATION.cff")
    assert citation["version"] == PACKAGE["version"]
    assert citation["license"] == PACKAGE["license"]
    assert citation["abstract"] == PACKAGE["description"]
    assert citation["authors"] == [{"name": PACKAGE["author"]}]
    assert {citation["url"], citation["repository-code"]} == {PACKAGE["homepage"]}


def test_every_address_of_the_project_follows_from_its_homepage() -> None:
    home = PACKAGE["homepage"]
    assert PROJECT["urls"]["Homepage"] == home
    urls = PROJECT["urls"].values()
    assert all(url in (home, SITE) or url.startswith(f"{home}/") for url in urls)
    assert PROJECT["urls"]["Documentation"] == SITE
    config = READER.load(ROOT / ".github/ISSUE_TEMPLATE/config.yml")
    assert all(link["url"].startswith(f"{home}/") for link in config["contact_links"])


def source(url: str) -> Path | None:
    """Return the file behind an address of the docs site or of the repository's main branch."""
    if url.startswith(SITE):
        page = url.removeprefix(SITE).partition("#")[0].removesuffix(".html") or "index"
        return next(iter(sorted((ROOT / "docs").glob(f"{page}.*"))), ROOT / "docs" / page)
    found = re.fullmatch(rf"{PACKAGE['homepage']}/(?:blob|tree|raw)/main/(.*)", url)
    return ROOT / found[1] if found else None


@pytest.mark.parametrize("name", ["Documentation", "Changelog"])
def test_an_address_of_the_project_is_that_of_a_file(name: str) -> None:
    path = source(PROJECT["urls"][name])
    assert path is not None
    assert path.exists()


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
def test_every_link_of_a_page_that_is_shown_elsewhere_is_that_of_a_file(name: str) -> None:
    """A package index and a release page resolve no relative link."""
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r"(?:src|srcset)=\"([^\"]+)\"", text)
    links = [link for link in links if not link.startswith("http") or source(link)]
    assert len(links) > 4
    missing = [link for link in links if not (path := source(link)) or not path.exists()]
    assert missing == []


def test_no_file_contains_a_mail_address() -> None:
    files = [*(ROOT / ".github").rglob("*.*"), *ROOT.glob("*.md"), ROOT / "CITATION.cff"]
    assert len(files) > 10
    mail = re.compile(r"[\w.+-]+@[\w-]+\.[a-z]{2,}\b")
    found = {path.name: mail.findall(path.read_text(encoding="utf-8")) for path in files}
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


def test_conduct_is_reported_where_security_says() -> None:
    way = '"Report a vulnerability" on the repository\'s Security tab'
    for name in ("SECURITY.md", "CODE_OF_CONDUCT.md"):
        assert way in (ROOT / name).read_text(encoding="utf-8"), name


def test_every_npm_dependency_has_a_range_and_the_lock_has_the_same() -> None:
    locked = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"][""]
    for kind in ("dependencies", "devDependencies"):
        open_ranges = [name for name, r in PACKAGE[kind].items() if not re.match(r"[\^~]\d", r)]
        assert open_ranges == []
        assert locked[kind] == PACKAGE[kind]
    assert locked["version"] == PACKAGE["version"]


def test_the_workflows_are_those_that_releasing_needs() -> None:
    assert WORKFLOWS.keys() == {"tests.yml", "canary.yml", "release.yml", "docs.yml"}


@pytest.mark.parametrize("name", JOBS)
def test_a_job_calls_only_make_targets_that_exist(name: str) -> None:
    assert set().union(*map(called, commands(JOBS[name]))) <= targets(MAKEFILE)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("tests.yml", {"test", "dist"}),
        ("canary.yml", {"newest", "oldest"}),
        ("docs.yml", {"docs"}),
    ],
)
def test_a_workflow_calls_the_targets_of_its_purpose(file: str, expected: set[str]) -> None:
    found = {command for job in WORKFLOWS[file]["jobs"].values() for command in commands(job)}
    assert set().union(*map(called, found)) == expected


def test_the_canary_takes_pre_releases_too() -> None:
    [job] = WORKFLOWS["canary.yml"]["jobs"].values()
    assert [command for command in commands(job) if "newest PRE=1" in command]


def test_the_tests_run_on_three_systems_and_every_supported_python() -> None:
    matrix = WORKFLOWS["tests.yml"]["jobs"]["test"]["strategy"]["matrix"]
    assert set(matrix["os"]) == SYSTEMS
    assert matrix["python"] == minors(PROJECT["classifiers"])
    assert PROJECT["requires-python"] == f">={matrix['python'][0]}"


@pytest.mark.parametrize("name", JOBS)
def test_a_job_uses_actions_of_one_major_version_or_files_that_exist(name: str) -> None:
    for step in [JOBS[name], *JOBS[name].get("steps", [])]:
        uses = step.get("uses", "./")
        if uses.startswith("./"):
            assert (ROOT / uses).exists(), uses
        else:
            assert re.fullmatch(r"[\w./-]+@(release/)?v\d+", uses), uses


@pytest.mark.parametrize("name", JOBS)
def test_a_job_that_calls_make_is_ended_when_it_hangs(name: str) -> None:
    job = JOBS[name]
    if any(map(called, commands(job))):
        assert job["timeout-minutes"] <= 90


def test_a_release_publishes_what_the_tests_checked() -> None:
    release = WORKFLOWS["release.yml"]["jobs"]
    assert release["tests"]["uses"] == "./.github/workflows/tests.yml"
    assert release["publish"]["needs"] == "tests"
    assert set().union(*(called(c) for job in release.values() for c in commands(job))) == set()


@pytest.mark.parametrize("name", sorted(path.name for path in ROOT.glob("*.md")))
def test_a_document_names_only_make_targets_that_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set().union(*map(called, re.findall(r"`(make [a-z][^`\n\"]*)", text)))
    assert named <= targets(MAKEFILE) | {"lib/.stamp"}


def test_every_make_target_is_described() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("*.md"))
    assert [name for name in targets(MAKEFILE) if f"make {name}" not in text] == []


def test_make_and_the_tests_look_for_the_same_browsers() -> None:
    recipe = MAKEFILE.partition("\nbrowser:\n")[2].partition("; do")[0]
    assert [name for name in browser.NAMES if name not in recipe] == []


def test_no_test_installs_a_package_of_an_index() -> None:
    installing = [
        (path.name, node)
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.List) and "install" in words(node)
    ]
    # The wheel's own test installs the wheel, without looking for anything else.
    assert [name for name, _ in installing] == ["test_wheel.py"]
    assert all({"--no-index", "--no-deps"} <= words(node) for _, node in installing)


def words(node: ast.List) -> set[object]:
    """Return the constants in a list."""
    return {item.value for item in node.elts if isinstance(item, ast.Constant)}
