"""Problems as documents: complete, bounded, each kind with words of its own."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassware import problems
from glassware.problems import MAX_CHAIN, Problem, chain, shorten, tree

KINDS = [kind for kind in tree() if kind.__module__ == problems.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)
def test_every_kind_has_words_and_a_status_of_its_own(kind: type[Problem]) -> None:
    assert kind.__name__.endswith("Problem")
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.slug)
    assert HTTPStatus(kind.status) >= HTTPStatus.BAD_REQUEST
    assert kind.__doc__
    assert kind.advice.endswith(".")
    assert kind.title[0].isupper()
    document = kind().document(base="http://h", service="s", request_id="r", instance="/i")
    assert document == {
        "type": f"http://h/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "instance": "/i",
        "service": "s",
        "request_id": "r",
    }


def test_no_two_kinds_share_a_slug() -> None:
    slugs = [kind.slug for kind in KINDS]
    assert len(set(slugs)) == len(slugs) > 20


def test_the_drawn_tree_is_the_real_one() -> None:
    lines = re.findall(
        r"^([ │├└─]+)(\w+Problem|Problem)(?: (\d{3}))?", problems.__doc__ or "", re.M
    )
    parents: dict[int, str] = {}
    drawn = {}
    for indent, name, status in lines:
        parents[len(indent)] = name
        drawn[name] = parents.get(len(indent) - 4)
        if status:
            assert getattr(problems, name).status == int(status)
    assert drawn == {"Problem": None} | {kind.__name__: kind.__base__.__name__ for kind in KINDS}


def test_members_that_say_nothing_are_left_out_and_extensions_stay() -> None:
    document = Problem(errors={}, cause=None, limit=0, known=[], flag=False).document()
    assert document == {
        "type": "/problems/problem",
        "title": "Problem",
        "status": 500,
        "limit": 0,
        "known": [],
        "flag": False,
    }


def test_messages_become_lists_and_the_cause_a_document() -> None:
    problem = Problem("d", errors={"a.b": ("one", "two")}, cause={"title": "t"})
    document = problem.document()
    assert document["errors"] == {"a.b": ["one", "two"]}
    assert document["cause"] == {"title": "t"}
    assert str(problem) == "d"
    assert str(Problem()) == "Problem"


DOCUMENTS = st.recursive(
    st.fixed_dictionaries({"title": st.text(max_size=3)}),
    lambda inner: st.fixed_dictionaries({"title": st.text(max_size=3), "cause": inner}),
    max_leaves=40,
)


@given(document=DOCUMENTS, limit=st.integers(1, 20))
def test_a_chain_is_cut_and_not_changed_before_the_cut(document: Any, limit: int) -> None:
    links, short = list(chain(document)), list(chain(shorten(document, limit)))
    assert len(short) == min(len(links), limit)
    for link, kept in zip(links, short, strict=False):
        assert kept["title"] == link["title"]


def test_a_chain_that_never_ends_is_cut() -> None:
    loop: dict[str, Any] = {"title": "round"}
    loop["cause"] = loop
    assert len(list(chain(loop))) == MAX_CHAIN
    document, causes = Problem(cause=loop).document(), 0
    while "cause" in document:
        document, causes = document["cause"], causes + 1
    assert causes == MAX_CHAIN


@pytest.mark.parametrize("cause", ["text", 7, [], None, [{"title": "t"}]])
def test_a_cause_that_is_no_document_ends_the_chain(cause: Any) -> None:
    assert len(list(chain({"title": "a", "cause": cause}))) == 1
    assert "cause" not in shorten({"title": "a", "cause": cause})
