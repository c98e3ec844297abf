"""Where the content of entries comes from, and how they become one archive."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from os import SEEK_END
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

from glassware.client import Client, OutsideClient
from glassware.problems import InvalidProblem, Problem, TooLargeProblem
from glassware_archives.domain.ahead import Ahead, Bounds, Fetch, Source
from glassware_archives.domain.engine import ALONE, PLAIN, Stream, build
from glassware_archives.domain.entries import EARLIEST, Entry, Kind, Limits
from glassware_archives.domain.exports import Exports, file, missing, tree
from glassware_archives.domain.formats import FORMATS
from glassware_archives.domain.ledger import Ledger
from glassware_archives.domain.names import check_names
from glassware_archives.domain.options import Options
from glassware_archives.domain.spool import BLOCK
from glassware_archives.domain.workers import Workers
from glassware_archives.domain.zip.length import zip_length

Wish = Mapping[str, Any]
Parts = Mapping[str, IO[bytes]]
Finished = Callable[[int, int], None]
#: Beyond it the header of a tar has the size in a record of its own.
_TAR_PLAIN = 8**11 - 1


class Ways(NamedTuple):
    """The ways to a source: out to the addresses that callers choose, and to the neighbours.

    ``exports`` are folders of this machine, ``parts`` the files that came with the request.
    """

    outside: OutsideClient
    siblings: Mapping[str, Client]
    bounds: Bounds = Bounds()
    exports: Exports = {}
    parts: Parts = {}


def archive(
    form: str,
    wishes: Sequence[Wish],
    ways: Ways,
    limits: Limits,
    options: Options = PLAIN,
    workers: Workers = ALONE,
    ledger: Ledger | None = None,
    finished: Finished = lambda _steps, _of: None,
) -> Stream:
    """Yield the archive of the wished entries. See ``build`` for what fails, and how.

    A wish has a ``name`` and one of ``text``, ``base64`` (bytes), ``url``, ``part``, ``export``
    with ``path``, or ``service`` with ``path`` and ``accept``; optionally ``size``, ``modified``
    and ``mode``. The path of an export that ends in a slash stands for all that is below. One of
    another ``kind`` than a file has none of them but ``modified`` and ``mode``; a link has a
    ``target``. ``finished`` is told how many entries are in the archive, of how many.
    """
    wishes = [each for wish in wishes for each in spread(wish, ways, limits)]
    if len(wishes) > limits.max_entries:
        raise TooLargeProblem(f"An archive has at most {limits.max_entries} entries.")
    if options.names == "refuse":
        check_names(((each["name"], kind(each)) for each in wishes), FORMATS[form])
    with closing(entries(wishes, ways)) as opened:
        given = counted(opened, finished, len(wishes))
        yield from build(form, given, limits, options, workers, ledger)


def length(wish: Wish) -> int | None:
    """Return how long the archive will be, None where that is known only at its end."""
    if wish["format"] not in ("zip", "tar") or not Options.of(wish).is_plain(wish["format"]):
        return None
    entries = [entry(each, (), told_size(each)) for each in wish["entries"]]
    return zip_length(entries) if wish["format"] == "zip" else tar_length(entries)


def tar_length(entries: Sequence[Entry]) -> int | None:
    """Return the length of a tar, None where a size is not known, or is told in another way.

    It is that of one whose files are all empty, and of the content in blocks of 512 bytes.
    """
    sizes = [entry.size if entry.kind == "file" else 0 for entry in entries]
    if any(size is None or size > _TAR_PLAIN for size in sizes):
        return None
    empty = (entry._replace(size=0) for entry in entries)
    heads = sum(map(len, build("tar", empty, Limits(max_entries=len(entries)))))
    return heads + sum(-(-(size or 0) // 512) * 512 for size in sizes)


def kind(wish: Wish) -> Kind:
    return wish.get("kind", "file")


def told_size(wish: Wish) -> int | None:
    """Return the size that is known before anything is read."""
    if "export" in wish:
        return None
    return wish.get("size", inline(wish).size if is_inline(wish) else None)


def is_inline(wish: Wish) -> bool:
    """Whether the content, if there is any, is in the wish itself."""
    return not any(key in wish for key in ("url", "service", "part", "export"))


def entry(wish: Wish, content: Iterable[bytes], size: int | None) -> Entry:
    """Return the entry of a wish."""
    name, modified = unicodedata.normalize("NFC", wish["name"]), wish.get("modified", EARLIEST)
    mode = int(wish["mode"], 8) if "mode" in wish else None
    return Entry(name, content, size, modified, kind(wish), mode, wish.get("target", ""))


def counted(entries: Iterable[Entry], finished: Finished, of: int) -> Iterator[Entry]:
    """Yield the entries; the next is asked for when the last is in the archive."""
    for number, entry in enumerate(entries):
        finished(number, of)
        yield entry
    finished(of, of)


def entries(wishes: Sequence[Wish], ways: Ways) -> Generator[Entry, None, None]:
    """Yield the entries in their order, while the sources of the next ones are being fetched.

    A source that cannot be had fails where the content of its entry is read.
    """
    found = [fetch(wish, ways) for wish in wishes]
    with closing(Ahead([each for each in found if each is not None], ways.bounds)) as ahead:
        for wish, each in zip(wishes, found, strict=True):
            content, size = (
                at_hand(wish, ways) if each is None else started(each, partial(ahead.take, each))
            )
            yield entry(wish, told(wish, content), wish.get("size", size))


def fetch(wish: Wish, ways: Ways) -> Fetch | None:
    """Return how the content of a wish is fetched, None where it is at hand."""
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


def spread(wish: Wish, ways: Ways, limits: Limits) -> Iterator[Wish]:
    """Yield the wish, or one for each file of the folder that it names."""
    if "export" not in wish or not wish["path"].endswith("/"):
        yield wish
        return
    root = exported(wish, ways)
    for place in islice(tree(root, wish["path"]), limits.max_entries + 1):
        path = f"{wish['path'].strip('/')}/{place}"
        yield {**wish, "name": f"{wish['name']}/{place}", "path": path}


def exported(wish: Wish, ways: Ways) -> Path:
    """Return the folder that the wish names. Raises InvalidProblem."""
    if wish["export"] not in ways.exports:
        raise missing()
    return ways.exports[wish["export"]]


def at_hand(wish: Wish, ways: Ways) -> Source:
    """Return what no other machine has to be asked for."""
    if "export" in wish:
        found = Fetch("", partial(file, exported(wish, ways), wish["path"]))
        return started(found, partial(found.begin, ways.bounds.seconds))
    if "part" in wish:
        return part(wish, ways)
    return inline(wish)


def inline(wish: Wish) -> Source:
    """Return what is in the wish itself."""
    if "content" in wish:
        return Source(wish["content"], wish.get("size"))
    data = wish["text"].encode() if "text" in wish else wish.get("base64", b"")
    return Source((data,), len(data))


def started(each: Fetch, start: Callable[[], None]) -> Source:
    """Return the source of a fetch whose turn has come."""
    try:
        start()
    except Problem as problem:
        return Source(failing(problem), None)
    return Source(each.content(), each.size)


def part(wish: Wish, ways: Ways) -> Source:
    found = ways.parts.get(wish["part"])
    if found is None:
        raise InvalidProblem(f"The request has no part {wish['part'][:100]!r}.")
    size = found.seek(0, SEEK_END)
    found.seek(0)
    return Source(iter(partial(found.read, BLOCK), b""), size)


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
