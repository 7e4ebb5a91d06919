"""Errors and folds of a log over a real server: there a moment after they were written, also where it is killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server
from tests.acceptance.watched_noun import watching

WAIT_SECONDS = 20
BLOCK = (
    b"::group::compile\nmake\nsrc/a.c:3:1: error: broken\nerror[E0308]: mismatched types\n --> src/main.rs:3:18\n"
    b'Traceback (most recent call last):\n  File "/srv/x.py", line 9, in f\n    g()\nValueError: bad\nwarning: dust\n'
    b"::endgroup::\n"
)
BLOCK_LINES = BLOCK.count(b"\n")


def marks(writer: Writer, log: dict[str, Any]) -> dict[str, Any]:
    return dict(writer.http.get(f"/logs/{log['id']}/marks").json())


def wait_for(look: Callable[[], dict[str, Any]], fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_SECONDS
    while not fits(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def expected_errors(blocks: int) -> list[dict[str, Any]]:
    errors: list[dict[str, Any]] = []
    for block in range(blocks):
        first = block * BLOCK_LINES
        errors += [
            {"n": first + 3, "level": "error", "text": "broken", "file": "src/a.c", "line": 3},
            {"n": first + 4, "level": "error", "text": "mismatched types", "file": "src/main.rs", "line": 3},
            {"n": first + 9, "level": "error", "text": "ValueError: bad", "file": "/srv/x.py", "line": 9},
            {"n": first + 10, "level": "warning", "text": "dust"},
        ]
    return errors


def test_errors_and_folds_of_a_log_are_in_its_marks_while_it_is_written(writer: Writer) -> None:
    log = writer.new_log()
    assert writer.chunks(log["id"], entry(0, BLOCK)).status_code == 200
    found = wait_for(lambda: marks(writer, log), lambda each: each["counts"]["warnings"] == 1)
    assert found["errors"] == expected_errors(1)
    assert found["counts"] == {"errors": 3, "warnings": 1, "folds": 1, "gaps": 0}
    (fold,) = found["folds"]
    assert {name: fold[name] for name in ("start", "end", "name", "level")} == {
        "start": 1, "end": BLOCK_LINES, "name": "compile", "level": 1,
    }  # fmt: skip
    shown = writer.http.get(f"/logs/{log['id']}").json()
    assert (shown["errors"], shown["warnings"]) == (3, 1)


async def test_who_watches_a_build_hears_of_the_errors_of_its_logs(server: Server, writer: Writer, token: str) -> None:
    log = writer.new_log()
    async with watching(server.websocket_url, f"/ws/builds/{log['build']}/", token) as viewer:
        assert writer.chunks(log["id"], entry(0, BLOCK)).status_code == 200
        progress = await viewer.until(lambda each: each["type"] == "progress" and "errors" in each["logs"][0])
        assert progress["logs"] == [
            {"id": log["id"], "size": len(BLOCK), "lines": BLOCK_LINES, "errors": 3, "warnings": 1}
        ]
        assert writer.chunks(log["id"], entry(0, b"fatal: the end\n")).status_code == 200
        assert writer.finish(log["id"]).status_code == 200
        finished = await viewer.until(lambda each: each["type"] == "logFinished" and each["log"]["errors"] == 4)
        assert finished["log"]["state"] == "finished"


def test_a_server_that_is_killed_in_between_misses_and_doubles_nothing(own_server: Server) -> None:
    writer = Writer(own_server.url, own_server.token())
    log, other = writer.new_log(), writer.new_log()
    half = (BLOCK * 40)[:-300]  # in the middle of everything
    sent = 0
    for start in range(0, len(half), 1000):
        piece = half[start : start + 1000]
        assert writer.chunks(log["id"], entry(0, piece), sent).status_code == 200
        sent += len(piece)
        if start == 8000:
            wait_for(lambda: marks(writer, log), lambda each: each["counts"]["errors"] > 3)
    assert writer.chunks(other["id"], entry(0, BLOCK)).status_code == 200
    assert writer.finish(other["id"]).status_code == 200
    own_server.kill()
    own_server.start()
    assert writer.chunks(log["id"], entry(0, (BLOCK * 40)[sent:]), sent).status_code == 200
    assert writer.finish(log["id"]).status_code == 200
    found = wait_for(lambda: marks(writer, log), lambda each: each["counts"]["errors"] >= 120)
    assert found["errors"] == expected_errors(40)
    assert [(fold["start"], fold["end"]) for fold in found["folds"]] == [
        (block * BLOCK_LINES + 1, (block + 1) * BLOCK_LINES) for block in range(40)
    ]
    assert found["counts"] == {"errors": 120, "warnings": 40, "folds": 40, "gaps": 0}
    left_over = wait_for(lambda: marks(writer, other), lambda each: each["counts"]["errors"] > 0)
    assert left_over["errors"] == expected_errors(1)


def test_a_build_that_failed_says_why_in_its_summary(writer: Writer) -> None:
    log = writer.new_log()
    assert writer.chunks(log["id"], entry(0, b"ordinary\n" * 10_000 + BLOCK)).status_code == 200
    assert writer.finish(log["id"]).status_code == 200
    assert writer.http.post(f"/steps/{log['step']}/finish", json={"results": "failure"}).status_code == 200
    assert writer.http.post(f"/builds/{log['build']}/finish", json={"results": "failure"}).status_code == 200

    def summary() -> dict[str, Any]:
        return dict(writer.http.get(f"/builds/{log['build']}/summary").json()["failed_steps"][0]["logs"][0])

    found = wait_for(summary, lambda each: each["errors"] == 3)
    assert [error["n"] for error in found["errors_shown"]] == [10_003, 10_004, 10_009]
    assert found["last_lines"][-1]["text"] == "::endgroup::"
