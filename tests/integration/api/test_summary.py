"""GET /builds/{id}/summary: why a build failed, in a bounded answer."""

from __future__ import annotations

from typing import Any

import pytest

from logviewer.chunkstore import Entry
from logviewer.insight.looking import look_at, write_down
from logviewer.intake.output import append_output
from logviewer.live.store import chunk_store
from logviewer.models import Build, LogFile, Results
from logviewer.resources.shapes import first_error
from logviewer.resources.summary import MAX_BYTES, MAX_LOGS, MAX_STEPS
from tests.factories import make_build, make_log, make_project, make_step
from tests.integration.api.client import ApiClient

pytestmark = pytest.mark.django_db


def make_looked_at(build: Build, name: str, text: bytes, results: str | None = None, log: str = "stdio") -> LogFile:
    """A log with that text that was looked at, of the step of that name."""
    step = build.steps.filter(name=name).first() or make_step(build=build, name=name, results=results, state="finished")
    made = make_log(step=step, name=log)
    append_output(made.pk, made.key, [Entry(0, text, None)])
    write_down([look_at(LogFile.objects.get(pk=made.pk), None)])
    return made


@pytest.fixture
def failed() -> Build:
    """A build of three steps, the second of which failed; the others have errors and warnings that do not matter."""
    build = make_build(results=Results.FAILURE, state="finished", title="broken")
    make_looked_at(build, "configure", b"error: this one was tolerated\n", Results.SUCCESS)
    text = (
        b"".join(b"line %d\n" % number for number in range(1, 100))
        + b"\x1b[31msrc/a.c:7:1: error: no\x1b[0m\nmake: *** x\n"
    )
    make_looked_at(build, "compile", text, Results.FAILURE)
    make_looked_at(build, "clean", b"warning: dust\n", Results.WARNINGS)
    return build


def test_it_names_the_failed_steps_with_their_errors_and_last_lines(api: ApiClient, failed: Build) -> None:
    answer = api.get(f"/builds/{failed.pk}/summary")
    assert answer.status == 200
    summary = answer.json
    assert (summary["title"], summary["results"], summary["steps"], summary["failed"]) == ("broken", "failure", 3, 1)
    assert summary["truncated"] is False
    (step,) = summary["failed_steps"]
    (log,) = step["logs"]
    assert (step["name"], log["name"], log["errors"], log["warnings"]) == ("compile", "stdio", 2, 0)
    assert log["links"]["marks"] == f"/api/v1/logs/{log['id']}/marks"
    first, second = log["errors_shown"]
    assert {name: first[name] for name in ("n", "level", "text", "file", "line", "url")} == {
        "n": 100, "level": "error", "text": "no", "file": "src/a.c", "line": 7, "url": f"{log['url']}#L100",
    }  # fmt: skip
    assert first["context"] == [
        {"n": 98, "text": "line 98"},
        {"n": 99, "text": "line 99"},
        {"n": 100, "text": "src/a.c:7:1: error: no"},
        {"n": 101, "text": "make: *** x"},
    ]
    assert second["n"] == 101
    assert [line["n"] for line in log["last_lines"]] == list(range(82, 102))


def test_a_build_that_passed_has_no_failed_steps(api: ApiClient) -> None:
    build = make_build(results=Results.SUCCESS, state="finished")
    make_looked_at(build, "compile", b"error: tolerated\n", Results.SUCCESS)
    summary = api.get(f"/builds/{build.pk}/summary").json
    assert (summary["failed"], summary["failed_steps"]) == (0, [])


def test_where_no_step_says_that_it_failed_those_with_errors_are_named(api: ApiClient) -> None:
    build = make_build(results=Results.EXCEPTION, state="finished")
    make_looked_at(build, "quiet", b"fine\n")
    make_looked_at(build, "loud", b"fatal: no\n")
    assert [step["name"] for step in api.get(f"/builds/{build.pk}/summary").json["failed_steps"]] == ["loud"]


@pytest.mark.bad_input("a log of nothing but errors in a summary")
def test_it_stays_within_64_kib_whatever_the_logs_are(api: ApiClient) -> None:
    build = make_build(results=Results.FAILURE, state="finished", title="\N{PILE OF POO}" * 500)
    text = ("error: " + "\N{PILE OF POO}\x01" * 2000 + "\n").encode() * 30
    for number in range(MAX_STEPS + 2):
        for log in range(MAX_LOGS + 1):
            make_looked_at(build, f"step{number}", text, Results.FAILURE, log=f"log{log}")
    answer = api.get(f"/builds/{build.pk}/summary")
    assert MAX_BYTES * 0.7 < len(answer.response.content) <= MAX_BYTES
    assert (answer.json["failed"], answer.json["truncated"]) == (MAX_STEPS + 2, True)
    assert answer.json["failed_steps"][0]["logs"][0]["errors_shown"][0]["n"] == 1


def test_no_log_takes_the_room_of_the_others(api: ApiClient) -> None:
    build = make_build(results=Results.FAILURE, state="finished")
    loud = ("error: " + "\N{PILE OF POO}" * 300 + "\n").encode() * 6
    for number in range(3):
        for log in range(MAX_LOGS):
            make_looked_at(build, f"loud{number}", loud, Results.FAILURE, log=f"log{log}")
    make_looked_at(build, "last", b"quiet\n" * 5 + b"make: *** x\n", Results.FAILURE)
    summary = api.get(f"/builds/{build.pk}/summary").json
    assert summary["truncated"] is True
    assert [len(step["logs"]) for step in summary["failed_steps"]] == [MAX_LOGS] * 3 + [1]
    (log,) = summary["failed_steps"][-1]["logs"]
    assert [error["n"] for error in log["errors_shown"]] == [6]
    assert [line["n"] for line in log["last_lines"]] == [1, 2, 3, 4, 5, 6]


def test_of_an_overwritten_line_the_last_state_is_shown(api: ApiClient) -> None:
    build = make_build(results=Results.FAILURE, state="finished")
    progress = b"".join(b"%d %%\r" % percent for percent in range(100)) + b"done\r\n"
    make_looked_at(build, "fetch", progress, Results.FAILURE)
    (log,) = api.get(f"/builds/{build.pk}/summary").json["failed_steps"][0]["logs"]
    assert log["last_lines"] == [{"n": 1, "text": "done"}]


def test_a_log_whose_files_are_damaged_does_not_hide_the_others(api: ApiClient, failed: Build) -> None:
    log = make_looked_at(failed, "compile", b"error: lost\n", log="lost")
    chunk_store().delete(log.key)
    logs = api.get(f"/builds/{failed.pk}/summary").json["failed_steps"][0]["logs"]
    assert [(each["name"], len(each["last_lines"])) for each in logs] == [("stdio", 20), ("lost", 0)]


@pytest.mark.bad_input("an unknown parameter of a summary")
def test_a_parameter_is_refused_by_name(api: ApiClient, failed: Build) -> None:
    answer = api.get(f"/builds/{failed.pk}/summary", format="text")
    assert answer.problem() == (400, "invalid")
    assert answer.errors == ["format"]


def test_a_private_build_does_not_exist_for_strangers(api: ApiClient) -> None:
    make_project("demo", public=False)
    build = make_build()
    assert api.get(f"/builds/{build.pk}/summary").problem() == (404, "not-found")


def test_the_first_error_is_the_failed_steps(failed: Build, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        found = first_error(failed)
        assert found is not None
        assert (found.step.name, found.log.name, found.line, found.message) == ("compile", "stdio", 100, "no")
        assert (found.path, found.path_line) == ("src/a.c", 7)
        assert found.url.endswith("/compile/stdio/#L100")


def test_without_a_failed_step_it_is_the_first_there_is(failed: Build) -> None:
    failed.steps.filter(name="compile").update(results=Results.SUCCESS)
    found = first_error(failed)
    assert found is not None
    assert (found.step.name, found.line) == ("configure", 1)


def test_a_build_without_errors_has_no_first_one() -> None:
    build = make_build()
    make_looked_at(build, "compile", b"warning: x\n")
    assert first_error(build) is None
