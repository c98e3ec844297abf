"""Worlds with a running service of notes in them."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .attacks import FAULTY, Attack
from .targets import House, Route, house
from .worlds import Lines, World


@pytest.fixture(scope="session")
def make_world() -> Iterator[Any]:
    """Make as many worlds as a test wants."""
    with tempfile.TemporaryDirectory() as directory:
        worlds: list[World] = []

        def make(**settings: str) -> World:
            state = Path(directory) / str(len(worlds))
            state.mkdir()
            (state / "secrets").mkdir(mode=0o700)
            (state / "secrets" / "app.secret_key").write_text("x" * 40)
            worlds.append(World(state, **settings))
            return worlds[-1]

        yield make
        for world in worlds:
            world.close()


@pytest.fixture(scope="session")
def log() -> Iterator[Lines]:
    """All that is logged from now on."""
    root, lines = logging.getLogger(), Lines()
    level = root.level
    root.addHandler(lines)
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(level)
    root.removeHandler(lines)


@pytest.fixture(scope="session")
def one_world(make_world: Any, log: Lines) -> World:
    world: World = make_world()
    world.log = log
    return world


@pytest.fixture
def world(one_world: World) -> World:
    """The world without a note in it."""
    one_world.clear()
    one_world.log.take()
    return one_world


@pytest.fixture(scope="module")
def everything(one_world: World) -> Iterator[House]:
    one_world.clear()
    with house(one_world) as found:
        yield found


@pytest.fixture(scope="module")
def routes(everything: House) -> list[Route]:
    return [route for route in everything.routes() if route.resource.path not in FAULTY]


@pytest.fixture
def attack(routes: list[Route], log: Lines) -> Attack:
    return Attack(routes, log)
