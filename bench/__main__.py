"""Print every measurement: ``make bench``, or ``python -m bench importing`` for one."""

from __future__ import annotations

import sys

from bench import capture, importing, live, painting, views, websockets

MEASUREMENTS = {
    "importing": importing.measure,
    "capture": capture.measure,
    "painting": painting.measure,
    "live": live.measure,
    "views": views.measure,
    "websockets": websockets.measure,
}


def main(names: list[str]) -> None:
    """Run the named measurements, or all."""
    for name in names or MEASUREMENTS:
        if name not in MEASUREMENTS:
            raise SystemExit(f"no measurement {name!r}; there are {', '.join(MEASUREMENTS)}")
        print(f"\n## {name}")
        for line in MEASUREMENTS[name]():
            print(line, flush=True)


main(sys.argv[1:])
