"""The client of a sibling: documents in and out, every failure a problem with its cause."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any, NamedTuple, TypedDict, Unpack
from urllib.parse import urlencode

import httpx2

from glassware.client.answers import Answer, Call, send
from glassware.client.transports import (
    ENDS,
    BearerTransport,
    Budget,
    Deadline,
    DeadlineTransport,
    NetworkTransport,
    RetryTransport,
    TraceTransport,
)
from glassware.client.transports.network import timeouts
from glassware.media import json as json_media
from glassware.observe import context
from glassware.problems import InvalidProblem, MalformedBodyProblem

#: Bytes of a document; what is larger is for ``Client.stream``.
MAX_DOCUMENT = 8 * 1024 * 1024


class Options(TypedDict, total=False):
    """What a request may carry besides its method and URL; ``params`` join the URL's own."""

    json: Any
    form: Mapping[str, str]
    params: Mapping[str, Any]
    headers: Mapping[str, str]
    accept: str


class Reply(NamedTuple):
    """A document with the status and the headers that it came with."""

    status: int
    headers: httpx2.Headers
    document: Any


def nobody() -> None:
    """Give no token: the calls are nobody's."""


class Client:
    """Calls the sibling ``name`` at ``base_url``.

    ``timeout`` seconds are for a whole call, its ``retries`` and the document included, fewer where
    the request being served has fewer left; ``retry_share`` is the most that tries again may be of
    all calls; ``token`` gives the bearer token of each request, or None; ``transport`` replaces the
    network. URLs are paths below the base, or absolute ones of its origin. No redirect is followed,
    no cookie kept.

    Raises ``UpstreamProblem`` for a failed or unusable answer (its ``upstream_status`` is the
    status, None when there was none), ``UnreachableProblem``, ``UpstreamTimeoutProblem``, its kind
    ``OutOfTimeProblem`` before anything is sent, and ``InvalidProblem`` for a URL of another
    origin; ``ValueError`` for a base that is no URL.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        transport: httpx2.BaseTransport | None = None,
        timeout: float = 5.0,
        retries: int = 2,
        retry_share: float = 0.2,
        token: Callable[[], str | None] = nobody,
    ) -> None:
        self.name = name
        self._base = parsed_base(base_url)
        self._timeout = timeout
        bearer = BearerTransport(transport or NetworkTransport(), self._base, token)
        timed = DeadlineTransport(TraceTransport(bearer))
        self._transport = RetryTransport(timed, retries, budget=Budget(retry_share))

    def __repr__(self) -> str:
        return f"Client({self.name!r}, {str(self._base)!r})"

    def get(self, url: str, **options: Unpack[Options]) -> Any:
        """Return the document at the URL."""
        return self.request("GET", url, **options).document

    def post(self, url: str, **options: Unpack[Options]) -> Any:
        """Post, and return the document answered; repeated only with an Idempotency-Key."""
        return self.request("POST", url, **options).document

    def put(self, url: str, **options: Unpack[Options]) -> Any:
        """Put, and return the document answered."""
        return self.request("PUT", url, **options).document

    def patch(self, url: str, **options: Unpack[Options]) -> Any:
        """Patch, and return the document answered; repeated only with an Idempotency-Key."""
        return self.request("PATCH", url, **options).document

    def delete(self, url: str, **options: Unpack[Options]) -> Any:
        """Delete, and return the document answered, mostly None."""
        return self.request("DELETE", url, **options).document

    def request(self, method: str, url: str, **options: Unpack[Options]) -> Reply:
        """Return the document answered (None for a 204), its status and its headers."""
        options.setdefault("accept", "application/json")
        call = self._call(method, url, options, self._timeout)
        with closing(send(self._transport, call)) as answer:
            return Reply(answer.status, answer.headers, document(answer))

    @contextmanager
    def stream(self, method: str, url: str, **options: Unpack[Options]) -> Iterator[Answer]:
        """Give the answer with its body unread; ``timeout`` then holds for each silence in it."""
        call = self._call(method, url, options, math.inf)
        with closing(send(self._transport, call)) as answer:
            answer.check()
            answer.read_until(Deadline(self._timeout, context.ends()))
            yield answer

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _call(self, method: str, url: str, options: Options, patience: float) -> Call:
        headers = httpx2.Headers(options.get("headers"))
        headers.setdefault("Accept", options.get("accept", "*/*"))
        headers["Accept-Encoding"] = "identity"
        content = None
        if (value := options.get("json")) is not None:
            content = json_media.dumps(value)
            headers.setdefault("Content-Type", "application/json")
        elif (form := options.get("form")) is not None:
            content = urlencode(form).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        target = self._resolve(url, options.get("params"))
        moment = time.monotonic()
        ends = min(context.ends(), moment + patience)
        seconds = max(0.0, min(self._timeout, ends - moment))
        extensions = {**timeouts(Deadline(seconds)), ENDS: ends}
        request = httpx2.Request(
            method, target, headers=headers, content=content, extensions=extensions
        )
        return Call(self.name, request)

    def _resolve(self, reference: str, params: Mapping[str, Any] | None) -> httpx2.URL:
        try:
            url = httpx2.URL(reference)
        except (httpx2.InvalidURL, UnicodeError) as error:
            raise InvalidProblem(f"The URL for {self.name} is not one: {error}.") from error
        if not (url.scheme or url.raw_host):
            path = self._base.raw_path.rstrip(b"/") + b"/" + url.raw_path.lstrip(b"/")
            url = self._base.copy_with(raw_path=path)
        return url.copy_merge_params(dict(params)) if params else url


def parsed_base(text: str) -> httpx2.URL:
    """Return a URL that paths can be below, and that has no secret in it; else ``ValueError``."""
    with suppress(httpx2.InvalidURL):
        url = httpx2.URL(text)
        plain = not (url.userinfo or url.query or url.fragment)
        if plain and url.scheme in ("http", "https") and url.raw_host:
            return url
    raise ValueError("The base URL of a service must be of the form http(s)://host[:port][/path].")


def document(answer: Answer) -> Any:
    """Return the JSON document of a successful answer; None when it has no content."""
    answer.check()
    if answer.status == 204:
        return None
    media_type = answer.content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise answer.call.broken("is not JSON by its Content-Type", answer.status)
    try:
        return answer.watched(json_media.loads(answer.read(MAX_DOCUMENT)))
    except MalformedBodyProblem as error:
        raise answer.call.broken("claims to be JSON, and is not", answer.status) from error
