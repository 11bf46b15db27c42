"""Print the folder of the model that an installed package contains."""

import importlib.metadata
import sys
from pathlib import Path


def folder(package: str) -> Path:
    """Find the model among the installed files of a package, without importing it."""
    for file in importlib.metadata.files(package) or []:
        if file.name == "config.json" and (Path(file.locate()).parent / "tokenizer.json").exists():
            return Path(file.locate()).parent.resolve()
    raise SystemExit(
        f"the package {package} contains no model: no config.json beside a tokenizer.json"
    )


if __name__ == "__main__":
    print(folder(sys.argv[1]))
