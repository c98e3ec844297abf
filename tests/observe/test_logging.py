"""Every record is one line of JSON, whoever made it."""

from __future__ import annotations

import io
import json
import logging
import sys
from datetime import UTC, datetime, timedelta

import pytest

from glassware.observe.context import Trace, bind
from glassware.observe.logging import Handler, configure, event


@pytest.fixture
def process_logging():
    """Give the process its logging back after the test."""
    root = logging.getLogger()
    loggers = [root, *(logging.getLogger(f"gunicorn.{name}") for name in ("error", "access"))]
    before = [(each, each.handlers[:], each.level, each.propagate) for each in loggers]
    yield root
    for each, handlers, level, propagate in before:
        each.handlers[:] = handlers
        each.setLevel(level)
        each.propagate = propagate


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_has_its_fields_and_says_where_and_when(log):
    event(log, "token_issued", subject="u-1", ids=[1, 2], level=logging.WARNING)
    (line,) = log.lines
    instant = datetime.fromisoformat(line.pop("ts"))
    assert instant.tzinfo is not None
    assert abs(datetime.now(UTC) - instant) < timedelta(seconds=30)
    assert line == {
        "level": "WARNING",
        "logger": "test",
        "event": "token_issued",
        "service": "tasks",
        "subject": "u-1",
        "ids": [1, 2],
    }


def test_within_a_request_a_line_has_its_id_and_trace(log):
    trace = Trace.incoming("r-1", service="archives")
    with bind(trace):
        log.info("inside")
    log.info("outside")
    inside, outside = log.lines
    assert (inside["request_id"], inside["trace_id"]) == ("r-1", trace.trace_id)
    assert (inside["service"], outside["service"]) == ("archives", "tasks")
    assert not {"request_id", "trace_id"} & set(outside)


def test_a_field_cannot_pass_for_a_member_of_ours(log):
    event(log, "happened", service="x", ts=1, event="y", request_id="z")
    (line,) = log.lines
    assert (line["service"], line["event"]) == ("tasks", "happened")
    assert (line["service_"], line["ts_"], line["event_"]) == ("x", 1, "y")


def test_a_line_break_or_terminal_code_stays_within_its_line(log):
    log.info("a\nb\r\x1b[31m\x85\u2028\ud800%s", "\n{}")
    assert log.text.isascii()
    assert log.text.count("\n") == 1
    assert log.lines[0]["event"] == "a\nb\r\x1b[31m\x85\u2028\ud800\n{}"


def test_a_record_whose_arguments_do_not_fit_is_still_a_line(log, capfd):
    log.info("%d of %s", "x")
    log.info("%(name)s", {"other": 1})
    assert [line["event"] for line in log.lines] == ["%d of %s % ['x']", "%(name)s % {'other': 1}"]
    assert capfd.readouterr() == ("", "")


def test_an_exception_has_type_message_and_stack(log):
    try:
        json.loads("{")
    except ValueError:
        log.exception("failed")
    (line,) = log.lines
    assert line["exception"]["type"] == "json.decoder.JSONDecodeError"
    assert line["exception"]["message"].startswith("Expecting property name")
    assert line["exception"]["stack"].startswith("Traceback (most recent call last):")


def test_a_stack_can_be_asked_for(log):
    log.info("here", stack_info=True)
    assert "test_a_stack_can_be_asked_for" in log.lines[0]["stack"]


def test_a_line_that_cannot_be_written_is_reported_without_its_content(log, capfd):
    log.stream.close()
    log.info("password %s", "hunter2")
    assert capfd.readouterr().err == "a log line of test was lost: ValueError\n"


def test_configuring_twice_leaves_one_handler_and_every_secret_known(process_logging):
    first, second = io.StringIO(), io.StringIO()
    others = [each for each in process_logging.handlers if not isinstance(each, Handler)]
    configure("auth", "INFO", first).register("hunter2")
    configure("tasks", "DEBUG", second).register("other secret")
    logging.getLogger("somebody.elses").debug("hunter2 and other secret")
    assert first.getvalue() == ""
    (line,) = lines(second)
    assert (line["service"], line["event"]) == ("tasks", "******** and ********")
    kept = [each for each in process_logging.handlers if not isinstance(each, Handler)]
    assert kept == others
    assert len(process_logging.handlers) == len(others) + 1


def test_the_level_holds_for_every_logger(process_logging):
    stream = io.StringIO()
    configure("tasks", "WARNING", stream)
    logging.getLogger("a").info("not this")
    logging.getLogger("b.c").warning("this")
    assert [line["event"] for line in lines(stream)] == ["this"]


def test_lines_go_to_standard_output_by_default(process_logging, capsys):
    configure("tasks")
    logging.getLogger("a").info("here")
    assert json.loads(capsys.readouterr().out)["event"] == "here"


def test_gunicorns_own_handlers_give_way_to_ours(process_logging):
    stream, plain = io.StringIO(), io.StringIO()
    logger = logging.getLogger("gunicorn.error")
    logger.addHandler(logging.StreamHandler(plain))
    logger.propagate = False
    configure("tasks", "INFO", stream)
    logger.info("Booting worker with pid: %d", 7)
    assert plain.getvalue() == ""
    assert [(line["logger"], line["event"]) for line in lines(stream)] == [
        ("gunicorn.error", "Booting worker with pid: 7")
    ]


def test_the_caller_is_who_called_event(log):
    records = []
    log.addFilter(lambda record: records.append(record) or True)
    event(log, "happened")
    assert records[0].funcName == sys._getframe().f_code.co_name
