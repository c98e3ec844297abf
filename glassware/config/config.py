"""The configuration of one service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from glassware.config import loader
from glassware.config.masks import MASK, mask, passwords
from glassware.config.option import Option, render

ETC = Path("/etc/glassware")


class Row(NamedTuple):
    """An option as it is shown to an operator."""

    name: str
    shown: str
    origin: str
    help: str


class Config(Mapping[str, Any]):
    """A service's options by name, read-only: ``config["server.port"]`` is an int.

    Made by :meth:`load`. Knows where each value is from, and shows none that is secret.
    """

    def __init__(self, service: str, values: loader.Values) -> None:
        self.service = service
        self._values = values

    @classmethod
    def load(
        cls,
        *,
        service: str,
        environ: Mapping[str, str],
        options: Iterable[Option] = (),
        package: str | None = None,
        etc: Path = ETC,
        overrides: Mapping[str, object] | None = None,
    ) -> Config:
        """Read all layers, later ones winning.

        The options' defaults, the package's ``default_config.ini``, ``<etc>/<service>.ini``,
        ``<etc>/<service>.d/*.ini`` by name, the environment
        (``GLASSWARE_<SERVICE>__<SECTION>__<OPTION>``), the files in the secrets folder, and
        ``overrides``, which are text or values of the option's type. ``options`` are the service's
        own: those of the chassis are always there. In development, required secrets that are
        missing are generated.

        Raises ConfigError, which says all that is wrong, and ValueError for contradictory options.
        """
        return cls(service, loader.load(service, options, package, environ, etc, overrides or {}))

    def __getitem__(self, name: str) -> Any:
        return self._values[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Config of {self.service}: {len(self)} options>"

    @property
    def development(self) -> bool:
        return bool(self["service.mode"] == "development")

    def origin(self, name: str) -> str:
        """Return where the option's value is from, for instance ``/etc/glassware/tasks.ini``."""
        return self._values[name].origin

    def rows(self) -> list[Row]:
        """Return every option for display, secrets and the passwords in URLs masked."""
        return [
            Row(name, _shown(value), value.origin, value.option.help)
            for name, value in self._values.items()
        ]

    def secrets(self) -> frozenset[str]:
        """Return every text that must not get out, to be registered with the log's scrubber."""
        found: set[str] = set()
        for value in self._values.values():
            text = render(value.value)
            found.update(passwords(text), [text] if value.hidden else [])
        return frozenset(found - {""})


def _shown(value: loader.Value) -> str:
    text = render(value.value)
    return MASK if value.hidden and text else mask(text)
