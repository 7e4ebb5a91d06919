"""The build page as the server draws it: its head, its steps, their timeline, and how much it weighs."""

from __future__ import annotations

import gzip
import random
import re
import string
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from logviewer.chunkstore import Channel, Entry
from logviewer.live.store import chunk_store
from logviewer.models import Annotation, Build, LogFile, Step
from logviewer.models.build import MAX_NAME_CHARACTERS
from tests.factories import make_build, make_builder, make_log, make_step

pytestmark = pytest.mark.django_db

MOST_GZIPPED_BYTES = 60 * 1024
BEGAN = datetime.fromisoformat("2026-03-01T12:00:00Z")


def text_of(client: Client, build: Build, query: str = "") -> str:
    answer = client.get(build.get_absolute_url() + query)
    assert answer.status_code == 200
    return answer.content.decode()


def make_finished(results: str, seconds: float, **fields: object) -> Build:
    end = BEGAN + timedelta(seconds=seconds)
    return make_build(state="finished", results=results, started_at=BEGAN, finished_at=end, **fields)


def make_steps(build: Build, count: int, failed: int | None = None, name: str = "step {}") -> None:
    for number in range(1, count + 1):
        results = "failure" if number == failed else "success"
        start = BEGAN + timedelta(seconds=number)
        times = {"started_at": start, "finished_at": start + timedelta(seconds=1)}
        step = make_step(
            build=build, name=name.format(number), slug=f"s{number}", state="finished", results=results, **times
        )
        make_log(step=step, file=False)


def listed(page: str) -> list[str]:
    return re.findall(r'<span class="name outside" title="([^"]*)"', page)


def test_a_build_is_held_against_the_median_of_those_before_it_that_went_through(client: Client) -> None:
    for results, seconds in (("success", 100), ("failure", 1), ("warnings", 180), ("success", 200), ("cancelled", 5)):
        make_finished(results, seconds)
    build = make_finished("success", 250)
    make_finished("success", 9000)
    assert re.search(r">4m 10s</time>\s*</b>, usually 3m 00s", text_of(client, build))


def test_a_first_build_is_held_against_nothing(client: Client) -> None:
    assert "usually" not in text_of(client, make_finished("success", 250))


def test_the_first_failed_step_is_named_and_the_others_are_counted(client: Client) -> None:
    build = make_finished("failure", 30)
    make_steps(build, 3, failed=2)
    make_step(build=build, name="package", state="finished", results="exception")
    page = text_of(client, build)
    assert 'failed at <a class="step-link outside" href="?step=2">step 2</a> <span>and 1 more</span>' in page
    assert 'id="failed" hidden' in text_of(client, make_finished("success", 1))


@pytest.mark.parametrize(("results", "opens"), [("failure", "end"), ("success", "top")])
def test_a_log_says_where_it_opens_on_both_of_its_pages(client: Client, results: str, opens: str) -> None:
    step = make_step(build=make_finished(results, 1), state="finished", results=results)
    log = make_log(step=step, state="finished")
    assert f'data-opens-at="{opens}"' in text_of(client, step.build)
    assert f'data-opens-at="{opens}"' in client.get(log.get_absolute_url()).content.decode()


def test_a_failed_build_opens_at_its_first_error_and_tells_it(client: Client) -> None:
    build = make_finished("failure", 10)
    step = make_step(build=build, state="finished", results="failure")
    make_log(step=step, state="finished")
    log = make_log(step=step, name="junit", state="finished", errors=2)
    Annotation.objects.create(log=log, line=3, level="warning", message="deprecated")
    Annotation.objects.create(log=log, line=12, level="error", message="<b>no such file</b>", path="a.c", path_line=7)
    Annotation.objects.create(log=log, line=40, level="error", message="and another")
    page = text_of(client, build)
    assert f'data-log-id="{log.pk}"' in page
    assert 'data-opens-at="L12"' in page
    assert 'href="?step=1&amp;log=junit#L12">a.c:7: &lt;b&gt;no such file&lt;/b&gt;</a>' in page
    assert 'data-opens-at="end"' in text_of(client, build, "?step=1&log=stdio")
    assert 'data-opens-at="L12"' in client.get(log.get_absolute_url()).content.decode()


def test_the_timeline_is_a_list_whose_bars_lead_to_their_steps(client: Client) -> None:
    build = make_finished("failure", 10)
    make_steps(build, 3, failed=3)
    page = text_of(client, build)
    timeline = page.split('id="timeline"')[1].split("</svg>\n")[0]
    assert 'role="list" aria-label="Timeline of 3 steps in 10s"' in timeline
    assert timeline.count('<g role="listitem"><a class="is-') == 3
    assert 'href="?step=3" aria-label="step 3: failure, 1s" aria-current="true" tabindex="0"' in timeline
    assert timeline.count('class="mark"') == 1
    assert 'id="timeline"' in text_of(client, make_build())  # for the steps that come


def test_of_more_than_a_hundred_steps_the_part_around_the_chosen_one_is_listed(client: Client) -> None:
    build = make_finished("failure", 450)
    make_steps(build, 201, failed=150)
    page = text_of(client, build)
    assert listed(page) == [f"step {number}" for number in range(101, 201)]
    assert 'href="?step=1">Steps 1 to 100 of 201<' in page
    assert 'href="?step=201">Steps 201 to 201 of 201<' in page
    assert listed(text_of(client, build, "?step=201")) == ["step 201"]


def test_a_build_without_anything_shows_the_command_that_fills_it(client: Client) -> None:
    assert "buildlogs step compile -- make" in text_of(client, make_build())
    page = text_of(client, make_finished("cancelled", 1, builder=make_builder("arm64")))
    assert "buildlogs run --project demo --builder arm64 -- make" in page


def test_of_long_and_many_properties_the_beginning_is_shown_and_the_rest_is_led_to(client: Client) -> None:
    build = make_build(properties={f"name {number}": "v" * 300 for number in range(50)})
    page = text_of(client, build)
    assert page.count("<dt>") == 40
    assert "v" * 200 + "…<" in page
    assert "50 properties</summary>" in page
    assert f'href="/api/v1/builds/{build.pk}">all of them' in page
    assert "all of them" not in text_of(client, make_build(properties={"owner": {"name": "ada"}}))


def test_thirty_steps_take_as_many_queries_as_three(client: Client) -> None:
    counts = []
    for count in (3, 30):
        build = make_finished("failure", 30)
        make_steps(build, count, failed=2)
        with CaptureQueriesContext(connection) as queries:
            text_of(client, build)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 9


def hostile(chance: random.Random, characters: int) -> str:
    """Text that hardly compresses."""
    return "".join(chance.choices(string.ascii_letters + string.digits + "<&'\"", k=characters))


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "hostile"])
def test_a_page_of_two_thousand_steps_and_a_log_of_300_000_lines_is_small(client: Client, *, plain: bool) -> None:
    chance = random.Random(1)
    properties = {} if plain else {hostile(chance, 100): hostile(chance, 500) for _ in range(100)}
    build = make_finished("failure", 5000, title="t" if plain else hostile(chance, 500), properties=properties)
    names = ["test" if plain else hostile(chance, MAX_NAME_CHARACTERS - 5) for _ in range(2000)]
    moments = [BEGAN + timedelta(seconds=2.5 * number + chance.random()) for number in range(2001)]
    Step.objects.bulk_create(
        Step(
            build=build,
            number=number,
            name=f"{name} {number}",
            slug=f"test-{number}",
            state="finished",
            results="failure" if number == 1234 else "success",
            started_at=moments[number - 1],
            finished_at=moments[number],
        )
        for number, name in enumerate(names, start=1)
    )
    log = make_log(step=Step.objects.get(build=build, number=1234), state="finished", lines=300_000)
    LogFile.objects.filter(pk=log.pk).update(finished_at=timezone.now())
    line = "[{0}/300000] cc -O2 -c unit_{0}.c\n" if plain else hostile(chance, 40) + "{0}\n"
    lines = "".join(line.format(number) for number in range(1, 300_001)) if plain else hostile(chance, 2_000_000)
    chunk_store().append(log.key, [Entry(Channel.STDOUT, lines.encode(), None)])
    page = text_of(client, build)
    assert " 1234" in page
    assert len(gzip.compress(page.encode(), 6)) <= MOST_GZIPPED_BYTES
