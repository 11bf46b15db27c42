"""Which releases attnlab was tested with, and which run here."""

from __future__ import annotations

from importlib import metadata

TESTED = {"torch": "2.13.0", "transformers": "5.24.0"}
"""The newest of each that all tests have passed with."""

ISSUES = "https://github.com/attnlab/attnlab/issues"


def report() -> str:
    """Say which releases run here and where to report a fault, in two sentences."""
    present = " and ".join(f"{name} {_version(name)}" for name in TESTED)
    tested = " and ".join(f"{name} {version}" for name, version in TESTED.items())
    return (
        f"Running {present}; attnlab {_version('attnlab')} was tested with {tested}. If this is "
        f"unexpected, please report it at {ISSUES}."
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return "(unknown)"
