"""The pages that browsers are given: the same answers, drawn."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassware.openapi.show import is_url, short
from glassware.problems import UpstreamProblem

from .conftest import Suite

HTML = {"Accept": "text/html"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7777777}}"
#: Elements that have no content, and so no end.
VOID = {"meta", "link", "img", "input", "br"}


class Page(HTMLParser):
    """A page as a browser reads it; fails where elements do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [
            attributes
            for name, attributes in self.tags
            if name == tag and all(attributes.get(key) == value for key, value in wanted.items())
        ]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page(answer: Any, status: int = 200) -> Page:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return Page(answer.text)


def test_a_browser_gets_a_page_and_everybody_else_what_they_got(suite: Suite) -> None:
    url = suite.task()["url"]
    kinds = {
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "text/html",
        "text/html": "text/html",
        "*/*": "application/json",
        "application/json, text/html;q=0.9": "application/json",
        "application/xml": "application/xml",
        "text/*": "application/xml",
    }
    for accept, kind in kinds.items():
        answer = suite.call("tasks", "GET", url, headers={**suite.headers, "Accept": accept})
        assert answer.headers["Content-Type"].partition(";")[0] == kind, accept
        assert "Accept" in answer.headers["Vary"]
    assert suite.call("tasks", "GET", url, headers=suite.headers).json()["url"] == url


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/tasks", 401),
        ("GET", "/nothing", 404),
        ("GET", "/tasks?no=1", 401),
        ("DELETE", "/tasks", 405),
        ("GET", "/problems?no=1", 400),
        ("GET", "/fault", 500),
    ],
)
def test_a_problem_has_the_same_status_and_headers_as_a_page(
    suite: Suite, method: str, path: str, status: int
) -> None:
    plain = suite.call("tasks", method, path)
    drawn = suite.call("tasks", method, path, headers=HTML)
    document = plain.json()
    assert document["status"] == status
    shown = page(drawn, status)
    assert document["title"] in shown.text
    assert document["detail"] in shown.text
    assert drawn.headers["X-Request-Id"] in shown.text
    for name in ("WWW-Authenticate", "Allow"):
        assert drawn.headers.get(name) == plain.headers.get(name)


def test_a_page_of_an_item_is_conditional_and_its_etag_allows_a_change(suite: Suite) -> None:
    task = suite.task()
    headers = {**suite.headers, **HTML}
    answer = suite.call("tasks", "GET", task["url"], headers=headers)
    etag = answer.headers["ETag"]
    assert etag != task["etag"]
    again = {**headers, "If-None-Match": etag}
    assert suite.call("tasks", "GET", task["url"], headers=again).status_code == 304
    (form,) = [each for each in page(answer).all("form") if each.get("data-type")]
    assert form["data-etag"] == etag
    change = {**suite.headers, "If-Match": etag, "Content-Type": "application/merge-patch+json"}
    answer = suite.call("tasks", "PATCH", task["url"], headers=change, content=b'{"done": true}')
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/", "/docs", "/tasks", "/nothing", "/problems/stale"])
def test_every_page_is_held_to_its_own_scripts_and_styles(suite: Suite, path: str) -> None:
    answer = suite.page("tasks", path)
    policy = dict(
        each.strip().split(" ", 1) for each in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self' http://127.0.0.1:7001",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    shown = page(answer, answer.status_code)
    assert shown.all("style") == []
    assert all("src" in each for each in shown.all("script"))
    for _, attributes in shown.tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
    assets = [each["src"] for each in shown.all("script")]
    assets += [each["href"] for each in shown.all("link")]
    for url in assets:
        assert suite.call("tasks", "GET", str(url)).status_code == 200


def test_what_people_wrote_is_text_on_every_page(suite: Suite) -> None:
    task = suite.task(title=HOSTILE[:100])
    pages = [
        suite.page("tasks", path, **suite.headers)
        for path in (task["url"], "/tasks?sort=-created_at", f"/tasks?title={HOSTILE[:20]}")
    ]
    pages.append(suite.page("tasks", f"/{HOSTILE}"))
    pages.append(suite.page("tasks", f"/tasks?{HOSTILE}=1", **suite.headers))
    pages.append(suite.page("tasks", f"/tasks?sort={HOSTILE}", **suite.headers))
    for answer in pages:
        shown = Page(answer.text)
        assert len(shown.all("script")) == 2
        assert all(each["src"].endswith("icon.svg") for each in shown.all("img"))
        assert "54444439" not in shown.text
    assert HOSTILE[:100] in page(pages[0]).text


def test_only_the_web_is_linked_to() -> None:
    for text in ("javascript:alert(1)", "data:text/html,x", "//host", " https://host", "file:///a"):
        assert not is_url(text)
    assert is_url("https://host/path")


@given(st.text())
def test_any_url_can_be_shortened(path: str) -> None:
    assert isinstance(short(f"https://host/{path}"), str)


def test_a_listing_can_be_filtered_sorted_and_paged_by_its_own_links(suite: Suite) -> None:
    for title in ("link b", "link a", "link c"):
        suite.task(title=title)
    path = "/tasks?title[contains]=link&limit=2&sort=title"
    first = page(suite.page("tasks", path, **suite.headers))
    (following,) = first.all("a", rel="next")
    assert "link a" in first.text
    assert "link c" not in first.text
    second = page(suite.page("tasks", following["href"] or "", **suite.headers))
    assert "link c" in second.text
    (heading,) = first.all("th", **{"aria-sort": "ascending"})
    assert heading
    (downwards,) = [each["href"] for each in first.all("a") if "sort=-title" in str(each["href"])]
    turned = page(suite.page("tasks", str(downwards), **suite.headers))
    assert turned.text.index("link c") < turned.text.index("link b")
    values = {each["name"]: each.get("value") for each in first.all("input") if each.get("name")}
    assert (values["title[contains]"], values["limit"]) == ("link", "2")


def test_a_caller_is_offered_only_what_their_token_reaches(suite: Suite) -> None:
    with suite.mesh.client("auth") as client:
        body = {"email": "ada@example.org", "password": "correct horse battery staple"}
        grant = client.post("/login", json={**body, "scope": "tasks:read"}).json()
    reader = {"Authorization": f"Bearer {grant['access_token']}"}
    url = suite.task()["url"]
    for path, buttons in ((url, {"PATCH", "PUT", "DELETE"}), ("/tasks", {"POST"})):
        offered = page(suite.page("tasks", path, **suite.headers)).all("button")
        assert {each["value"] for each in offered if each.get("value")} == buttons
        offered = page(suite.page("tasks", path, **reader)).all("button")
        assert not [each for each in offered if each.get("value")]


def test_a_form_has_each_member_that_can_be_given_as_it_is_now(suite: Suite) -> None:
    url = suite.task(title="As it is")["url"]
    shown = page(suite.page("tasks", url, **suite.headers))
    fields = {each["name"]: each for each in shown.all("input") if each.get("data-kind")}
    assert set(fields) == {"title", "person", "due_to", "done"}
    assert fields["title"]["value"] == "As it is"
    assert fields["title"]["maxlength"] == "100"
    assert "required" in fields["title"]
    assert fields["person"]["type"] == "url"
    assert (fields["due_to"]["type"], fields["due_to"]["data-null"]) == ("datetime-local", None)
    assert fields["done"]["type"] == "checkbox"


def test_a_resource_that_cannot_be_read_shows_its_form(suite: Suite) -> None:
    shown = page(suite.page("auth", "/login"), 405)
    (password,) = [each for each in shown.all("input") if each.get("id") == "post_login-password"]
    assert password["type"] == "password"
    assert "GET is answered with 405" in shown.text
    shown = page(suite.page("archives", "/archives"), 405)
    (entries,) = shown.all("textarea", name="entries")
    assert entries["data-kind"] == "json"


def test_a_secret_that_was_given_is_not_on_the_page(suite: Suite) -> None:
    answer = suite.call("auth", "GET", suite.person, headers={**suite.headers, **HTML})
    assert "password" not in [each.get("name") for each in page(answer).all("input", type="text")]


def test_a_chain_of_causes_is_told_link_by_link(suite: Suite) -> None:
    deepest = {"title": "Disk full", "status": 507, "service": "store", "request_id": "r3"}
    cause = {
        "title": HOSTILE,
        "status": "none",
        "errors": [1],
        "more": {"a": [1]},
        "cause": deepest,
    }
    app = suite.apps["tasks"]
    error = UpstreamProblem("The neighbour failed.", cause=cause, errors={"a.b": ["x", "y"]})
    with app.test_request_context("/tasks", headers=HTML, base_url="http://127.0.0.1"):
        answer = app.handle_user_exception(error)
    shown = Page(answer.get_data(as_text=True))
    assert len(shown.all("script")) == 2
    order = ["A neighbour failed", "The neighbour failed.", HOSTILE, "Disk full", "507"]
    places = [shown.text.index(text, 60) for text in order]
    assert places == sorted(places)
    assert {"data-field": "a.b"} in shown.all("div")


def test_an_untrusted_host_gets_no_link_to_itself(suite: Suite) -> None:
    answer = suite.page("tasks", "/", Host="evil.example")
    page(answer, 421)
    assert "evil.example" not in answer.text


def test_a_cause_may_be_any_document(suite: Suite) -> None:
    app = suite.apps["tasks"]
    json = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
    names = st.sampled_from(["title", "detail", "errors", "status", "service", "cause", "items"])

    @given(st.dictionaries(names | st.text(), json, max_size=6))
    def run(cause: dict[str, Any]) -> None:
        error = UpstreamProblem("It failed.", cause=cause)
        with app.test_request_context("/tasks", headers=HTML, base_url="http://127.0.0.1"):
            answer = app.handle_user_exception(error)
        assert answer.status_code == 502
        Page(answer.get_data(as_text=True))

    run()


def test_start_page_shows_the_resources_the_health_and_the_neighbours(suite: Suite) -> None:
    shown = page(suite.page("tasks", "/"))
    for words in ("Tasks", "database ok", "keys ok", "The suite Auth ok", "What is to be done"):
        assert words in shown.text
    assert {each["href"] for each in shown.all("a")} >= {
        "http://127.0.0.1:7002/tasks",
        "http://127.0.0.1:7002/docs",
        "http://127.0.0.1:7001/",
    }


def test_no_page_names_another_host_than_the_suites(suite: Suite) -> None:
    for name, path in (("tasks", "/"), ("tasks", "/docs"), ("auth", "/"), ("tasks", "/nothing")):
        hosts = set(re.findall(r"https?://[^/\"' <;]+", suite.page(name, path).text))
        assert {host.rpartition(":")[0] for host in hosts} == {"http://127.0.0.1"}


def test_assets_are_a_fixed_set_and_are_asked_for_again_only_by_etag(suite: Suite) -> None:
    for name in ("..%2Fpages.py", "pages.py", "%2Fetc%2Fpasswd", "base.html"):
        assert suite.call("tasks", "GET", f"/static/{name}").status_code == 404
    answer = suite.call("tasks", "GET", "/static/swagger-ui-bundle.js")
    assert answer.headers["Content-Type"].startswith("text/javascript")
    headers = {"If-None-Match": answer.headers["ETag"]}
    assert (
        suite.call("tasks", "GET", "/static/swagger-ui-bundle.js", headers=headers).status_code
        == 304
    )
