"""How log records look, and what is done to others'."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from buildlogs.logs import InOneLine, JsonLines, TextLines
from logviewer.doors.requests import Request, current


def record(message: str = "all is %s", *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("room.module", logging.WARNING, __file__, 1, message, args or ("well",), None)
    vars(made).update(extra)
    return made


@contextmanager
def serving(path: str, *headers: tuple[bytes, bytes], method: str = "GET") -> Iterator[Request]:
    request = Request({"type": "http", "method": method, "path": path, "headers": list(headers)})
    token = current.set(request)
    try:
        yield request
    finally:
        current.reset(token)


def test_an_exception_is_told_in_one_line() -> None:
    try:
        raise ConnectionError("Error 111\nconnecting")
    except ConnectionError:
        made = logging.LogRecord("x", logging.ERROR, __file__, 1, "in %s", ("a task",), sys.exc_info())
    assert InOneLine().filter(made)
    assert logging.Formatter().format(made) == "in a task: ConnectionError: Error 111 connecting"


def test_other_records_stay_as_they_are() -> None:
    made = logging.LogRecord("x", logging.INFO, __file__, 1, "all is %s", ("well",), None)
    assert InOneLine().filter(made)
    assert logging.Formatter().format(made) == "all is well"


def test_text_names_time_level_logger_and_the_request_if_there_is_one() -> None:
    assert re.fullmatch(r"[-\d]+ [:,\d]+ WARNING room\.module: all is well", TextLines().format(record()))
    with serving("/", (b"x-request-id", b"abc-1")):
        assert TextLines().format(record()).endswith(" WARNING room.module: all is well [abc-1]")


def test_json_is_one_object_a_line() -> None:
    line = JsonLines().format(record("two\nlines, %s", "ü"))
    assert "\n" not in line
    assert line.isascii()
    told = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    assert told == {"level": "WARNING", "logger": "room.module", "message": "two\nlines, ü"}


def test_json_says_which_request_a_line_belongs_to() -> None:
    with serving("/api/v1/logs/17/raw", (b"x-request-id", b"abc"), (b"authorization", b"Bearer bl_secret")):
        line = JsonLines().format(record())
    told = json.loads(line)
    expected = {"request_id": "abc", "method": "GET", "path": "/api/v1/logs/17/raw", "caller": "token", "log": 17}
    assert {name: told[name] for name in expected} == expected
    assert "secret" not in line


@pytest.mark.parametrize(
    ("path", "facts"),
    [
        ("/ws/logs/5/", {"log": 5}),
        ("/api/v1/logs/5", {"log": 5}),
        ("/api/v1/builds/6/logs.zip", {"build": 6}),
        ("/ws/builds/6/", {"build": 6}),
        ("/api/v1/logs/5x", {}),
        ("/p/logs/5/", {}),
    ],
)
def test_a_path_says_which_log_or_build_it_is_about(path: str, facts: dict[str, int]) -> None:
    with serving(path) as request:
        assert {name: value for name, value in request.facts().items() if name in ("log", "build")} == facts


def test_json_has_the_facts_of_the_access_log_and_tracebacks() -> None:
    try:
        raise ValueError("wrong")
    except ValueError:
        made = record(facts={"status": 500, "ms": 1.5})
        made.exc_info = sys.exc_info()
    told = json.loads(JsonLines().format(made))
    assert (told["status"], told["ms"]) == (500, 1.5)
    assert told["exception"].endswith("ValueError: wrong")


def test_a_request_that_is_over_is_named_no_more() -> None:
    with serving("/") as request:
        request.ended = True
        assert "request_id" not in json.loads(JsonLines().format(record()))


@pytest.mark.parametrize("given", [b"abc", b"A.b-c_9", b"f" * 64])
def test_a_sane_id_is_taken(given: bytes) -> None:
    with serving("/", (b"x-request-id", given)) as request:
        assert request.id == given.decode()


@pytest.mark.parametrize(
    "given", [b"", b"a b", b"f" * 65, b"a\r\nSet-Cookie: x", b"\xff", b"<b>", b'"', b"a,b", "é".encode()]
)
def test_any_other_is_replaced(given: bytes) -> None:
    with serving("/", (b"x-request-id", given)) as request:
        assert re.fullmatch(r"[0-9a-f]{24}", request.id)


def test_each_request_without_an_id_gets_one_of_its_own() -> None:
    assert len({Request({"type": "http", "path": "/", "headers": []}).id for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/a\nb", "/a\\nb"),
        ("/a b 200", "/a\\x20b\\x20200"),
        ("/\x1b[31m", "/\\x1b[31m"),
        ("/\u202e", "/\\u202e"),
        ("/" + "x" * 600, "/" + "x" * 499 + "…"),
    ],
)
def test_a_path_can_neither_break_nor_fill_the_line(path: str, shown: str) -> None:
    with serving(path) as request:
        assert request.facts()["path"] == shown


def test_the_settings_formatters_can_be_made_by_logging(settings: object) -> None:
    from buildlogs.settings import LOGGING

    stream = io.StringIO()
    for name, formatter in LOGGING["formatters"].items():
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.config.DictConfigurator({}).configure_formatter(dict(formatter)))
        handler.emit(record())
        assert "all is well" in stream.getvalue(), name
