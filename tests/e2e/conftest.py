"""Every end-to-end test runs in both worlds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e import worlds


@pytest.fixture(
    scope="session",
    params=["in-process", pytest.param("processes", marks=pytest.mark.processes)],
)
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[worlds.World]:
    if request.param == "in-process":
        with worlds.in_process() as running:
            yield running
    else:
        with worlds.processes(tmp_path_factory.mktemp("suite")) as running:
            yield running


@pytest.fixture(scope="session")
def ann(world: worlds.World) -> worlds.Person:
    return world.person("ann")


@pytest.fixture(scope="session")
def ben(world: worlds.World) -> worlds.Person:
    return world.person("ben")
