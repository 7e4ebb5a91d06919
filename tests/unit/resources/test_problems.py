"""Each error of the rooms below has its problem: type, status, headers, members."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig

from logviewer.chunkstore import (
    ArchiveAway,
    CorruptIndex,
    CorruptSealed,
    LogFinished,
    LogLocked,
    MalformedChunks,
    Mismatch,
    NoSuchLog,
    OffsetGap,
    OverlapDiffers,
    StorageDenied,
    StorageFull,
)
from logviewer.intake.errors import AlreadyFinished, NumberTaken, ResultsDiffer
from logviewer.models import Build, IllegalTransition
from logviewer.resources.errors import Forbidden, Invalid, NotFound, TooLarge, Unauthenticated
from logviewer.resources.problems import Problem, internal, of_status, problem_from

SECRET_PATH = Path("/srv/secret/logs/demo.log")

CASES: list[tuple[Exception, int, str, dict[str, Any], dict[str, str]]] = [
    (OffsetGap(9, 5), 409, "offset-gap", {"received": 5}, {"Upload-Offset": "5"}),
    (OverlapDiffers(3, 5), 409, "overlap-differs", {"received": 5, "position": 3}, {"Upload-Offset": "5"}),
    (LogFinished(5), 409, "finished", {"received": 5}, {"Upload-Offset": "5"}),
    (LogLocked(SECRET_PATH, 5.0), 409, "locked", {}, {"Retry-After": "1"}),
    (
        Mismatch(9, 5, "aa", "bb"),
        409,
        "mismatch",
        {"received": 5, "sha256": "bb", "expected": {"received": 9, "sha256": "aa"}},
        {},
    ),
    (MalformedChunks(7, "no comma"), 400, "malformed-chunks", {"position": 7, "reason": "no comma"}, {}),
    (StorageFull(SECRET_PATH, "No space left"), 507, "storage-full", {}, {"Retry-After": "30"}),
    (StorageDenied(SECRET_PATH, "Permission denied"), 500, "storage-denied", {}, {"Retry-After": "30"}),
    (ArchiveAway("demo/x.idx", str(SECRET_PATH)), 503, "store-away", {}, {"Retry-After": "10"}),
    (CorruptIndex(SECRET_PATH, "no whole record", 7), 500, "damaged", {"resume_offset": 7}, {}),
    (CorruptIndex(SECRET_PATH, "no whole record"), 500, "damaged", {"resume_offset": None}, {}),
    (CorruptSealed(str(SECRET_PATH), "frame 3 cannot be decoded"), 500, "damaged", {"resume_offset": None}, {}),
    (NoSuchLog("demo/x"), 404, "not-found", {}, {}),
    (Build.DoesNotExist(), 404, "not-found", {}, {}),
    (Unauthenticated("wrong"), 401, "unauthorized", {}, {"WWW-Authenticate": "Bearer"}),
    (Forbidden("no"), 403, "forbidden", {}, {}),
    (NotFound("log"), 404, "not-found", {}, {}),
    (Invalid({"name": ["too long"]}), 400, "invalid", {"errors": {"name": ["too long"]}}, {}),
    (TooLarge(1024), 413, "too-large", {"limit": 1024}, {}),
    (RequestDataTooBig(), 413, "too-large", {}, {}),
    (AlreadyFinished("build"), 409, "finished", {}, {}),
    (NumberTaken("build", 5), 409, "conflict", {}, {}),
    (ResultsDiffer("build", "success", "failure"), 409, "conflict", {}, {}),
    (IllegalTransition("log", "finished", "open"), 409, "conflict", {}, {}),
]


@pytest.mark.parametrize(
    ("error", "status", "kind", "members", "headers"), CASES, ids=[type(case[0]).__qualname__ for case in CASES]
)
def test_an_error_has_its_problem(
    error: Exception, status: int, kind: str, members: dict[str, Any], headers: dict[str, str]
) -> None:
    problem = problem_from(error)
    assert problem is not None
    document = json.loads(problem.body())
    title, detail = document.pop("title"), document.pop("detail")
    assert title
    assert detail
    assert document == {"type": kind, "status": status, **members}
    assert dict(problem.headers) == headers
    assert str(SECRET_PATH) not in problem.body().decode()


def test_the_byte_at_fault_is_named_in_words_too() -> None:
    problem = problem_from(MalformedChunks(7, "no comma"))
    assert problem is not None
    assert "byte 7" in problem.detail


def test_damage_is_told_with_its_place_and_where_reading_can_go_on() -> None:
    problem = problem_from(CorruptIndex(SECRET_PATH, "no whole record covers byte 5", 7))
    assert problem is not None
    assert "byte 5" in problem.detail
    assert "/chunks?offset=7" in problem.detail


@pytest.mark.parametrize("error", [RuntimeError("x"), OSError(28, "x"), ValueError(), KeyError("a")], ids=repr)
def test_an_error_that_no_client_can_act_on_has_none(error: Exception) -> None:
    assert problem_from(error) is None


def test_a_name_that_utf8_cannot_hold_can_still_be_told() -> None:
    problem = Problem("invalid", "Invalid", 400, "x", errors={"\ud800": ["unknown field"]})
    assert json.loads(problem.body())["errors"] == {"\ud800": ["unknown field"]}


def test_members_never_hide_those_of_the_rfc() -> None:
    assert Problem("invalid", "t", 400, "d", members={"status": 200, "type": "x"}).document()["status"] == 400


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 415, 418, 429])
def test_any_status_of_a_clients_error_has_a_problem(status: int) -> None:
    assert of_status(status).status == status


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_servers_error_is_internal_and_says_no_more(status: int) -> None:
    assert of_status(status) == internal()
