"""Places to put the layers of a configuration in."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from glassware.config import Config

PACKAGE = "package_with_defaults"


@dataclass(frozen=True)
class Places:
    """A machine's folders, all below one root."""

    root: Path

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def defaults(self) -> Path:
        return self.root / PACKAGE / "default_config.ini"

    def write(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def load(
        self,
        *,
        overrides: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
        mode: str = "development",
        **arguments: Any,
    ) -> Config:
        """Load the configuration of the service "tasks" with its secrets below the root."""
        own = {"service.mode": mode, "service.secrets_dir": str(self.secrets)}
        return Config.load(
            service="tasks",
            etc=self.etc,
            environ=environ or {},
            overrides={**own, **(overrides or {})},
            **arguments,
        )


Machine = Callable[[], Any]


@contextmanager
def machine() -> Iterator[Places]:
    """A fresh machine, whose package can be imported."""
    with tempfile.TemporaryDirectory() as folder:
        places = Places(Path(folder))
        places.write(places.root / PACKAGE / "__init__.py", "")
        places.etc.mkdir()
        sys.path.insert(0, folder)
        try:
            yield places
        finally:
            sys.path.remove(folder)
            sys.modules.pop(PACKAGE, None)
            sys.path_importer_cache.clear()


@pytest.fixture
def places() -> Iterator[Places]:
    with machine() as fresh:
        yield fresh


@pytest.fixture(scope="session")
def new_machine() -> Machine:
    """For properties, which need a fresh machine for each example."""
    return machine
