"""Whatever is sent to where everybody may send: never a fault, always a complete answer."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassware.media import problem

JSON, XML, FORM = "application/json", "application/xml", "application/x-www-form-urlencoded"
NAMES = st.sampled_from(["email", "name", "password", "scope", "active", "x", ""])
SCALARS = st.none() | st.booleans() | st.floats() | st.integers() | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES | st.text(), inner), max_leaves=8
)
EMAILS = st.emails() | st.text().map(lambda text: f"{text}@example.org") | st.text()
DOCUMENTS = st.dictionaries(NAMES, VALUES | EMAILS) | VALUES
PARAMETERS = "grant_type client_id client_secret scope username password refresh_token x"
FORMS = st.dictionaries(
    st.sampled_from(PARAMETERS.split()),
    st.text() | st.sampled_from(["client_credentials", "password", "refresh_token", "login"]),
)
BODIES = st.one_of(
    st.tuples(DOCUMENTS.map(lambda value: json.dumps(value).encode()), st.just(JSON)),
    st.tuples(st.binary(), st.sampled_from([JSON, XML, FORM, "text/plain", "", "a/b; charset=x"])),
    st.tuples(
        st.lists(st.tuples(NAMES, st.text() | EMAILS)).map(
            lambda pairs: "".join(
                ["<a>", *(f"<{name or 'b'}>{text}</{name or 'b'}>" for name, text in pairs), "</a>"]
            ).encode(errors="surrogatepass")
        ),
        st.just(XML),
    ),
    st.tuples(
        FORMS.map(lambda form: urlencode(form, errors="surrogatepass").encode()), st.just(FORM)
    ),
)
ACCEPTS = st.sampled_from(["*/*", JSON, XML, "text/html", "application/problem+xml", "x"])


def assert_whole(answer):
    """Assert that the answer is no fault, and a complete document or problem."""
    assert answer.status_code < 500, answer.text
    assert answer.headers["X-Request-Id"]
    if answer.status_code >= 400 and answer.mimetype not in (JSON, "text/html"):
        document = problem.parse(answer.mimetype, answer.data)
        assert document["status"] == answer.status_code
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("path", ["/users", "/login", "/oauth/token", "/activation"])
@given(body=BODIES, accept=ACCEPTS)
def test_no_body_is_a_fault(house, path, body, accept):
    data, kind = body
    headers = {"Accept": accept}
    assert_whole(house.post(path, data=data, content_type=kind, headers=headers))


@given(
    email=EMAILS,
    name=st.text(min_size=1, max_size=3),
    password=st.text(min_size=12, max_size=14) | st.just("p" * 12),
)
def test_whoever_can_register_can_be_read_as_they_were_sent(house, admin, email, name, password):
    facts = {"email": email, "name": name, "password": password}
    answer = house.post("/users", data=json.dumps(facts), content_type=JSON)
    assert_whole(answer)
    if answer.status_code == 201:
        assert answer.json["name"] == name
        assert answer.json["email"] == email.lower()
        assert house.get(answer.json["url"], admin).json["name"] == name


@given(st.text())
def test_no_token_of_a_link_is_a_fault(house, text):
    query = urlencode({"token": text}, errors="surrogatepass")
    answer = house.get(f"/activation?{query}")
    assert answer.status_code == 400


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_basic_credentials_are_a_fault(house, name, secret):
    form = {"grant_type": "client_credentials"}
    try:
        answer = house.post("/oauth/token", data=form, auth=(name, secret))
    except UnicodeEncodeError:
        return  # the client cannot send it
    assert answer.status_code == 401
    assert answer.json["error"] == "invalid_client"


@given(st.binary(max_size=40))
def test_no_authorization_header_is_a_fault(house, data):
    header = data.decode("latin-1").replace("\r", "").replace("\n", "")
    for path in ("/users", "/oauth/token"):
        answer = house.get(path, headers={"Authorization": header})
        assert answer.status_code in (400, 401, 405)
