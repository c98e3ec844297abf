"""The documentation of the {{ cookiecutter.slug }} service; a warning is an error."""

from __future__ import annotations

from importlib import metadata

project = "Glassware {{ cookiecutter.slug }}"
{%- if cookiecutter.place == "suite" %}
author = "The Glassware authors"
copyright = "The Glassware authors, MIT licence"
{%- else %}
author = copyright = "The authors of {{ cookiecutter.slug }}"
{%- endif %}
release = metadata.version("glassware-{{ cookiecutter.slug }}")

default_role = "code"
highlight_language = "text"

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
html_show_sphinx = False
