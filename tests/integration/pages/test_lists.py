"""What the lists say of many builds: rates, medians, trends, of bounded size and by index."""

from __future__ import annotations

import gzip
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from logviewer.models import Build, Builder, Project, Step
from logviewer.pages.filters import Filters
from logviewer.pages.index import MAX_CHIPS, MAX_RUNNING_SHOWN, PROJECTS_A_PAGE
from logviewer.pages.project import BUILDERS_A_PAGE
from logviewer.pages.step_trends import MAX_STEPS, step_trends
from logviewer.pages.strip import STRIP_BUILDS
from logviewer.pages.usual import BUILDS_LOOKED_AT, usual_seconds_before
from tests.factories import bearer, make_build, make_builder, make_project, make_token

pytestmark = pytest.mark.django_db

MAX_GZIPPED_BYTES = 60_000


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def make_history(
    builder: Builder, results: list[str], *, seconds: list[float] | None = None, first: int = 1
) -> list[Build]:
    """Finished builds of that builder, an hour apart."""
    start = timezone.now() - timedelta(days=30)
    builds = []
    for place, word in enumerate(results):
        began = start + timedelta(hours=place)
        took = timedelta(seconds=seconds[place] if seconds else 100 + place % 7)
        fields = {"state": "finished", "results": word, "started_at": began, "finished_at": began + took}
        builds.append(Build(builder=builder, number=first + place, branch="main", **fields))
    builder.next_number = first + len(results)
    builder.save()
    return Build.objects.bulk_create(builds)


def make_steps(builds: list[Build], name: str, number: int, seconds: list[float]) -> None:
    Step.objects.bulk_create(
        Step(
            build=build,
            number=number,
            name=name,
            slug=name,
            state="finished",
            results="success",
            started_at=build.started_at,
            finished_at=build.started_at + timedelta(seconds=each),
        )
        for build, each in zip(builds, seconds, strict=True)
    )


def words_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_a_project_says_of_its_builders_how_many_passed_how_long_they_take_and_where_that_goes(client: Client) -> None:
    make_history(
        make_builder("linux"), ["failure"] * 9 + ["success"] * 27 + ["failure"] * 3, seconds=[60.0] * 31 + [90.0] * 8
    )
    page = words_of(text_of(client, "/p/demo/"))
    assert "27 of 30 passed" in page
    assert "1m 00s median" in page
    assert "50 % slower" in page
    assert "from 1m 00s to 1m 30s, median 1m 00s; lately 50 % slower" in page


def test_a_builder_says_the_same_of_all_its_branches_whatever_is_filtered(client: Client) -> None:
    builder = make_builder("linux")
    make_history(builder, ["success"] * 20 + ["failure"] * 5)
    address = builder.get_absolute_url()
    for query in ("", "?results=failure", "?before=3", "?branch=other"):
        page = words_of(text_of(client, address + query))
        assert "Passed, last 30 20 of 25" in page
        assert "steady" in page
        assert "Durations of the last 25 builds: 5 failure, 20 success" in page


def test_a_builder_names_the_step_that_got_slower(client: Client) -> None:
    builder = make_builder("linux")
    builds = make_history(builder, ["success"] * 12)
    make_steps(builds, "checkout", 1, [2.0] * 12)
    make_steps(builds, "compile", 2, [50.0] * 7 + [80.0] * 5)
    make_steps(builds, "test", 3, [10.0] * 7 + [17.0] * 5)
    page = words_of(text_of(client, builder.get_absolute_url()))
    assert "Steps of the last 30 builds: compile 60 % slower" in page
    assert re.search(r"checkout 12 of 12 2s .*? compile 12 of 12 50s .*? test 12 of 12 10s", page)


def test_the_steps_are_those_of_the_newest_build_and_no_more_than_some() -> None:
    old, new = make_history(make_builder("linux"), ["success"] * 2)
    make_steps([old], "gone", 1, [1.0])
    for number in range(1, MAX_STEPS + 3):
        make_steps([new], f"step{number}", number, [1.0])
    trends = step_trends([old, new])
    assert [trend.name for trend in trends] == [f"step{number}" for number in range(1, MAX_STEPS + 1)]


def test_builds_are_the_last_ones_by_number_whatever_numbers_are_left_out(client: Client) -> None:
    builder = make_builder()
    newest = make_history(builder, ["success"], first=5_000_000)[0]
    older = make_history(builder, ["failure"] * (STRIP_BUILDS + 5), first=1000)
    make_history(make_builder("macos"), ["success"] * (STRIP_BUILDS + 5))
    builder.next_number = 5_000_001
    builder.save()
    page = words_of(text_of(client, "/p/demo/"))
    assert f"1 of {STRIP_BUILDS}" in page
    assert f"{STRIP_BUILDS} of {STRIP_BUILDS}" in page
    assert older[-1].pk > newest.pk
    make_steps([newest, older[-1]], "compile", 1, [9.0, 1.0])
    assert [run.seconds for run in step_trends([older[-1], newest])[0].runs] == [1.0, 9.0]


def test_what_is_usual_is_known_across_a_gap_in_the_numbers_and_of_no_more_than_some_builds() -> None:
    builder = make_builder()
    make_history(
        builder, ["success"] * 2 + ["failure"] * (BUILDS_LOOKED_AT - 1), seconds=[60.0] * (BUILDS_LOOKED_AT + 1)
    )
    assert usual_seconds_before(builder, 5_000_000) == 60.0
    make_history(builder, ["failure"], first=4_000_000)
    assert usual_seconds_before(builder, 5_000_000) is None


def test_what_runs_longest_comes_first_and_what_is_not_shown_is_counted(client: Client) -> None:
    builder = make_builder("linux")
    for _ in range(MAX_RUNNING_SHOWN + 2):
        make_build(builder=builder)
    page = text_of(client, "/")
    assert page.count('class="running-row"') == MAX_RUNNING_SHOWN
    assert page.index("linux #1<") < page.index("linux #2<")
    assert "2 more builds run; these started first." in page
    assert f"<title>{MAX_RUNNING_SHOWN + 2} running" in page


def test_what_runs_in_private_is_seen_by_whoever_may(client: Client) -> None:
    private = make_project("secret", public=False)
    make_build(builder=make_builder("unheard-of", project=private))
    assert "unheard-of" not in text_of(client, "/")
    assert "unheard-of #1" in client.get("/", **bearer(make_token(project=private))).content.decode()


def test_a_project_with_many_builders_shows_those_that_went_wrong(client: Client) -> None:
    for number in range(MAX_CHIPS + 3):
        make_history(make_builder(f"b{number:02}"), ["failure" if number == MAX_CHIPS + 2 else "success"])
    page = text_of(client, "/")
    assert page.count('class="chip"') == MAX_CHIPS + 1
    assert f"/p/demo/b{MAX_CHIPS + 2}/" in page
    assert ">3 more</a>" in page


@pytest.mark.parametrize(
    ("builds", "tally"),
    [
        (["success", "running"], "all passing"),
        (["warnings", "cancelled"], "all passing"),
        (["failure", "running"], "1 failing"),
        (["success", "exception", "cancelled", "abandoned"], "1 failing"),
        (["running"], None),
        (["cancelled"], None),
        (["abandoned"], None),
    ],
)
def test_a_project_is_judged_by_the_last_builds_that_passed_or_failed(
    client: Client, builds: list[str], tally: str | None
) -> None:
    for word in builds:
        is_over = word not in ("running", "abandoned")
        make_build(state="finished" if is_over else word, results=word if is_over else None)
    page = text_of(client, "/")
    assert {each for each in ("all passing", "1 failing") if each in page} == ({tally} if tally else set())
    assert ("1 running" in page) == ("running" in builds)


def test_projects_and_builders_go_on_on_the_next_page(client: Client) -> None:
    Project.objects.bulk_create(Project(slug=f"p{number:02}", visibility="public") for number in range(PROJECTS_A_PAGE))
    first = make_project("a")
    assert "?after=p48" in text_of(client, "/")
    rest = text_of(client, "/?after=p48")
    assert rest.count('class="project-row"') == 1
    assert "First projects" in rest
    Builder.objects.bulk_create(Builder(project=first, slug=f"b{number:03}") for number in range(BUILDERS_A_PAGE + 1))
    assert "?after=b099" in text_of(client, "/p/a/")
    assert text_of(client, "/p/a/?after=b099").count('class="builder-row') == 1
    assert "No builder comes after zzz" in text_of(client, "/p/a/?after=zzz")
    assert "No project comes after zzz" in text_of(client, "/?after=zzz")
    assert text_of(client, "/?after=%00").count('class="project-row"') == PROJECTS_A_PAGE


def test_an_open_first_page_is_told_when_nothing_has_changed(client: Client) -> None:
    project = make_project()
    shown = re.search(r'data-version="([^"]+)"', text_of(client, "/"))
    assert shown is not None
    version = f'"{shown[1]}"'
    assert client.get("/", headers={"If-None-Match": version}).status_code == 304
    Project.objects.filter(pk=project.pk).update(version=2)
    assert client.get("/", headers={"If-None-Match": version}).status_code == 200


def test_a_hundred_builders_with_thirty_builds_each_are_a_small_page(client: Client) -> None:
    project = make_project("a-project-with-a-long-name")
    results = ["success", "failure", "warnings", "success", "cancelled", "exception"]
    for number in range(100):
        builder = Builder.objects.create(project=project, slug=f"{number}-linux-x86_64-release-{number * 7919 % 1000}")
        seconds = [1000 + (place * 7919 + number * 104729) % 2000 for place in range(30)]
        words = [results[(place + number) * 7 % 11 % 6] for place in range(30)]
        make_history(builder, words, seconds=seconds, first=10_000 + number)
    for address, rows in ((project.get_absolute_url(), 100), ("/", 1)):
        page = client.get(address).content
        assert page.count(b"-row") >= rows
        size = len(gzip.compress(page))
        assert size <= MAX_GZIPPED_BYTES, address


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "build_newest"),
        ("state=running", "build_of_state"),
        ("results=failure", "build_of_results"),
        ("branch=topic", "build_of_branch"),
        ("branch=main&results=failure&before=50", "build_of_"),
    ],
)
def test_a_builders_builds_are_found_by_index_in_their_order(query: str, index: str) -> None:
    builder = make_builder()
    make_history(builder, ["success"] * 5)
    builds = Filters.from_query(QueryDict(query)).of(Build.objects.filter(builder=builder)).order_by("-number")[:51]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # with five rows it would rather read them all
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    plan = builds.explain()
    assert index in plan or (not query and "build_number_in_builder" in plan)
    assert "B-TREE" not in plan, plan
    assert "Sort" not in plan, plan
