"""Hiding the secret part of a value that is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

MASK = "********"

# Greedy up to the last "@": drivers accept a raw "@" or "/" in a password, so a shorter match
# would show the rest of it. Masking too much of an odd URL does no harm here.
_USERINFO = re.compile(r"(://[^:/@\s]*:)(\S*)(@)")
_PARAMETER = re.compile(r"([?&;][\w.-]*(?:password|passwd|secret|token)[\w.-]*=)([^&;\s]+)()", re.I)


def mask(text: str) -> str:
    """Return the text with the passwords of the URLs in it hidden."""
    for pattern in (_USERINFO, _PARAMETER):
        text = pattern.sub(rf"\g<1>{MASK}\g<3>", text)
    return text


def passwords(text: str) -> Iterator[str]:
    """Yield the passwords of the URLs in the text, as written and percent-decoded."""
    for pattern in (_USERINFO, _PARAMETER):
        for found in pattern.finditer(text):
            yield found[2]
            yield unquote(found[2])
