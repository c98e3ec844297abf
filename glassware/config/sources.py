"""The layers a configuration is read from, as plain settings. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from configparser import ConfigParser, DuplicateOptionError, DuplicateSectionError, ParsingError
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from glassware.config.errors import ConfigError

PREFIX = "GLASSWARE_"


#: The value of a setting that only opens a section: its options are commented out.
EMPTY_SECTION = object()


class Setting(NamedTuple):
    """What one layer says: a name, its unparsed value, and where it was said."""

    name: str
    raw: object
    origin: str
    from_file: bool = False


class _Parser(ConfigParser):
    def __init__(self) -> None:
        # No interpolation: a password may hold a "%". No [DEFAULT]: it would put its options into
        # every section, past the check for unknown ones.
        super().__init__(
            interpolation=None,
            strict=True,
            delimiters=("=",),
            default_section="\0",
            empty_lines_in_values=False,
        )

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def package(name: str) -> Iterator[Setting]:
    """Yield what the package's ``default_config.ini`` says; without the file, nothing."""
    file = resources.files(name).joinpath("default_config.ini")
    if file.is_file():
        yield from ini(file.read_text("utf-8"), "package default_config.ini")


def files(etc: Path, service: str) -> Iterator[Setting]:
    """Yield what ``<etc>/<service>.ini`` says, then each ``<etc>/<service>.d/*.ini`` by name."""
    for path in (etc / f"{service}.ini", *sorted(etc.glob(f"{service}.d/*.ini"))):
        try:
            text = path.read_text("utf-8-sig")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{path}: is not UTF-8 text") from None
        yield from ini(text, str(path))


def ini(text: str, origin: str) -> Iterator[Setting]:
    """Yield what the INI text says. Raises ConfigError with the number of a line at fault."""
    parser = _Parser()
    try:
        parser.read_string(text)
    except (ParsingError, DuplicateOptionError, DuplicateSectionError) as error:
        # Never the parser's own words: they quote the line, which may hold a password.
        raise ConfigError(f"{origin}: {_fault(error)}") from None
    for section in parser.sections():
        if not parser[section]:
            yield Setting(section, EMPTY_SECTION, origin)
        for option, value in parser[section].items():
            yield Setting(f"{section}.{option}", value, origin)


def _fault(error: ParsingError | DuplicateOptionError | DuplicateSectionError) -> str:
    if isinstance(error, DuplicateOptionError):
        return f"line {error.lineno}: {error.section}.{error.option} is set a second time"
    if isinstance(error, DuplicateSectionError):
        return f"line {error.lineno}: section [{error.section}] begins a second time"
    line = getattr(error, "lineno", None) or error.errors[0][0]
    return f"line {line} is neither a [section] nor an option = value; comments begin with #"


def variable(service: str, name: str) -> str:
    """Return the environment variable that sets the option: ``GLASSWARE_TASKS__SERVER__PORT``."""
    return f"{_prefix(service)}{name.replace('.', '__').upper()}"


def _prefix(service: str) -> str:
    return f"{PREFIX}{service.replace('-', '_').upper()}__"


def environment(environ: Mapping[str, str], service: str) -> Iterator[Setting]:
    """Yield what the variables with the service's prefix say."""
    prefix = _prefix(service)
    for key in sorted(environ):
        if key.startswith(prefix):
            name = key.removeprefix(prefix).lower().replace("__", ".", 1)
            yield Setting(name, environ[key], f"environment {key}")


def overrides(values: Mapping[str, object]) -> Iterator[Setting]:
    """Yield what the command line says."""
    for name, value in values.items():
        yield Setting(name, value, "command line")
