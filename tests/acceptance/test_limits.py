"""A project's own limits, as a writer and a reader meet them over HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server, running_server

HEAD_BYTES = 1000
TAIL_BYTES = 100


@pytest.fixture(scope="module")
def limited_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small limits."""
    environment = {"BUILDLOGS_MAX_LOG_BYTES": str(HEAD_BYTES), "BUILDLOGS_MAX_TAIL_BYTES": str(TAIL_BYTES)}
    with running_server(tmp_path_factory.mktemp("limited"), environment=environment) as server:
        yield server


@pytest.fixture
def limited(limited_server: Server) -> Writer:
    return Writer(limited_server.url, limited_server.token())


def send(writer: Writer, log: dict[str, Any], lines: int) -> bytes:
    """Send lines of ten bytes, three to a body, each body twice; return them all."""
    sent = b""
    for start in range(0, lines, 3):
        piece = b"".join(b"line %04d\n" % number for number in range(start, min(lines, start + 3)))
        for _again in range(2):
            answer = writer.chunks(log["id"], entry(0, piece), len(sent))
            assert answer.json() == {"received": len(sent) + len(piece)}
        sent += piece
    return sent


def test_the_servers_limits_keep_head_and_tail_and_count_what_was_omitted(limited: Writer) -> None:
    log = limited.new_log()
    sent = send(limited, log, 400)
    finished = limited.finish(log["id"], received=len(sent), sha256=hashlib.sha256(sent).hexdigest())
    assert finished.status_code == 200
    text = (
        sent[:HEAD_BYTES]
        + b"\nOutput exceeded 1000 bytes, remaining output has been truncated\n\nFinal 100 bytes follow below:\n"
        + sent[-TAIL_BYTES:]
    )
    raw = limited.http.get(f"/logs/{log['id']}/raw").content
    assert raw == text
    shown = limited.http.get(f"/logs/{log['id']}").json()
    assert shown["completeness"] == "omitted"
    assert shown["omitted"] == len(sent) - HEAD_BYTES - TAIL_BYTES
    assert (shown["size"], shown["received"], shown["sha256"]) == (len(text), len(sent), None)
    assert shown["text_sha256"] == hashlib.sha256(text).hexdigest()
    assert limited.finish(log["id"], received=len(sent)).json()["size"] == len(text)


def test_a_wrong_count_is_a_mismatch_past_the_limit_as_well(limited: Writer) -> None:
    log = limited.new_log()
    sent = send(limited, log, 200)
    answer = limited.finish(log["id"], received=len(sent) + 1)
    assert (answer.status_code, answer.json()["type"]) == (409, "mismatch")
    assert limited.chunks(log["id"], entry(1, b"x"), len(sent)).json() == {"received": len(sent) + 1}
    assert limited.finish(log["id"], received=len(sent) + 1).status_code == 200


def test_a_project_may_have_limits_of_its_own(limited: Writer, limited_server: Server) -> None:
    log = limited.new_log(project="generous")
    set_limits(limited_server, "generous", max_log_bytes=2000, max_tail_bytes=0)
    sent = send(limited, log, 300)
    assert limited.finish(log["id"], received=len(sent)).status_code == 200
    shown = limited.http.get(f"/logs/{log['id']}").json()
    assert shown["omitted"] == 1000
    words = b"\nOutput exceeded 2000 bytes, remaining output has been truncated\n"
    assert limited.http.get(f"/logs/{log['id']}/raw").content == sent[:2000] + words


def test_a_project_may_keep_all(limited: Writer, limited_server: Server) -> None:
    log = limited.new_log(project="all")
    set_limits(limited_server, "all", max_log_bytes=0, max_tail_bytes=None)
    sent = send(limited, log, 300)
    digest = hashlib.sha256(sent).hexdigest()
    assert limited.finish(log["id"], received=len(sent), sha256=digest).json()["completeness"] == "verified"
    assert limited.http.get(f"/logs/{log['id']}/raw").content == sent


def set_limits(server: Server, slug: str, **limits: int | None) -> None:
    """Do what an administrator does in the admin."""
    server.manage(
        "shell",
        "-c",
        f"from logviewer.models import Project; Project.objects.filter(slug={slug!r}).update(**{limits!r})",
    )
