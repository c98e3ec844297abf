"""Secrets: one file each, named ``section.option``."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from glassware.config.errors import ConfigError
from glassware.config.sources import Setting

#: Marks a secret that was generated in development; production refuses it.
DEVELOPMENT = "development-"

#: What systemd puts before each name when ``LoadCredential=glassware:<folder>`` loads a folder.
_UNIT_PREFIX = "glassware_"


def folder(environ: Mapping[str, str], secrets_dir: Path) -> Path:
    """Return where the secrets are: the unit's credentials, or the configured folder."""
    return Path(environ.get("CREDENTIALS_DIRECTORY") or secrets_dir)


def settings(
    environ: Mapping[str, str], secrets_dir: Path, known: Collection[str]
) -> Iterator[Setting]:
    """Yield what the files of the folder say, by name; without the folder, nothing.

    The unit's folder may hold credentials of others: only names that are ours count there. In the
    configured folder each file must be a known option, so it is yielded whatever its name is.
    """
    directory = folder(environ, secrets_dir)
    shared = directory != secrets_dir
    for path in _listing(directory):
        name = path.name.removeprefix(_UNIT_PREFIX) if shared else path.name
        if not shared or name != path.name or name in known:
            yield Setting(name, read(path), f"file {path}", from_file=True)


def _listing(directory: Path) -> list[Path]:
    try:
        paths = sorted(directory.iterdir())
        return [path for path in paths if not path.name.startswith(".") and path.is_file()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(
            f"secrets folder {directory}: cannot be read: {error.strerror}; run as the service's"
            " user or as root, or set service.secrets_dir"
        ) from None


def read(path: Path) -> str:
    """Return the file's text without its last line end. Raises ConfigError when there is none."""
    try:
        text = path.read_text("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"file {path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"file {path}: is not UTF-8 text") from None
    if not text.strip():
        raise ConfigError(f"file {path}: is empty; {how_to_write(path)}")
    return text


def generate(path: Path) -> str:
    """Return the development secret in the file, made if there is none.

    Of several processes that come at once the first one's secret is everybody's: the file appears
    whole or not at all, and is never replaced. Raises ConfigError when it cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", prefix=".", dir=path.parent) as draft:
            draft.write(f"{DEVELOPMENT}{secrets.token_urlsafe(32)}\n")
            draft.flush()
            with suppress(FileExistsError):
                os.link(draft.name, path)
    except OSError as error:
        raise ConfigError(
            f"file {path}: cannot be generated: {error.strerror}; set service.secrets_dir to a"
            " folder that this user may write"
        ) from None
    return read(path)


def how_to_write(path: Path) -> str:
    """Return the advice to write a secret into the file."""
    return f"write the secret there: (umask 077; openssl rand -hex 32 > {path})"
