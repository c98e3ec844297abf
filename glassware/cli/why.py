"""``glassware why``: the story of a request, out of the logs of all services."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import IO, Any

import click

Line = dict[str, Any]

PLACES = ("var/log", "/var/log/glassware")
TIMEOUT = 60
CALL, END = "neighbour_called", "request"
#: Members of a line that the story tells in its own way, or not at all.
TOLD = set("ts level logger event service request_id trace_id span_id exception".split())
UNKNOWN = """\
There is no line of the request {request_id} in {places}.

* The id is the member request_id of a problem, and the header X-Request-Id of every answer.
* Logs that lie elsewhere: --logs FOLDER. A journal of another machine: `journalctl -o json > FILE`
  there, and --journal FILE here.
* Lines of requests are written from log.level INFO on, and old ones may have been removed."""


@dataclass
class Hop:
    """What one service did for the request; ``end`` is its access line, None while it lacks one.

    ``answers`` are the hops that its calls led to, by the id of the call.
    """

    service: str
    lines: list[Line] = field(default_factory=list)
    end: Line | None = None
    answers: dict[str, list[Hop]] = field(default_factory=dict)

    @cached_property
    def began(self) -> datetime:
        own = began(self.end) if self.end else min(map(began, self.lines))
        return min([own, *(moment for moment, _, _ in self.steps())])

    def steps(self) -> list[tuple[datetime, Line, list[Hop]]]:
        """Return when each line's matter began, the line, and what answered it, in order.

        No later than any answer: what is busy writes a line later than the moment it tells of.
        """
        steps = []
        for line in self.lines:
            answers = sorted(self.answers.get(line.get("call_id", ""), ()), key=BEGAN)
            steps.append((min([began(line), *map(BEGAN, answers)]), line, answers))
        return sorted(steps, key=itemgetter(0))

    def services(self) -> Iterator[str]:
        """Yield the names of all that had to do with it, who asks before who answers."""
        yield self.service
        for _, _, answers in self.steps():
            for answer in answers:
                yield from answer.services()


BEGAN = attrgetter("began")


@click.command()
@click.argument("request_id")
@click.option(
    "--logs",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A log or a folder of *.jsonl; default: var/log, /var/log/glassware, or the journal.",
)
@click.option(
    "--journal", type=click.File(), help="What `journalctl -o json` wrote, or - for stdin."
)
def why(request_id: str, logs: tuple[Path, ...], journal: IO[str] | None) -> None:
    """Tell the story of a request: what each service did, for how long, and what went wrong.

    A call is told where it was made, and what the neighbour did about it below.
    """
    root = click.get_current_context().find_object(Path) or Path()
    files = [file for place in logs or PLACES for file in found(root / place)]
    if journal is not None:
        texts, places = messages(journal), journal.name
    elif files:
        texts, places = lines_of(files), ", ".join(map(str, files))
    else:
        texts, places = messages(journalctl(request_id)), "the journal"
    tops = joined(line for text in texts if request_id in text for line in parsed(text, request_id))
    if not tops:
        raise click.ClickException(UNKNOWN.format(request_id=request_id, places=places))
    click.echo("\n".join(story(request_id, tops)))


def found(place: Path) -> list[Path]:
    return sorted(place.glob("**/*.jsonl")) if place.is_dir() else [place] * place.exists()


def lines_of(files: Iterable[Path]) -> Iterator[str]:
    for file in files:
        with file.open(errors="replace") as lines:
            yield from lines


def journalctl(request_id: str) -> list[str]:
    """Return what the journal of this machine has. Raises ClickException."""
    command = ["journalctl", "-o", "json", "-u", "glassware-*", f"--grep={request_id}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise click.ClickException(
            f"There are no logs in {' or '.join(PLACES)}, and the journal cannot be read"
            f" ({error}): name them by --logs."
        ) from None
    return done.stdout.splitlines()


def messages(entries: Iterable[str]) -> Iterator[str]:
    """Yield the text of each entry of a journal, where it may be a list of bytes."""
    for entry in entries:
        with suppress(ValueError, AttributeError):
            message = json.loads(entry).get("MESSAGE") or ""
            yield bytes(message).decode(errors="replace") if type(message) is list else message


def parsed(text: str, request_id: str) -> Iterator[Line]:
    """Yield the line, if it is one of ours and of the request."""
    with suppress(ValueError):
        line = json.loads(text)
        if isinstance(line, dict) and line.get("request_id") == request_id:
            yield line


def joined(lines: Iterable[Line]) -> list[Hop]:
    """Return the hops that none of the others asked for, in order; the others are below them."""
    hops: dict[str, Hop] = {}
    for line in lines:
        hop = hops.setdefault(str(line.get("span_id")), Hop(line["service"]))
        if line["event"] == END:
            hop.end = line
        else:
            hop.lines.append(line)
    callers = {line.get("call_id"): hop for hop in hops.values() for line in hop.lines}
    tops = []
    for hop in hops.values():
        parent = (hop.end or {}).get("parent_id")
        if parent and (caller := callers.get(parent)):
            caller.answers.setdefault(parent, []).append(hop)
        else:
            tops.append(hop)
    return sorted(tops, key=BEGAN)


def began(line: Line) -> datetime:
    """Return when what the line tells of began; it is written when that has ended."""
    return datetime.fromisoformat(line["ts"]) - timedelta(seconds=line.get("seconds", 0))


def story(request_id: str, tops: list[Hop]) -> Iterator[str]:
    """Yield the lines to show; a hop stands where it was asked for, or at the top."""
    services = ", ".join(dict.fromkeys(name for hop in tops for name in hop.services()))
    first = tops[0].began
    yield f"{request_id}, {first:%Y-%m-%d %H:%M:%S} UTC, through {services}"
    for hop in tops:
        yield ""
        for moment, depth, text in told(hop, 0):
            offset = f"{(moment - first) / timedelta(milliseconds=1):9,.1f} ms" if moment else ""
            yield f"{offset:12}  {'  ' * depth}{shown(text)}"


def shown(text: str) -> str:
    """Return the text on one line, without what a terminal would obey: callers can write here."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


Told = tuple[datetime | None, int, str]


def told(hop: Hop, depth: int) -> Iterator[Told]:
    """Yield when, how deep and what; no time for what goes with the line before."""
    yield hop.began, depth, headline(hop)
    for moment, line, answers in hop.steps():
        for answer in answers:
            yield from told(answer, depth + 1)
        if not answers:
            yield moment, depth + 1, called(line) if line["event"] == CALL else other(line)
            yield from ((None, depth + 2, text) for text in raised(line.get("exception")))
    yield from ((None, depth + 1, text) for text in problems(hop.end or {}))


def headline(hop: Hop) -> str:
    line = hop.end
    if line is None:
        return f"{hop.service}  has not ended: it is at work still, or its process died"
    words = [
        hop.service,
        f"{line['method']} {line['path']}",
        f"-> {line.get('status')}",
        took(line),
    ]
    if who := line.get("subject"):
        words.append(f"for {who}")
    return "  ".join([*words, "the caller left"] if line.get("aborted") else words)


def problems(end: Line) -> Iterator[str]:
    for number, problem in enumerate(end.get("problem", ())):
        kind = f"{problem['service']} {problem['status']} {problem['title']}"
        yield f"{'because' if number else 'problem'}  {kind}  {problem['type'] or ''}"
    if detail := end.get("detail"):
        yield f"detail   {detail}"


def called(line: Line) -> str:
    outcome = line["status"]
    lack = "no answer" if isinstance(outcome, str) else "its own lines are not here"
    asked = f"asked {line['neighbour']}  {line['method']} {line['path']}"
    return f"{asked}  -> {outcome}  {took(line)}  {lack}"


def other(line: Line) -> str:
    more = [f"{name}={value}" for name, value in line.items() if name not in TOLD]
    level = [] if line["level"] == "INFO" else [line["level"]]
    return "  ".join([*level, line["event"], *more])


def raised(error: dict[str, str] | None) -> Iterator[str]:
    """Yield the error, and where our own code met it."""
    if error:
        yield f"{error['type']}: {error['message'].partition(chr(10))[0]}"
        places = [each.strip() for each in error["stack"].splitlines() if "  File " in each]
        yield from [each for each in places if is_ours(each)][-1:]


def is_ours(place: str) -> bool:
    inside = place.rpartition("site-packages/")[2]
    return inside == place or inside.startswith("glassware")


def took(line: Line) -> str:
    return f"{line['seconds'] * 1000:,.1f} ms"
