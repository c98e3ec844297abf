"""XML Schemas (XSD 1.0) of what goes over the wire, made of the OpenAPI document's schemas.

They say which elements there are, how often, and of which kind. Lengths and patterns are for the
OpenAPI document to say: its patterns are not of XSD's dialect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from glassware.media.problem import NAMESPACE
from glassware.media.xml.write import DECLARATION, is_name, singular
from glassware.openapi.schema import Node

Schemas = Mapping[str, Node]

SCHEMA = f'{DECLARATION}\n<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"'
KINDS = {
    "string": "xs:string",
    "integer": "xs:integer",
    "number": "xs:double",
    "boolean": "xs:boolean",
}
FORMATS = {"date-time": "xs:dateTime", "date": "xs:date", "uri": "xs:anyURI"}
ANYTHING = ' type="xs:anyType"/>'
#: ``null`` is an empty element.
EMPTY = """<xs:simpleType name="empty">
<xs:restriction base="xs:string"><xs:length value="0"/></xs:restriction>
</xs:simpleType>"""
SKIPPED = '<xs:any minOccurs="0" maxOccurs="unbounded" processContents="skip"/>'
#: A kind of problem has members of its own beside those (RFC 9457 section 3.2).
PROBLEM = f"""{SCHEMA}
 xmlns="{NAMESPACE}" targetNamespace="{NAMESPACE}" elementFormDefault="qualified">
<xs:element name="problem" type="members"/>
<xs:element name="type" type="xs:anyURI"/>
<xs:element name="title" type="xs:string"/>
<xs:element name="status" type="xs:positiveInteger"/>
<xs:element name="detail" type="xs:string"/>
<xs:element name="instance" type="xs:anyURI"/>
<xs:element name="service" type="xs:string"/>
<xs:element name="request_id" type="xs:string"/>
<xs:element name="errors"><xs:complexType><xs:sequence>
{SKIPPED}
</xs:sequence></xs:complexType></xs:element>
<xs:element name="cause" type="members"/>
<xs:complexType name="members"><xs:sequence>
<xs:any minOccurs="0" maxOccurs="unbounded" processContents="lax"/>
</xs:sequence></xs:complexType>
</xs:schema>
"""


def xsd(name: str, schemas: Schemas) -> str:
    """Return the XML Schema of the documents of a schema; their root is called ``response``."""
    if name == "Problem":
        return PROBLEM
    types = [
        f'<xs:complexType name="{each}">{members(schemas[each], schemas)}</xs:complexType>'
        for each in dict.fromkeys(needed(name, schemas))
    ]
    root = f'<xs:element name="response" type="{name}"/>'
    return "\n".join([f"{SCHEMA}>", root, *types, EMPTY, "</xs:schema>\n"])


def needed(name: str, schemas: Schemas, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the schema and all that it refers to."""
    if name not in above:
        yield name
        for other in references(schemas[name]):
            yield from needed(other, schemas, (*above, name))


def references(node: Node) -> Iterator[str]:
    """Yield the names of the schemas that one refers to, but for what stands in its examples."""
    if "$ref" in node:
        yield node["$ref"].rpartition("/")[2]
    parts = [*node.get("anyOf", ()), *node.get("allOf", ()), *node.get("properties", {}).values()]
    if "items" in node:
        parts.append(node["items"])
    for part in parts:
        yield from references(part)


def members(node: Node, schemas: Schemas) -> str:
    """Return the content of an object: its members, in any order."""
    properties, required = node.get("properties", {}), node.get("required", ())
    # A name that no element can have is an attribute's, of elements that all have one name.
    if not properties or not all(map(is_name, properties)):
        return f"<xs:sequence>{SKIPPED}</xs:sequence>"
    found = "".join(
        element(name, member, schemas, "" if name in required else ' minOccurs="0"')
        for name, member in properties.items()
    )
    return f"<xs:all>{found}</xs:all>"


def element(name: str, node: Node, schemas: Schemas, occurs: str) -> str:
    return f'<xs:element name="{name}"{occurs}{content(name, node, schemas)}'


def content(name: str, node: Node, schemas: Schemas) -> str:
    """Return the rest of the element's declaration: its type."""
    options = [*node.get("anyOf", ()), *node.get("allOf", ()), node]
    if others := [name for each in options if "$ref" in each for name in references(each)]:
        # None is an empty element, which lacks what is required.
        optional = {"type": "null"} not in options or "required" not in schemas[others[0]]
        return f' type="{others[0]}"/>' if optional else ANYTHING
    declared = node.get("type", ())
    kinds = {declared} if isinstance(declared, str) else set(declared)
    nullable = "null" in kinds
    match sorted(kinds - {"null"}):
        case ["array"]:
            item = singular(name)
            many = element(item, node["items"], schemas, ' minOccurs="0" maxOccurs="unbounded"')
            inside = f"<xs:complexType><xs:sequence>{many}</xs:sequence></xs:complexType>"
        case ["object"] if not node.get("required"):
            inside = f"<xs:complexType>{members(node, schemas)}</xs:complexType>"
        case [kind] if kind in KINDS:
            base = FORMATS.get(node.get("format", ""), KINDS[kind])
            if not nullable or base == "xs:string":
                return f' type="{base}"/>'
            inside = f'<xs:simpleType><xs:union memberTypes="{base} empty"/></xs:simpleType>'
        case _:
            return ANYTHING
    return f">{inside}</xs:element>"
