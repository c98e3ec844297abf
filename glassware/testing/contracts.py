"""Contracts: what a service needs of a neighbour, proved on the neighbour itself.

``recorded`` makes them of what a consumer's tests noted, ``Proof`` replays them on a provider: its
real app, with rows that its own ``contracts/given.py`` makes.
"""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx2
from flask import Flask

from glassware.media import json
from glassware.media.xml import tree
from glassware.service import Service
from glassware.testing.issuer import Issuer
from glassware.testing.mesh import Mesh
from glassware.testing.recorder import Need, joined, kind_of

#: Makes the rows that a caller's requests are about; returns their ids by the resource's name.
Given = Callable[[Flask, str], Mapping[str, str]]

XML = "application/xml"
NAME = re.compile(r"\{([a-z_]+)\}")


def recorded(needs: Iterable[Need]) -> list[Need]:
    """Return each need once, with all that was read of its answers, in an order of its own."""
    found: dict[bytes, Need] = {}
    for need in needs:
        known = found.setdefault(json.dumps({**need, "fields": {}}), {**need, "fields": {}})
        for path, kind in need["fields"].items():
            known["fields"][path] = joined(known["fields"].get(path, ""), kind)
    return [
        {**need, "fields": dict(sorted(need["fields"].items()))}
        for _, need in sorted(found.items(), key=lambda item: (item[1]["request"], item[0]))
    ]


class Proof:
    """A provider with the neighbours that it calls, believing the tokens of the proof's issuer.

    Use it as a context manager. ``faults`` yields what a need does not find.
    """

    def __init__(self, service: Service) -> None:
        self.name, self.issuer = service.name, Issuer()
        members = family(service, {})
        self.given = [(name, given(each)) for name, each in members.items()]
        trusting = [replace(each, find_key=self.issuer.find_key) for each in members.values()]
        self.mesh = Mesh(trusting, settings={"limits.storage": ""})

    def __enter__(self) -> Self:
        self.mesh.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.mesh.__exit__()

    def faults(self, need: Need) -> Iterator[str]:
        """Yield what the consumer would miss. Fields that it reads are looked for in XML too."""
        first = (need["headers"].get("Accept", "*/*"), need["media"])
        for media, other in [first, (XML, XML)] if need["fields"] else [first]:
            caller = str(uuid4())
            ids = {"caller": caller, "nobody": str(uuid4())}
            for name, make in self.given:
                ids |= make(self.mesh.apps[name], caller)
            answer = self.replay({**need, "headers": {**need["headers"], "Accept": media}}, ids)
            for fault in [answer] if isinstance(answer, str) else differences(need, answer, other):
                yield f"{need['consumer']}: {need['request']} as {media}: {fault}"

    def replay(self, need: Need, ids: Mapping[str, str]) -> httpx2.Response | str:
        """Return the answer to the request, or why it cannot be made."""
        method, url = NAME.sub(lambda name: ids.get(name[1], name[0]), need["request"]).split(" ")
        if missing := NAME.search(url):
            return f"contracts/given.py makes no {missing[0]}"
        body = NAME.sub(lambda name: ids.get(name[1], name[0]), need["body"] or "")
        headers = dict(need["headers"])
        if need["scopes"] is not None:
            headers |= self.issuer.headers(ids["caller"], need["scopes"])
        with self.mesh.client(self.name) as client:
            return client.request(method, url, headers=headers, content=body.encode() or None)


def differences(need: Need, answer: httpx2.Response, other: str) -> Iterator[str]:
    """Yield how the answer differs from the one that the consumer read, in its or the ``other``
    media type."""
    media = answer.headers.get("Content-Type", "").partition(";")[0]
    if answer.status_code != need["status"]:
        yield f"the answer is {answer.status_code}, not {need['status']}: {answer.text[:300]}"
    elif media not in (need["media"], other):
        yield f"the answer is {media}, not {need['media']}"
    elif media == XML:
        root = tree.parse(answer.content) if need["fields"] else None
        for path in need["fields"]:
            if root and not any(in_xml(root, path.split("/")[1:])):
                yield f"there is no field {path}"
    else:
        yield from missing_in_json(need["fields"], answer)


def missing_in_json(fields: Mapping[str, str], answer: httpx2.Response) -> Iterator[str]:
    document = json.loads(answer.content) if fields else None
    for path, kinds in fields.items():
        found = {kind_of(value) for value in in_json(document, path.split("/")[1:])}
        if not found:
            yield f"there is no field {path}"
        elif not found <= {*kinds.split("|"), "null"} and kinds != "null":
            yield f"the field {path} is {joined(*found)}, not {kinds}"


def in_json(value: Any, steps: list[str]) -> Iterator[object]:
    """Yield what stands at the path; ``*`` stands for each item of a list."""
    if not steps:
        yield value
    elif steps[0] == "*" and isinstance(value, list):
        for item in value:
            yield from in_json(item, steps[1:])
    elif isinstance(value, dict) and steps[0] in value:
        yield from in_json(value[steps[0]], steps[1:])


def in_xml(element: tree.Element, steps: list[str]) -> Iterator[tree.Element]:
    if not steps:
        yield element
    for child in element.children if steps else ():
        if steps[0] in ("*", child.name):
            yield from in_xml(child, steps[1:])


def family(service: Service, known: dict[str, Service]) -> dict[str, Service]:
    """Return the service with the neighbours that it calls, and theirs, as far as installed."""
    known[service.name] = service
    for name in service.siblings:
        if name not in known and find_spec(f"glassware_{name}"):
            family(import_module(f"glassware_{name}.app").service, known)
    return known


def given(service: Service) -> Given:
    """Return what makes the rows that contracts with the service speak of; none by default."""
    package = import_module(service.package).__file__ or ""
    path = Path(package).parents[2] / "contracts" / "given.py"
    if not path.exists():
        return lambda _app, _caller: {}
    found: Given = runpy.run_path(str(path))["given"]
    return found
