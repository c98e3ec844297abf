"""The {{ cookiecutter.slug }} service, declared."""

from __future__ import annotations

from glassware.service import Service
from glassware_{{ cookiecutter.slug }} import models, resources

service = Service(
    "{{ cookiecutter.slug }}",
    package="glassware_{{ cookiecutter.slug }}",
    summary="{{ cookiecutter.__summary }}",
    resources=(resources.{{ cookiecutter.__class }}List, resources.{{ cookiecutter.__class }}),
    database=models.db,
)
