"""What pytest gives every test of a service: a clean context, and hypothesis's settings."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Deadlines on a shared machine fail for the machine's reasons, not the code's.
settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=int(os.environ.get("GLASSWARE_TEST_EXAMPLES", "100")),
)
settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """Register our marker wherever the plugin is used."""
    config.addinivalue_line(
        "markers", "contract: shows a need of the service; `manage.py contract record` runs it"
    )


@pytest.fixture(autouse=True)
def no_context_is_left_behind() -> Iterator[None]:
    """A context left pushed would lend one test's app to the next."""
    from flask import has_app_context

    yield
    assert not has_app_context()
