"""Which releases attnlab was tested with, and which run here."""

from __future__ import annotations

from importlib import metadata

TESTED = {"torch": "2.13.0", "transformers": "5.24.0"}
"""The newest of each that all tests have passed with."""

ISSUES = "https://github.com/attnlab/attnlab/issues"


def report() -> str:
    """Say which releases run here and where to report a fault, in two sentences."""
    present = [f"{name} {_version(name)}" for name in TESTED]
    tested = [f"{name} {version}" for name, version in TESTED.items()]
    own = f"attnlab {_version('attnlab')} was tested with {' and '.join(tested)}"
    return f"This is {' and '.join(present)}; {own}. Please report it at {ISSUES}."


def _version(name: str) -> str:
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return "(unknown)"
