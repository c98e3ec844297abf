"""What a service asks of its neighbours, and what it reads of their answers, noted in its tests."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, ItemsView, Iterator, Mapping, ValuesView
from typing import Any

import httpx2

from glassware.client.answers import WATCH
from glassware.client.transports.layer import Layer
from glassware.media import json
from glassware.media.xml.write import singular

Need = dict[str, Any]
Note = Callable[[str, object], None]

NOT_FOUND, INVALID = 404, 422
#: An id, with the step of the URL above it.
ID = re.compile(r"(([a-z_]+)/)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
#: Headers that the answer depends on; the values of others are new each time.
HEADERS = ("Accept", "Content-Type", "If-Match")
KINDS = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


class Recorder(Layer):
    """Adds a need of the ``consumer`` to ``needs`` for each call to the ``provider``."""

    def __init__(
        self, inner: httpx2.BaseTransport, consumer: str, provider: str, needs: list[Need]
    ) -> None:
        super().__init__(inner)
        self.consumer, self.provider, self.needs = consumer, provider, needs

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request, and have the readers of the answer's document watched."""
        response = self.inner.handle_request(request)
        fields: dict[str, str] = {}

        def note(path: str, value: object) -> None:
            fields[path] = joined(fields.get(path, ""), kind_of(value))

        response.extensions[WATCH] = lambda document: watched(document, "", note)
        who = {"consumer": self.consumer, "provider": self.provider}
        self.needs.append({**who, **asked(request, response), "fields": fields})
        return response


def asked(request: httpx2.Request, response: httpx2.Response) -> Need:
    """Return what was asked and answered: ids by what they name, nothing that is new each time."""
    claims, status = claims_of(request.headers.get("Authorization", "")), response.status_code
    url = request.url
    url = url.copy_remove_param("cursor") if "cursor" in url.params else url

    def named(text: bytes, *, nobody: bool) -> str:
        def name(found: re.Match[str]) -> str:
            above, step, id = found.groups("")
            thing = "nobody" if nobody or not step else singular(step)
            return f"{above}{{{'caller' if id == claims.get('sub') else thing}}}"

        return ID.sub(name, text.decode())

    sent = {name: request.headers[name] for name in HEADERS if name in request.headers}
    return {
        "request": f"{request.method} {named(url.raw_path, nobody=status == NOT_FOUND)}",
        "headers": {**sent, "If-Match": "*"} if "If-Match" in sent else sent,
        "body": named(request.content, nobody=status == INVALID) if request.content else None,
        "scopes": claims.get("scope"),
        "status": status,
        "media": response.headers.get("Content-Type", "").partition(";")[0],
    }


def claims_of(authorization: str) -> Mapping[str, Any]:
    """Return what the token says, which the provider has checked; nothing without a token."""
    scheme, _, token = authorization.partition(" ")
    if scheme != "Bearer":
        return {}
    claims: Any = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return {**claims, "scope": " ".join(sorted(claims.get("scope", "").split()))}


def kind_of(value: object) -> str:
    return next((name for kind, name in KINDS.items() if isinstance(value, kind)), "number")


def joined(*kinds: str) -> str:
    """Return the kinds of a field as one text, such as ``null|string``."""
    return "|".join(sorted({kind for each in kinds for kind in each.split("|") if kind}))


def watched(value: Any, path: str, note: Note) -> Any:
    """Return the document, such that each member of an object that is read is noted."""
    if isinstance(value, list):
        return [watched(item, f"{path}/*", note) for item in value]
    return Watched(value, path, note) if isinstance(value, dict) else value


class Watched(dict[str, Any]):
    """An object of a document that notes which of its members are read.

    A dict, as those who read it may rely on, whose every way to a value goes by ``[]``.
    """

    def __init__(self, value: Mapping[str, Any], path: str, note: Note) -> None:
        super().__init__(
            {name: watched(item, f"{path}/{name}", note) for name, item in value.items()}
        )
        self.path, self.note = path, note

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        self.note(f"{self.path}/{name}", value)
        return value

    def __contains__(self, name: object) -> bool:
        self.get(str(name))
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        # Where this is a method of the class, `{**document}` and `dict(document)` use `[]`.
        return super().__iter__()

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if super().__contains__(name) else default

    def items(self) -> Any:
        return ItemsView(self)

    def values(self) -> Any:
        return ValuesView(self)

    def pop(self, name: str, *default: Any) -> Any:
        self.get(name)
        return super().pop(name, *default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        self.get(name)
        return super().setdefault(name, default)

    def copy(self) -> dict[str, Any]:
        """Return a copy, for which all of it is read."""
        return {**self}
