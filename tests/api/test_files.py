"""Bytes come in as they are sent and go out as they were kept, under their right name."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import pytest
from flask import Response
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from glassware.api import Resource
from glassware.api.declare import DeclarationError
from glassware.api.files import Upload, download, saved_as, upload
from glassware.api.parse import ANY
from glassware.auth import public
from glassware.config import Option
from glassware.service import Service
from glassware.testing import Issuer, assert_problem

from .worlds import Wire

MOST = 1000


class Shelf(Resource):
    """Holds what was put last."""

    path = "/shelf"
    policy = public("a test")
    upload = "shelf.most"
    makes = (ANY,)
    kept: ClassVar[list[Upload]] = []

    def put(self, _who: Any) -> None:
        self.kept[:] = [upload()]

    def get(self, _who: Any) -> Response:
        (kept,) = self.kept
        digest = sha256(kept.content).hexdigest()
        content = BytesIO(kept.content)
        return download(content, len(kept.content), digest, kept.content_type, "a b.txt")


def app(folder: Path, option: str = Shelf.upload) -> Any:
    (folder / "secrets").mkdir(mode=0o700)
    service = Service(
        "shelf",
        package="glassware",
        resources=(Shelf,),
        options=(Option(option, int, MOST, "Bytes that lie on the shelf."),),
    )
    settings = {
        "service.mode": "development",
        "service.state_dir": str(folder),
        "service.secrets_dir": str(folder / "secrets"),
        "server.max_body": "10",
    }
    return service.create_app(settings, environ={}, transports={"auth": Issuer().transport})


@pytest.fixture
def shelf(tmp_path: Path) -> Wire:
    Shelf.kept[:] = []
    return Wire(app(tmp_path))


@pytest.mark.parametrize("chunked", [False, True])
def test_as_much_as_the_option_allows_is_read(shelf: Wire, chunked: bool) -> None:
    most = MOST - chunked  # one that is cut at the limit cannot be told from one that ends there
    kept = bytes(most)
    assert shelf.raw("PUT", b"/shelf", {}, kept, chunked).status_code == 204
    refused = shelf.raw("PUT", b"/shelf", {}, bytes(MOST + 1), chunked)
    assert assert_problem(refused, 413)["limit"] == MOST
    assert Shelf.kept == [Upload(kept, "application/octet-stream")]


def test_what_ends_early_is_not_kept(shelf: Wire) -> None:
    assert_problem(shelf.raw("PUT", b"/shelf", {"Content-Length": "9"}, b"12345678"), 400)
    assert Shelf.kept == []


@pytest.mark.parametrize(
    "kind", ["text/plain", 'Text/X-y+z;a="b \\" c" ; d=e', "a/b\t;c=d", "a/b;"]
)
def test_a_type_comes_back_as_it_was_sent(shelf: Wire, kind: str) -> None:
    shelf.raw("PUT", b"/shelf", {"Content-Type": f" {kind} "}, b"x")
    for accept in ("*/*", "image/png", "application/xml;q=0.5"):
        answer = shelf.raw("GET", b"/shelf", {"Accept": accept})
        assert (answer.data, answer.headers["Content-Type"]) == (b"x", kind)


@pytest.mark.parametrize("kind", ["a", "a/b/c", "*/*", "a/*", "a/b;c", 'a/b;c="', "a/b;c=d e"])
def test_what_is_no_type_is_a_415(shelf: Wire, kind: str) -> None:
    answer = shelf.raw("PUT", b"/shelf", {"Content-Type": kind}, b"x")
    assert assert_problem(answer, 415)["supported"] == [ANY]
    assert Shelf.kept == []


def test_if_match_with_a_star_is_for_whatever_is_there(shelf: Wire) -> None:
    shelf.raw("PUT", b"/shelf", {}, b"x")
    assert shelf.raw("GET", b"/shelf", {"If-Match": "*"}).data == b"x"
    assert_problem(shelf.raw("GET", b"/shelf", {"If-Match": '"x"'}), 412)


def test_uploads_without_their_option_do_not_boot(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"shelf\.most is no option"):
        app(tmp_path, "shelf.least")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_name_is_told_in_full_and_in_ascii(name: str) -> None:
    header = saved_as(name)
    assert header.isascii()
    assert header.isprintable()
    kind, parameters = parse_options_header(header)
    assert (kind, parameters) == ("attachment", {"filename": name})
    plain = header.partition("; filename*=")[0]
    assert not set('\\%"') & set(plain.removeprefix("attachment; filename=").strip('"'))
