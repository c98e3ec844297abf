"""The documentation, built by ``make docs``: a warning is an error."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Glassware"
author = "The Glassware authors"
copyright = "The Glassware authors, MIT licence"
release = metadata.version("glassware")

extensions = ["generated"]
root_doc = "index"
exclude_patterns = ["_build"]
nitpicky = True
default_role = "code"
highlight_language = "python"

html_theme = "furo"
html_title = f"Glassware {release}"
html_copy_source = False
html_show_sphinx = False
