"""The committed lock: a constraints file that pins all Python packages except torch."""

from __future__ import annotations

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from canary.requirements import ROOT

LOCK = ROOT / "requirements.lock"


def locked(text: str, environment: dict[str, str] | None = None) -> dict[str, str]:
    """Return the version of each package that the lock pins.

    Parameters
    ----------
    text : str
        The lock.
    environment : dict, optional
        Values of environment markers; missing ones are taken from this environment.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        pin = line.partition("#")[0].strip()
        if not pin:
            continue
        requirement = Requirement(pin)
        if requirement.marker is None or requirement.marker.evaluate(dict(environment or {})):
            [exact] = requirement.specifier
            found[canonicalize_name(requirement.name)] = exact.version
    return found
