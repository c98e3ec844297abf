"""The documentation over HTTP: the OpenAPI document, its interactive page, and their assets."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from flask import Response, send_file
from marshmallow import fields

from glassware.api import Resource, Schema, runtime
from glassware.api.parse import JSON, XML
from glassware.api.runtime import link
from glassware.api.schema import page_of
from glassware.auth import Principal, public
from glassware.media import json
from glassware.openapi.xsd import xsd
from glassware.problems import NotFoundProblem

DOCUMENTED = public("documentation")
HERE = Path(__file__).parent
MEDIA = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class XsdSchema(Schema):
    """Where an XML Schema is."""

    url = fields.URL()
    name = fields.String()


class Openapi(Resource):
    """All that can be asked of the service, for programs (OpenAPI 3.1)."""

    path = "/openapi.json"
    policy = DOCUMENTED

    def get(self, who: Principal) -> Response:
        return Response(json.dumps(runtime().pages.document()), mimetype=JSON)


class XmlSchemaList(Resource):
    """The XML Schemas of what the service takes and gives in XML."""

    path = "/schemas"
    policy = DOCUMENTED
    answers = page_of(XsdSchema)

    def get(self, who: Principal) -> Any:
        """Return the URL of each, by the name that the OpenAPI document has for it."""
        names = runtime().pages.document()["components"]["schemas"]
        items = [{"url": link("xml_schema", name=f"{name}.xsd"), "name": name} for name in names]
        return {"items": items, "next": None}


class XmlSchema(Resource):
    """One XML Schema (XSD 1.0); the root of what it describes is called ``response``."""

    path = "/schemas/<name>"
    policy = DOCUMENTED
    makes = (XML,)

    def get(self, who: Principal, name: str) -> Response:
        schemas = runtime().pages.document()["components"]["schemas"]
        kind = name.removesuffix(".xsd")
        if kind not in schemas or kind == name:
            raise NotFoundProblem("There is no such schema; /schemas lists all.")
        return Response(xsd(kind, schemas), mimetype=XML)


class Docs(Resource):
    """The interactive page of the OpenAPI document, for people with a browser."""

    path = "/docs"
    policy = DOCUMENTED
    makes = ("text/html",)

    def get(self, who: Principal) -> Response:
        return runtime().pages.docs()


class Asset(Resource):
    """What the pages are made with: styles, scripts, an icon."""

    path = "/static/<name>"
    policy = DOCUMENTED
    limit = None
    makes = tuple(MEDIA.values())

    def get(self, who: Principal, name: str) -> Response:
        path = assets().get(name)
        if path is None:
            raise NotFoundProblem("There is no such asset.")
        return send_file(path, mimetype=MEDIA[path.suffix])


@cache
def assets() -> dict[str, Path]:
    """Return every file that is served, by name; nothing else is."""
    # Found and not imported: the package is for its assets, and brings a framework along.
    spec = find_spec("flask_openapi3_swagger")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    foreign = Path(spec.submodule_search_locations[0]) / "templates" / "swagger"
    names = ("css/swagger-ui.css", "js/swagger-ui-bundle.js")
    files = [*(HERE / "static").iterdir(), *(foreign / name for name in names)]
    return {path.name: path for path in files if path.suffix in MEDIA}


DOCUMENTATION: tuple[type[Resource], ...] = (Openapi, XmlSchemaList, XmlSchema, Docs, Asset)
