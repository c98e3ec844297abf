"""From the bytes of XML to a tree of elements, within limits.

expat itself loads nothing from outside and stops entity bombs; without a DOCTYPE, which is refused,
there are no entities at all but the five of XML.
"""

from __future__ import annotations

from xml.parsers import expat

from glassware.media.text import MAX_DEPTH, TOO_DEEP, decode, malformed
from glassware.problems import MalformedBodyProblem

MAX_ELEMENTS = 100_000
BLANKS = " \t\r\n"


class Element:
    """An element: its tag, the name it stands for, its text, its children, where it starts.

    The name is the tag's but for ``<key name="a b">``, which stands for a name that no element can
    have. An element with children has no text.
    """

    __slots__ = ("children", "column", "line", "name", "tag", "text")

    def __init__(self, tag: str, name: str, line: int, column: int) -> None:
        self.tag, self.name, self.line, self.column = tag, name, line, column
        self.children: list[Element] = []
        self.text = ""

    @property
    def is_text(self) -> bool:
        return bool(self.text.strip(BLANKS))

    @property
    def is_blank(self) -> bool:
        return not self.children and not self.is_text

    def refused(self, fault: str) -> MalformedBodyProblem:
        return malformed(self.line, self.column, f"<{self.name[:60]}> {fault}")


def parse(body: bytes, namespace: str = "") -> Element:
    """Return the root element, all of whose elements are in the one namespace or in none.

    UTF-8 only, with or without a byte order mark. Comments and processing instructions are
    skipped. Of attributes ``name`` of ``<key>`` is read and ``type``, which dicttoxml writes by
    default, is skipped; another is data that would be lost, and is refused. In a namespace others
    are its owner's, and are skipped. Raises MalformedBodyProblem.
    """
    decode(body)
    builder = Builder(namespace)
    try:
        builder.parser.Parse(body, True)
    except expat.ExpatError as error:
        fault = f"{expat.ErrorString(error.code)}; send well-formed XML."
        raise malformed(error.lineno, error.offset + 1, fault) from None
    finally:
        # They hold each other, and so the tree: it must not wait for the garbage collector.
        del builder.parser
    return builder.root


class Builder:
    """Builds the tree from the parser's events, and stops at the first that is not allowed."""

    root: Element

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.open: list[Element] = []
        self.texts: list[list[str]] = []
        self.count = 0
        # The encoding given here wins over one declared, which xml_declared refuses.
        self.parser = parser = expat.ParserCreate("UTF-8", " ")
        parser.buffer_text = True
        parser.XmlDeclHandler = self.xml_declared
        parser.StartDoctypeDeclHandler = self.doctype_started
        parser.StartElementHandler = self.started
        parser.EndElementHandler = self.ended
        parser.CharacterDataHandler = self.text_read

    def refused(self, fault: str) -> MalformedBodyProblem:
        at = self.parser
        return malformed(at.CurrentLineNumber, at.CurrentColumnNumber + 1, fault)

    def xml_declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise self.refused("only UTF-8 is read; declare no other encoding.")

    def doctype_started(self, *_: object) -> None:
        raise self.refused("a DOCTYPE is not read; leave it out.")

    def started(self, full_name: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if len(self.open) > MAX_DEPTH:
            raise self.refused(TOO_DEEP)
        if self.count > MAX_ELEMENTS:
            raise self.refused(f"more than {MAX_ELEMENTS} elements are not read; send less.")
        namespace, _, tag = full_name.rpartition(" ")
        if namespace != self.namespace:
            wanted = f"the namespace {self.namespace}" if self.namespace else "no namespace"
            raise self.refused(f"<{tag[:60]}> must be in {wanted}.")
        element = self.element(tag, attributes)
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)
        self.texts.append([])

    def element(self, tag: str, attributes: dict[str, str]) -> Element:
        parser = self.parser
        name = attributes.pop("name", tag) if tag == "key" else tag
        attributes.pop("type", None)
        if attributes and not self.namespace:
            raise self.refused(f"<{tag[:60]}> has attributes; send elements in their place.")
        return Element(tag, name, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1)

    def ended(self, _name: str) -> None:
        element, text = self.open.pop(), "".join(self.texts.pop())
        if not element.children:
            element.text = text
        elif text.strip(BLANKS):
            raise element.refused("has text beside its elements; put it into one.")

    def text_read(self, data: str) -> None:
        self.texts[-1].append(data)
