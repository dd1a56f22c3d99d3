"""Logs: one event a line, JSON where nobody looks, secrets hidden."""

from __future__ import annotations

import io
import json
import logging

import pytest

from everwhen.limits import PROBLEM_CHARS_MAX, PROBLEMS_KEPT
from everwhen.server.logging import configure, logger
from everwhen.server.problems import RECENT


@pytest.fixture(autouse=True)
def _root_logger_as_it_was():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], level = before
    root.setLevel(level)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_json_where_nobody_looks():
    stream = io.StringIO()
    configure("info", "auto", stream)
    logger("http").info("request answered", status=200, route="/db/{name}")
    (line,) = lines(stream)
    event = json.loads(line)
    assert event["event"] == "request answered"
    assert (event["status"], event["route"], event["part"]) == (200, "/db/{name}", "http")
    assert event["level"] == "info"
    assert event["timestamp"].endswith("Z")


def test_text_on_a_terminal():
    stream = Terminal()
    configure("info", "auto", stream)
    logger("http").info("request answered", status=200)
    (line,) = lines(stream)
    assert "request answered" in line
    assert not line.startswith("{")


def test_less_important_events_are_left_out():
    stream = io.StringIO()
    configure("warning", "json", stream)
    logger("http").info("no")
    logger("http").warning("yes")
    assert [json.loads(line)["event"] for line in lines(stream)] == ["yes"]


def test_libraries_come_out_in_the_same_form():
    stream = io.StringIO()
    configure("info", "json", stream)
    logging.getLogger("aiohttp.server").error("Error %s", "here")
    (line,) = lines(stream)
    assert json.loads(line)["event"] == "Error here"


def test_an_exception_stays_on_one_line():
    stream = io.StringIO()
    configure("info", "json", stream)
    try:
        raise ValueError("inner\nlines")
    except ValueError:
        logger("http").exception("failed")
    (line,) = lines(stream)
    assert "ValueError: inner" in json.loads(line)["exception"]


def test_secrets_are_hidden():
    stream = io.StringIO()
    configure("info", "json", stream)
    logger("http").info("x", Authorization="Basic abc", password="p")
    (line,) = lines(stream)
    assert "abc" not in line
    assert json.loads(line)["password"] == "(hidden)"


def test_the_last_problems_are_remembered_without_statements():
    configure("info", "json", io.StringIO())
    logger("http").info("fine")
    logger("query").warning("slow_query", statement="MATCH (n:Secret) RETURN n")
    logger("storage").warning("disk_slow", password="x", seconds=3)
    for number in range(PROBLEMS_KEPT):
        logger("http").error("bad", number=number, text="x" * 2_000)
    found = RECENT.lines()
    assert len(found) == PROBLEMS_KEPT
    assert all(len(line) <= PROBLEM_CHARS_MAX for line in found)
    assert '"number": 0' in found[0]


def test_what_is_remembered_hides_secrets():
    configure("info", "text", Terminal())
    logger("query").warning("slow_query", statement="MATCH (n:Secret) RETURN n")
    logger("storage").warning("disk_slow", password="x", seconds=3)
    event = json.loads(RECENT.lines()[-1])
    assert (event["event"], event["password"], event["seconds"]) == ("disk_slow", "(hidden)", 3)
    assert not any("MATCH" in line for line in RECENT.lines())
