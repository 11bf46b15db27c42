"""Print all measurements: ``make bench``, or ``python -m bench importing`` for one."""

from __future__ import annotations

import sys

from bench import capture, generating, importing, live, painting, views, waiting, websockets

MEASUREMENTS = {
    "importing": importing.measure,
    "capture": capture.measure,
    "generating": generating.measure,
    "painting": painting.measure,
    "live": live.measure,
    "views": views.measure,
    "waiting": waiting.measure,
    "websockets": websockets.measure,
}


def main(names: list[str]) -> None:
    """Run the named measurements; all by default."""
    for name in names or MEASUREMENTS:
        if name not in MEASUREMENTS:
            raise SystemExit(f"unknown measurement {name!r}; choose from {', '.join(MEASUREMENTS)}")
        print(f"\n## {name}")
        for line in MEASUREMENTS[name]():
            print(line, flush=True)


main(sys.argv[1:])
