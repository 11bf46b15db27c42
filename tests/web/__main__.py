"""Show the panel with fake data: ``python -m tests.web [FIELD=VALUE ...] [--port PORT]``.

The page reloads whenever a file of the views or the styles is saved. `make view` calls this.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.web.page import ROOT, esbuild, furnish

EXAMPLE = {
    "words": ["[CLS]", "the", "quick", "brown", "fox", "jumps", "over", "the", "dog", "[SEP]"],
    "layers": 6,
    "heads": 12,
}
"""What the fake model has read; `Shape` in `fake.ts` lists all fields."""

SCRIPT = """\
<script>
  lab.state.session.attach(lab.kernel);
  lab.kernel.run(%s);
  new EventSource('/esbuild').addEventListener('change', () => location.reload());
</script>
"""


def field(text: str) -> tuple[str, object]:
    """Read a field of the shape: its value is JSON, or else a string."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def write_page(into: Path, shape: dict[str, object]) -> None:
    """Write a page whose kernel has run a model of this shape."""
    furnish(into)
    page = (into / "page.html").read_text(encoding="utf-8")
    # JSON in a script must not end the script.
    data = json.dumps(EXAMPLE | shape).replace("<", "\\u003c")
    page = page.replace("</body>", SCRIPT.replace("%s", data) + "</body>")
    (into / "index.html").write_text(page, encoding="utf-8")


def main() -> int:
    """Serve the page until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.web")
    parser.add_argument(
        "fields", nargs="*", type=field, metavar="FIELD=VALUE", help="for example layers=2"
    )
    parser.add_argument("--port", type=int, default=8000, help="0 for any port that is free")
    choice = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder)
        write_page(into, dict(choice.fields))
        serve = [f"--serve=127.0.0.1:{choice.port}", f"--servedir={into}", "--watch"]
        try:
            command = [*esbuild(into, "fake.ts"), *serve, "--sourcemap"]
            return subprocess.run(command, check=False, cwd=ROOT).returncode
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main())
