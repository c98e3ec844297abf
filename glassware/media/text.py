"""What JSON and XML can both carry: the bounds that the readers keep and the writers mend."""

from __future__ import annotations

import re

from glassware.problems import MalformedBodyProblem

#: How deep containers may nest, the document itself included.
MAX_DEPTH = 32
#: Stands for a character that cannot be written (Unicode section 5.22).
REPLACEMENT = "\ufffd"
#: All but the characters of XML 1.0 section 2.2, lone surrogates among them.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

TOO_DEEP = f"More than {MAX_DEPTH} levels are not read; flatten the document."


def malformed(line: int, column: int, fault: str) -> MalformedBodyProblem:
    """Return the problem for a place in the body, both numbers counted from 1."""
    return MalformedBodyProblem(f"Line {line}, column {column}: {fault}")


def decode(body: bytes) -> str:
    """Decode strict UTF-8. Raises MalformedBodyProblem."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        before = body[: error.start].decode()
        raise malformed(*place(before), "this is not UTF-8; send the body in UTF-8.") from None


def place(before: str) -> tuple[int, int]:
    """Return the line and the column of what follows the text."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")
