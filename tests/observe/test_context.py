"""The request id and the trace that come in, go out, and are bound in between."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassware.observe.context import Trace, bind, bound, current

HEX = "0123456789abcdef"
TRACE_IDS = st.text(HEX, min_size=32, max_size=32).filter(lambda text: text.strip("0"))
SPAN_IDS = st.text(HEX, min_size=16, max_size=16).filter(lambda text: text.strip("0"))
BYTES = st.text(HEX, min_size=2, max_size=2)
OURS = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]")


@given(TRACE_IDS, SPAN_IDS, BYTES)
def test_a_valid_traceparent_is_continued_in_a_span_of_our_own(trace_id, span_id, flags):
    trace = Trace.incoming(traceparent=f"00-{trace_id}-{span_id}-{flags}")
    assert trace.trace_id == trace_id
    assert (trace.parent_id, trace.child().parent_id) == (span_id, span_id)
    assert trace.span_id != span_id
    assert trace.flags == int(flags, 16) % 2
    assert OURS.fullmatch(trace.traceparent)


@given(
    TRACE_IDS,
    SPAN_IDS,
    BYTES.filter(lambda text: text not in ("00", "ff")),
    st.sampled_from(["", "-", "-x-y"]),
)
def test_a_traceparent_of_a_later_version_is_continued_as_ours(trace_id, span_id, version, more):
    trace = Trace.incoming(traceparent=f"{version}-{trace_id}-{span_id}-03{more}")
    assert trace.trace_id == trace_id
    assert trace.traceparent == f"00-{trace_id}-{trace.span_id}-01"


T, S = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        f"ff-{T}-{S}-01",
        f"00-{T}-{S}-01-more",
        f"00-{T}-{S}-01-",
        f"00-{'0' * 32}-{S}-01",
        f"00-{T}-{'0' * 16}-01",
        f"00-{T.upper()}-{S}-01",
        f"00-{T}-{S}",
        f"00-{T}-{S}-1",
        f"00-{T[:-1]}-{S}-01",
        f" 00-{T}-{S}-01",
        f"00-{T}-{S}-01\n",
        f"00-{T}-{S}-01,00-{T}-{S}-01",
        f"01-{T}-{S}-01more",
    ],
)
def test_an_invalid_traceparent_begins_a_new_trace(header):
    first, second = Trace.incoming(traceparent=header), Trace.incoming(traceparent=header)
    assert len({first.trace_id, second.trace_id, T}) == 3
    assert OURS.fullmatch(first.traceparent)


@given(st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True))
def test_a_valid_request_id_is_kept(request_id):
    assert Trace.incoming(request_id).request_id == request_id


@given(st.text().filter(lambda text: not re.fullmatch(r"[A-Za-z0-9._-]{1,64}\Z", text)))
def test_any_other_request_id_is_replaced(request_id):
    made = Trace.incoming(request_id).request_id
    assert re.fullmatch("[0-9a-f]{32}", made)


def test_an_outgoing_call_is_a_span_of_its_own_in_the_same_trace():
    trace = Trace.incoming("r-1", service="tasks")
    first, second = trace.child(), trace.child()
    assert len({trace.span_id, first.span_id, second.span_id}) == 3
    assert {(each.request_id, each.trace_id) for each in (first, second)} == {
        ("r-1", trace.trace_id)
    }


def test_the_bound_trace_is_current_until_the_block_ends():
    outer, inner = Trace.incoming("outer"), Trace.incoming("inner")
    assert bound() is None
    with bind(outer):
        with bind(inner):
            assert current() is inner
        assert current() is outer
        with pytest.raises(KeyError), bind(inner):
            raise KeyError
        assert current() is outer
    assert bound() is None


def test_outside_of_a_request_each_call_is_a_trace_of_its_own():
    assert current().request_id != current().request_id
    assert bound() is None


def test_threads_do_not_see_each_others_trace():
    with bind(Trace.incoming("mine")), ThreadPoolExecutor(1) as pool:
        assert pool.submit(bound).result(timeout=5) is None
