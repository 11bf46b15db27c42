"""Pin every direct requirement to its minimum: ``python -m canary.oldest > constraints``.

pip chooses the versions of indirect requirements.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from canary.requirements import direct


def minimum(requirement: Requirement) -> Version:
    """Return the lowest version that a requirement allows.

    Raises
    ------
    ValueError
        If it has no minimum.
    """
    stated = [Version(s.version) for s in requirement.specifier if s.operator in (">=", "==", "~=")]
    if not stated:
        raise ValueError(f"{requirement} has no minimum")
    return max(stated)


def minimums(requirements: Iterable[str]) -> dict[str, Version]:
    """Return the minimum of each package; the highest if a package is required several times."""
    found: dict[str, Version] = {}
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or requirement.marker.evaluate():
            name = canonicalize_name(requirement.name)
            found[name] = max(minimum(requirement), found.get(name, Version("0.dev0")))
    return found


if __name__ == "__main__":
    sys.stdout.writelines(f"{name}=={v}\n" for name, v in sorted(minimums(direct()).items()))
