"""What stands on the pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from logviewer.chunkstore import Channel, Entry
from logviewer.live.store import chunk_store
from logviewer.models import Build, LogFile
from logviewer.pages.mount import PLAIN_TAIL_BYTES
from tests.factories import make_build, make_builder, make_log, make_project, make_step

pytestmark = pytest.mark.django_db

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def make_finished(results: str, *, seconds: int = 10, **fields: object) -> Build:
    finish = timezone.now()
    return make_build(
        state="finished", results=results, started_at=finish - timedelta(seconds=seconds), finished_at=finish, **fields
    )


def chosen_log(page: str) -> int:
    return int(page.split('data-log-id="')[1].split('"')[0])


def make_step_with_log(build: Build, name: str, results: str | None) -> LogFile:
    state = "finished" if results else "running"
    return make_log(step=make_step(build=build, name=name, state=state, results=results))


def test_an_empty_site_shows_the_commands_that_fill_it(client: Client) -> None:
    page = text_of(client, "/")
    assert "manage.py createtoken" in page
    assert "buildlogs run --project demo" in page
    assert "BUILDLOGS_SERVER=http://testserver" in page


def test_a_project_and_a_builder_without_builds_show_them_too(client: Client) -> None:
    builder = make_builder("arm64")
    assert "--builder arm64 -- make" in text_of(client, builder.get_absolute_url())
    empty = make_project("empty")
    assert "buildlogs run --project empty" in text_of(client, empty.get_absolute_url())


def test_the_front_page_says_what_runs_and_what_fails(client: Client) -> None:
    make_build(builder=make_builder("linux"), title="the one that runs")
    make_finished("failure", builder=make_builder("macos"))
    page = text_of(client, "/")
    assert "the one that runs" in page
    assert "1 running" in page
    assert "1 failing" in page


def test_a_builder_lists_fifty_builds_and_leads_to_the_older_ones(client: Client) -> None:
    builder = make_builder()
    for _ in range(53):
        make_build(builder=builder)
    page = text_of(client, builder.get_absolute_url())
    assert page.count('class="build-row"') == 50
    assert 'href="?before=4"' in page
    older = text_of(client, f"{builder.get_absolute_url()}?before=4")
    assert older.count('class="build-row"') == 3
    assert ">#3<" in older


def test_a_builder_shows_the_builds_that_the_address_asks_for(client: Client) -> None:
    builder = make_builder()
    make_finished("failure", builder=builder, branch="main")
    make_finished("success", builder=builder, branch="main")
    make_finished("failure", builder=builder, branch="side & more")
    page = text_of(client, f"{builder.get_absolute_url()}?results=failure&branch=side+%26+more")
    assert page.count('class="build-row"') == 1
    assert ">#3<" in page
    nothing = text_of(client, f"{builder.get_absolute_url()}?state=running")
    assert "No build is like that" in nothing


@pytest.mark.parametrize(
    "query",
    [
        "?before=x",
        "?before=-1",
        "?before=²",
        "?before=" + "9" * 40,
        "?before=" + "9" * 5000,
        "?state=odd",
        "?branch=%00",
    ],
)
def test_filters_that_mean_nothing_show_all(client: Client, query: str) -> None:
    builder = make_builder()
    make_build(builder=builder)
    assert text_of(client, builder.get_absolute_url() + query).count('class="build-row"') == 1


def test_a_failed_build_opens_its_first_failed_step(client: Client) -> None:
    build = make_finished("failure")
    make_step_with_log(build, "checkout", "success")
    log = make_step_with_log(build, "compile", "failure")
    make_step_with_log(build, "test", "failure")
    assert chosen_log(text_of(client, build.get_absolute_url())) == log.pk


def test_a_running_build_opens_its_running_step_whatever_failed_before(client: Client) -> None:
    build = make_build()
    make_step_with_log(build, "lint", "failure")
    log = make_step_with_log(build, "compile", None)
    assert chosen_log(text_of(client, build.get_absolute_url())) == log.pk


def test_the_address_chooses_step_and_log(client: Client) -> None:
    build = make_finished("failure")
    first = make_step_with_log(build, "checkout", "success")
    extra = make_log(step=first.step, name="extra")
    make_step_with_log(build, "compile", "failure")
    address = build.get_absolute_url()
    assert chosen_log(text_of(client, f"{address}?step=1")) == first.pk
    assert chosen_log(text_of(client, f"{address}?step=1&log=extra")) == extra.pk
    assert chosen_log(text_of(client, f"{address}?step=1&log=other")) == first.pk


def test_a_build_without_steps_and_a_step_without_logs_have_a_page(client: Client) -> None:
    build = make_build()
    assert "Waiting for the first step" in text_of(client, build.get_absolute_url())
    make_step(build=build)
    assert "This step has written nothing yet" in text_of(client, build.get_absolute_url())


def test_a_build_that_is_over_says_that_output_is_still_arriving(client: Client) -> None:
    build = make_finished("success")
    make_log(step=make_step(build=build, state="finished", results="success"))
    assert 'output of <span id="late-count">1</span>' in text_of(client, build.get_absolute_url())


def test_without_scripts_the_end_of_the_log_is_there_as_text(client: Client) -> None:
    log = make_log()
    chunk_store().append(log.key, [Entry(Channel.STDOUT, b"\x1b[31m<b>red</b>\x1b[0m\n", None)])
    for address in (log.get_absolute_url(), log.step.build.get_absolute_url()):
        page = text_of(client, address)
        assert "&lt;b&gt;red&lt;/b&gt;" in page.split("<noscript>")[-1]
        assert "\x1b" not in page


def test_without_scripts_a_long_log_shows_its_last_lines_from_the_start_of_one(client: Client) -> None:
    log = make_log()
    lines = b"".join(b"line %06d\n" % number for number in range(20_000))
    chunk_store().append(log.key, [Entry(Channel.STDOUT, lines, None)])
    page = text_of(client, log.get_absolute_url())
    shown = page.split('<pre class="plain" tabindex="0">')[1].split("</pre>")[0]
    assert shown.endswith("line 019999\n")
    assert shown.startswith("line ")
    assert PLAIN_TAIL_BYTES - 12 <= len(shown) <= PLAIN_TAIL_BYTES


def test_of_a_line_longer_than_that_without_scripts_the_end_is_shown(client: Client) -> None:
    log = make_log()
    chunk_store().append(log.key, [Entry(Channel.STDOUT, b"x" * 2 * PLAIN_TAIL_BYTES + b"the end\n", None)])
    assert text_of(client, log.get_absolute_url()).count("xthe end\n</pre>") == 1


@pytest.mark.parametrize(("state", "may_grow"), [("open", True), ("abandoned", True), ("finished", False)])
def test_without_scripts_a_log_that_may_grow_is_read_again_by_a_link(
    client: Client, state: str, *, may_grow: bool
) -> None:
    log = make_log(state=state)
    assert (">Refresh</a>" in text_of(client, log.get_absolute_url())) == may_grow


def test_a_page_says_where_it_is_and_the_first_one_is_nowhere(client: Client) -> None:
    log = make_log()
    assert "Where you are" not in text_of(client, "/")
    for noun in (log, log.step.build, log.step.build.builder, log.step.build.builder.project):
        page = text_of(client, noun.get_absolute_url())
        assert '<nav class="trail" aria-label="Where you are"><ol><li>' in page


def test_a_log_without_a_file_is_empty_and_its_page_is_there(client: Client) -> None:
    assert "Nothing has been written yet" in text_of(client, make_log(file=False).get_absolute_url())


def test_a_log_says_how_complete_it_is(client: Client) -> None:
    verified = make_log(state="finished", completeness="verified")
    omitted = make_log(state="finished", completeness="omitted", omitted=3 * 1024 * 1024)
    assert "complete, SHA-256 verified" in text_of(client, verified.get_absolute_url())
    assert "3.0 MiB omitted" in text_of(client, omitted.get_absolute_url())


def test_hostile_names_are_text_on_every_page(client: Client) -> None:
    project = make_project(name=HOSTILE)
    build = make_build(
        builder=make_builder(project=project),
        title=HOSTILE,
        branch=HOSTILE,
        revision=HOSTILE,
        reason=HOSTILE,
        origin_url="javascript:alert(3)",
        properties={HOSTILE: HOSTILE},
    )
    step = make_step(build=build, name=HOSTILE, slug="step")
    log = make_log(step=step, name=HOSTILE, slug="log")
    chunk_store().append(log.key, [Entry(Channel.STDOUT, f"</pre></noscript>{HOSTILE}\n".encode(), None)])
    nouns = (project, build.builder, build, log)
    for address in ["/", f"/p/demo/linux/?branch={HOSTILE}", *(noun.get_absolute_url() for noun in nouns)]:
        page = text_of(client, address)
        assert "<script>" not in page
        assert "<img src=x" not in page
        assert "javascript:" not in page
        assert page.count("</noscript>") == page.count("<noscript>")


def test_the_icon_is_where_browsers_look_for_it(client: Client) -> None:
    answer = client.get("/favicon.ico")
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith("/logviewer/favicon.svg")
