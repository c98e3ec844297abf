"""From the layers' settings to one typed value for each option."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from glassware.config import credentials, sources
from glassware.config.errors import ConfigError
from glassware.config.masks import mask
from glassware.config.option import Option
from glassware.config.options import CHASSIS
from glassware.config.sources import Setting

#: These say where the secrets are and how strict to be, so no file beside the secrets sets them.
_BOOT = ("service.mode", "service.state_dir", "service.secrets_dir")


class Value(NamedTuple):
    """An option's typed value, where it is from, and whether it must not be shown."""

    option: Option
    value: Any
    origin: str
    hidden: bool


Values = dict[str, Value]


def declare(options: Iterable[Option]) -> dict[str, Option]:
    """Return the chassis's options and the given ones by name.

    Raises ValueError when two declarations of one name differ.
    """
    table: dict[str, Option] = {}
    for option in (*CHASSIS, *options):
        if table.setdefault(option.name, option) != option:
            raise ValueError(f"option {option.name} is declared twice")
    return table


def load(
    service: str,
    options: Iterable[Option],
    package: str | None,
    environ: Mapping[str, str],
    etc: Path,
    overrides: Mapping[str, object],
) -> Values:
    """Return the value of every option. Raises ConfigError with all that is wrong."""
    early = [
        *(sources.package(package) if package else ()),
        *sources.files(etc, service),
        *sources.environment(environ, service),
    ]
    late = list(sources.overrides(overrides))
    reader = _Reader(service, declare(options), environ, etc)
    reader.settle([*early, *late])
    files = credentials.settings(environ, reader.secrets_dir, reader.table)
    return reader.values([*early, *files, *late])


class _Reader:
    """Judges settings, and gathers the complaints about them."""

    def __init__(
        self, service: str, table: dict[str, Option], environ: Mapping[str, str], etc: Path
    ) -> None:
        self.table = table
        self.environ = environ
        self.ini = etc / f"{service}.ini"
        self.places = {"{service}": service}
        self.development = False
        self.secrets_dir = Path()
        self.complaints: list[str] = []

    def settle(self, settings: Sequence[Setting]) -> None:
        """Find out the mode and the folders, on which the reading of all else depends."""
        given = self.given([setting for setting in settings if setting.name in _BOOT])
        self.finish()
        self.development = self.choose("service.mode", given).value == "development"
        state_dir = self.choose("service.state_dir", given).value
        self.places["{state_dir}"] = str(state_dir)
        self.secrets_dir = self.choose("service.secrets_dir", given).value

    def values(self, settings: Iterable[Setting]) -> Values:
        """Return each option's value by what the settings say, later ones winning."""
        given = self.given(settings)
        values = {name: self.choose(name, given) for name in self.table}
        for name, value in values.items():
            if value.option.secret:
                values[name] = self.secured(value)
            elif value.value is None:
                self.complaints.append(f"{name}: has no value; set it in {self.ini}")
        self.finish()
        return values

    def finish(self) -> None:
        if self.complaints:
            raise ConfigError(*self.complaints)

    def given(self, settings: Iterable[Setting]) -> Values:
        values: Values = {}
        for setting in settings:
            try:
                if setting.raw is not sources.EMPTY_SECTION:
                    values[setting.name] = self.judged(setting)
                elif setting.name not in self.sections():
                    raise ValueError(self.unknown(setting.name))
            except ValueError as error:
                self.complaints.append(f"{setting.origin}: {error}")
        return values

    def judged(self, setting: Setting) -> Value:
        """Return the setting's value. Raises ValueError with the complaint about it."""
        name, raw, origin, from_file = setting
        option = self.table.get(name)
        if option is None:
            raise ValueError(self.unknown(name))
        if option.secret and not from_file:
            raise ValueError(f"{name} is a secret; put it into the file {self.secrets_dir / name}")
        if from_file and name in _BOOT:
            raise ValueError(f"{name} cannot be set beside the secrets; set it in {self.ini}")
        try:
            return Value(option, option.parse(raw), origin, from_file)
        except ValueError as error:
            shown = "" if from_file else f", not {mask(repr(raw))}"
            raise ValueError(f"{name} {error}{shown}") from None

    def choose(self, name: str, given: Values) -> Value:
        """Return the given value or the default, with the placeholders filled in."""
        option = self.table[name]
        default = option.default
        if self.development and option.development is not None:
            default = option.development
        value = given.get(name) or Value(option, default, "default", option.secret)
        return value._replace(value=fill(value.value, {} if value.hidden else self.places))

    def secured(self, secret: Value) -> Value:
        """Return the secret; a required one that is missing is generated in development."""
        name = secret.option.name
        path = self.secrets_dir / name
        if secret.value is None and self.development:
            path = credentials.folder(self.environ, self.secrets_dir) / name
            return Value(secret.option, credentials.generate(path), f"file {path}", True)
        if secret.value is None:
            self.complaints.append(
                f"{name}: there is no file {path}; {credentials.how_to_write(path)}"
                " (in service.mode development it is generated)"
            )
        elif not self.development and secret.value.startswith(credentials.DEVELOPMENT):
            self.complaints.append(
                f"{secret.origin}: {name} was generated for development, and the service runs in"
                f" production; {credentials.how_to_write(path)}"
            )
        return secret

    def sections(self) -> set[str]:
        return {option.section for option in self.table.values()}

    def unknown(self, name: str) -> str:
        section = name.partition(".")[0]
        if section not in self.sections():
            return f"unknown section [{section}]; {_nearest(section, self.sections())}"
        nearest = _nearest(name, self.table, f"{section}.")
        return f"unknown option {name}; {nearest}"


def _nearest(name: str, known: Collection[str], prefix: str = "") -> str:
    for match in difflib.get_close_matches(name.lower(), known, n=1):
        return f"did you mean {match}?"
    return f"known are {', '.join(sorted(each for each in known if each.startswith(prefix)))}"


def fill(value: Any, places: Mapping[str, str]) -> Any:
    """Return the value with the placeholders in its text filled in, a path made absolute."""
    if isinstance(value, tuple):
        return type(value)(fill(item, places) for item in value)
    if isinstance(value, Path):
        return Path(fill(str(value), places)).absolute()
    if isinstance(value, str):
        for place, text in places.items():
            value = value.replace(place, text)
    return value
