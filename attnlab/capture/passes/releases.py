"""Reports the tested and the installed releases of torch and transformers."""

from __future__ import annotations

from importlib import metadata

TESTED = {"torch": "2.13.0", "transformers": "5.24.0"}
"""The newest releases with which all tests pass."""

ISSUES = "https://github.com/attnlab/attnlab/issues"


def report() -> str:
    """Return two sentences that state the releases, and where to report an error."""
    installed = " and ".join(f"{name} {_version(name)}" for name in TESTED)
    tested = " and ".join(f"{name} {version}" for name, version in TESTED.items())
    return (
        f"Running {installed}; attnlab {_version('attnlab')} was tested with {tested}. If this is "
        f"unexpected, please report it at {ISSUES}."
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return "(unknown)"
