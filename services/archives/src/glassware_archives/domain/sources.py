"""Where the content of entries comes from; each source is opened when its turn has come."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

from glassware.client import Client, OutsideClient
from glassware.problems import Problem
from glassware_archives.domain.engine import Stream, build
from glassware_archives.domain.entries import EARLIEST, Entry, Limits
from glassware_archives.domain.names import check_names

Wish = Mapping[str, Any]


class Ways(NamedTuple):
    """The ways to a source: out to the addresses that callers choose, and to the neighbours."""

    outside: OutsideClient
    siblings: Mapping[str, Client]


class Source(NamedTuple):
    content: Iterable[bytes]
    size: int | None


def archive(form: str, wishes: Sequence[Wish], ways: Ways, limits: Limits) -> Stream:
    """Yield the archive of the wished entries. See ``build`` for what fails, and how.

    A wish has a ``name`` and one of ``text``, ``base64`` (bytes), ``url``, or ``service`` with
    ``path`` and ``accept``; optionally ``size`` and ``modified``.
    """
    check_names(wish["name"] for wish in wishes)
    with closing(entries(wishes, ways)) as opened:
        yield from build(form, opened, limits)


def entries(wishes: Sequence[Wish], ways: Ways) -> Generator[Entry, None, None]:
    """Yield the entries, each with its source open until the next is asked for."""
    for wish in wishes:
        with naming(wish), source(wish, ways) as found:
            size = wish.get("size", found.size)
            content = told(wish, found.content)
            yield Entry(wish["name"], content, size, wish.get("modified", EARLIEST))


@contextmanager
def source(wish: Wish, ways: Ways) -> Iterator[Source]:
    """Open the source of one wish."""
    if "url" in wish:
        with ways.outside.stream(wish["url"]) as answer:
            yield Source(answer, answer.length)
    elif "service" in wish:
        sibling = ways.siblings[wish["service"]]
        with sibling.stream("GET", wish["path"], accept=wish["accept"]) as answer:
            yield Source(answer, answer.length)
    else:
        data = wish["text"].encode() if "text" in wish else wish["base64"]
        yield Source((data,), len(data))


def told(wish: Wish, content: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content; a problem on the way says which entry it was."""
    with naming(wish):
        yield from content


@contextmanager
def naming(wish: Wish) -> Iterator[None]:
    try:
        yield
    except Problem as problem:
        problem.extensions.setdefault("entry", wish["name"])
        raise
