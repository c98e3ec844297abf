"""The documentation of the auth service; a warning is an error."""

from __future__ import annotations

from importlib import metadata

project = "Glassware auth"
author = "The Glassware authors"
copyright = "The Glassware authors, MIT licence"
release = metadata.version("glassware-auth")

default_role = "code"
highlight_language = "text"

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
html_show_sphinx = False
