"""Configuration of the docs site, which ``make docs`` builds."""

from __future__ import annotations

import json
from pathlib import Path

PACKAGE = json.loads((Path(__file__).parent.parent / "package.json").read_text(encoding="utf-8"))

project = PACKAGE["name"]
author = PACKAGE["author"]
version = release = PACKAGE["version"]

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]
default_role = "literal"

myst_heading_anchors = 3

# The notebooks are committed without outputs. This reader runs them, unless told not to.
nb_custom_formats = {".ipynb": ["docs.tutorials.read", {}]}
nb_execution_mode = "off"
nb_output_stderr = "remove"
# The site loads nothing from other hosts, so widgets are not displayed.
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"{project} {version}"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
