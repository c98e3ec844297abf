"""Where the content of entries comes from, and how they become one archive."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from glassware.client import Client, OutsideClient
from glassware.problems import Problem
from glassware_archives.domain.ahead import Ahead, Bounds, Fetch, Source
from glassware_archives.domain.engine import ALONE, PLAIN, Stream, build
from glassware_archives.domain.entries import EARLIEST, Entry, Kind, Limits
from glassware_archives.domain.formats import FORMATS
from glassware_archives.domain.ledger import Ledger
from glassware_archives.domain.names import check_names
from glassware_archives.domain.options import Options
from glassware_archives.domain.workers import Workers
from glassware_archives.domain.zip.length import zip_length

Wish = Mapping[str, Any]


class Ways(NamedTuple):
    """The ways to a source: out to the addresses that callers choose, and to the neighbours."""

    outside: OutsideClient
    siblings: Mapping[str, Client]
    bounds: Bounds = Bounds()


def archive(
    form: str,
    wishes: Sequence[Wish],
    ways: Ways,
    limits: Limits,
    options: Options = PLAIN,
    workers: Workers = ALONE,
    ledger: Ledger | None = None,
    finished: Callable[[int], None] = lambda _number: None,
) -> Stream:
    """Yield the archive of the wished entries. See ``build`` for what fails, and how.

    A wish has a ``name`` and one of ``text``, ``base64`` (bytes), ``url``, or ``service`` with
    ``path`` and ``accept``; optionally ``size``, ``modified`` and ``mode``. One of another
    ``kind`` than a file has none of them but ``modified`` and ``mode``; a link has a ``target``.
    ``finished`` is told how many entries are in the archive.
    """
    if options.names == "refuse":
        check_names(((each["name"], kind(each)) for each in wishes), FORMATS[form])
    with closing(entries(wishes, ways)) as opened:
        yield from build(form, counted(opened, finished), limits, options, workers, ledger)


def length(wish: Wish) -> int | None:
    """Return how long the archive will be, None where that is known only at its end."""
    options = Options.of(wish)
    if wish["format"] != "zip" or not options.is_plain:
        return None
    return zip_length([entry(each, (), told_size(each)) for each in wish["entries"]])


def kind(wish: Wish) -> Kind:
    return wish.get("kind", "file")


def told_size(wish: Wish) -> int | None:
    return wish.get("size", inline(wish).size if fetched(wish) is None else None)


def fetched(wish: Wish) -> str | None:
    """Return by what an entry's content is found elsewhere, None where it is in the wish."""
    return next((key for key in ("url", "service") if key in wish), None)


def entry(wish: Wish, content: Iterable[bytes], size: int | None) -> Entry:
    """Return the entry of a wish."""
    name, modified = unicodedata.normalize("NFC", wish["name"]), wish.get("modified", EARLIEST)
    mode = int(wish["mode"], 8) if "mode" in wish else None
    return Entry(name, content, size, modified, kind(wish), mode, wish.get("target", ""))


def counted(entries: Iterable[Entry], finished: Callable[[int], None]) -> Iterator[Entry]:
    """Yield the entries; the next is asked for when the last is in the archive."""
    number = -1
    for number, entry in enumerate(entries):
        finished(number)
        yield entry
    finished(number + 1)


def entries(wishes: Sequence[Wish], ways: Ways) -> Generator[Entry, None, None]:
    """Yield the entries in their order, while the sources of the next ones are being fetched.

    A source that cannot be had fails where the content of its entry is read.
    """
    found = [fetch(wish, ways) for wish in wishes]
    with closing(Ahead([each for each in found if each is not None], ways.bounds)) as ahead:
        for wish, each in zip(wishes, found, strict=True):
            content, size = inline(wish) if each is None else taken(each, ahead)
            yield entry(wish, told(wish, content), wish.get("size", size))


def fetch(wish: Wish, ways: Ways) -> Fetch | None:
    """Return how the content of a wish is fetched, None where it is in the wish."""
    if "url" in wish:
        return Fetch(host(wish["url"]), partial(from_url, wish["url"], ways.outside))
    if "service" in wish:
        sibling = ways.siblings[wish["service"]]
        return Fetch(wish["service"], partial(from_sibling, wish, sibling))
    return None


def host(url: str) -> str:
    """Return host and port; whether it is a URL at all is for the guard to say."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


@contextmanager
def from_url(url: str, outside: OutsideClient) -> Iterator[Source]:
    with outside.stream(url) as answer:
        yield Source(answer, answer.length)


@contextmanager
def from_sibling(wish: Wish, sibling: Client) -> Iterator[Source]:
    with sibling.stream("GET", wish["path"], accept=wish["accept"]) as answer:
        yield Source(answer, answer.length)


def inline(wish: Wish) -> Source:
    if "content" in wish:
        return Source(wish["content"], wish.get("size"))
    data = wish["text"].encode() if "text" in wish else wish.get("base64", b"")
    return Source((data,), len(data))


def taken(each: Fetch, ahead: Ahead) -> Source:
    """Return the source of a fetch whose turn has come."""
    try:
        ahead.take(each)
    except Problem as problem:
        return Source(failing(problem), None)
    return Source(each.content(), each.size)


def failing(problem: Problem) -> Iterator[bytes]:
    yield from ()
    raise problem


def told(wish: Wish, content: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content; a problem on the way says which entry it was."""
    try:
        yield from content
    except Problem as problem:
        problem.extensions.setdefault("entry", wish["name"])
        raise
