"""Conditional requests (RFC 9110 section 13): strong ETags, and no change without If-Match.

A tag is ``"<version>-<representation>"``: the first half tells versions of the item apart, the
second its media types, sparse fields and the release that wrote them. A change is a change of the
item, so If-Match compares the first half only: one may read XML and patch JSON.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Any

from flask import request
from werkzeug.http import parse_etags

from glassware.api.api import acceptable
from glassware.api.runtime import public_url, runtime
from glassware.problems import ConditionRequiredProblem, StaleProblem

UNCONDITIONAL = "A change must say which version it changes: send If-Match with the ETag."


def digest(*parts: object) -> str:
    return blake2b("\0".join(map(str, parts)).encode(), digest_size=8).hexdigest()


#: The forms of a representation are few; ``fields`` is the caller's to choose.
form_of = lru_cache(256)(digest)


def version(item: Any) -> str:
    return digest(item.id, item.version)


def tag(item: Any) -> str:
    """Return the strong ETag, with its quotes, of the representation now asked for."""
    form = form_of(acceptable(), request.args.get("fields"), runtime().release, public_url())
    return f'"{version(item)}-{form}"'


def matches(given: str) -> bool:
    """Whether If-None-Match names the representation; weak comparison, as it asks for."""
    if "If-None-Match" not in request.headers:
        return False
    return request.if_none_match.contains_weak(given.strip('"'))


def require_match(item: Any) -> None:
    """Raise as ``match`` does for the If-Match of the request."""
    match(item, request.headers.get("If-Match"))


def match(item: Any, given: str | None) -> None:
    """Raise ConditionRequiredProblem without If-Match, StaleProblem where it names no current tag.

    Weak tags never match (RFC 9110 section 13.1.1).
    """
    if given is None:
        raise ConditionRequiredProblem(UNCONDITIONAL)
    tags = parse_etags(given)
    # werkzeug reads an empty tag as None.
    versions = {(each or "").partition("-")[0] for each in tags.as_set()}
    if not tags.star_tag and version(item) not in versions:
        raise StaleProblem(
            "The item has changed since that version was read.", headers={"ETag": tag(item)}
        )


def require_tag(current: str | None) -> None:
    """Raise as ``match`` does for a change of what has this ETag; None for nothing, as yet.

    What is new needs no If-Match. ``If-None-Match: *`` is for who will replace nothing.
    """
    headers = {} if current is None else {"ETag": f'"{current}"'}
    if current is not None and request.if_none_match.contains_weak(current):
        raise StaleProblem("It is there, and If-None-Match wants it not to be.", headers=headers)
    if "If-Match" in request.headers:
        if current is None or not request.if_match.contains(current):
            raise StaleProblem("It is not what If-Match names.", headers=headers)
    elif current is not None:
        raise ConditionRequiredProblem(UNCONDITIONAL)
