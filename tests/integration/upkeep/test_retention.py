"""Retention before a database: what the dry run says, what goes, what stays, and what is written of it."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logviewer.chunkstore import ArchiveAway, LogLocked
from logviewer.live.store import chunk_store
from logviewer.models import Act, AuditEntry, Build, Builder, LogFile, LogState, Project, RetentionTally
from logviewer.upkeep.deleting import empty_build
from logviewer.upkeep.retention import candidates, expiry
from logviewer.upkeep.retention.candidates import beyond_room, facts_of, ruled_builders
from logviewer.upkeep.retention.expiry import Expiry
from logviewer.upkeep.retention.plan import plan_retention
from tests.factories import make_build, make_builder, make_log, make_project, make_step
from tests.integration.upkeep.builds import TEXT, build_with_log, days_ago, ended_build, numbers

pytestmark = pytest.mark.django_db


def planned(project: Project, **options: Any) -> list[tuple[int, str]]:
    plan = plan_retention(project, timezone.now(), **options)
    return [(going.build.number, going.why) for going in plan.listed]


def files(logs_dir: Path) -> list[Path]:
    return [path for path in logs_dir.rglob("*") if path.is_file()]


def test_by_default_everything_is_kept() -> None:
    ended_build(5000)
    assert planned(make_project()) == []
    assert Expiry().run(Project.objects.all()).builds == 0
    assert numbers() == [1]


def test_the_dry_run_says_what_goes_and_changes_nothing() -> None:
    project = make_project(keep_days=30, keep_successful=1)
    ended_build(90, stored_bytes=100)
    ended_build(80, "failure", stored_bytes=50)
    ended_build(70)
    ended_build(1, "failure", stored_bytes=7)
    plan = plan_retention(project, timezone.now())
    assert [(going.build.number, going.why) for going in plan.listed] == [(1, "expired"), (2, "expired")]
    assert (plan.total.builds, plan.total.stored_bytes, plan.total.unweighed) == (2, 150, 0)
    assert plan.is_complete
    assert plan.words.startswith("Builds are kept for 30 days.")
    assert numbers() == [1, 2, 3, 4]


def test_a_dry_run_counts_all_and_names_some() -> None:
    project = make_project(keep_days=30, max_total_bytes=1)
    for _ in range(5):
        ended_build(90, stored_bytes=10)
    for _ in range(5):
        ended_build(1, stored_bytes=20)
    plan = plan_retention(project, timezone.now(), max_listed=7)
    assert [going.build.number for going in plan.listed] == [1, 2, 3, 4, 5, 6, 7]
    assert (plan.total.builds, plan.total.stored_bytes, plan.is_complete) == (10, 150, False)
    assert len(plan_retention(project, timezone.now(), max_listed=0).listed) == 0


def test_what_goes_goes_with_its_files_and_is_told_once_in_the_audit_log(logs_dir: Path) -> None:
    project = make_project(keep_days=30)
    for days in (100, 90, 1):
        build_with_log(days)
    found = Expiry().run([project])
    assert (found.builds, found.logs, found.stored_bytes, found.failed) == (2, 2, 2 * len(TEXT), 0)
    assert numbers() == [3]
    assert {path.parts[-3] for path in files(logs_dir)} == {"3"}
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.actor, entry.project, entry.target) == (Act.EXPIRE, "buildlogs", project, "demo")
    assert entry.details == {"builds": 2, "logs": 2, "bytes": 2 * len(TEXT)}
    assert entry.reason == "Retention: Builds are kept for 30 days. Pinned ones always stay."
    Expiry().run([project])
    assert AuditEntry.objects.count() == 1


def test_nothing_pinned_or_open_goes() -> None:
    project = make_project(keep_days=30, max_total_bytes=1)
    ended_build(90, pinned=True, stored_bytes=1000)
    late = ended_build(90, stored_bytes=1000)
    make_log(step=make_step(build=late))
    given_up = ended_build(90, stored_bytes=1000)
    make_log(step=make_step(build=given_up), state=LogState.ABANDONED)
    make_build()
    assert planned(project) == []
    assert Expiry().run([project]).builds == 0
    assert numbers() == [1, 2, 3, 4]


def test_what_is_going_already_is_room_and_nothing_else_goes_in_its_place() -> None:
    project = make_project(max_total_bytes=250)
    stuck = ended_build(9, stored_bytes=100)
    ended_build(8, stored_bytes=100)
    ended_build(7, stored_bytes=100)
    assert [number for number, _ in planned(project)] == [1]
    Build.objects.filter(pk=stuck.pk).update(deletion_began_at=timezone.now())
    assert planned(project) == []


def test_a_policy_that_is_changed_during_a_run_holds_from_the_next_build_on() -> None:
    project = make_project(keep_days=30)
    first, second = ended_build(90), ended_build(80)
    [ruled] = ruled_builders(project, timezone.now())
    assert ruled.is_expired(first)
    Project.objects.filter(pk=project.pk).update(keep_days=300)
    locked = Build.objects.select_related("builder__project").get(pk=second.pk)
    assert not ruled.is_expired(locked)
    assert ruled.is_spared(locked)


def test_a_builder_has_its_way_and_the_others_their_projects() -> None:
    project = make_project(keep_days=30)
    keeps, hurries = make_builder("keeps", project=project), make_builder("hurries", project=project)
    Builder.objects.filter(pk=keeps.pk).update(keep_days=0)
    Builder.objects.filter(pk=hurries.pk).update(keep_days=1)
    for builder in (keeps, hurries, make_builder(project=project)):
        builder.refresh_from_db()
        ended_build(90, builder=builder)
        ended_build(10, builder=builder)
    Expiry().run([project])
    left = {b.slug: sorted(b.builds.values_list("number", flat=True)) for b in project.builders.all()}
    assert left == {"keeps": [1, 2], "hurries": [], "linux": [2]}


def test_for_room_the_oldest_of_all_builders_go_first_and_no_more_than_needed() -> None:
    project = make_project(max_total_bytes=250, keep_successful=1)
    linux, macos = make_builder("linux", project=project), make_builder("macos", project=project)
    first = ended_build(9, builder=linux, stored_bytes=100)
    ended_build(8, builder=macos, stored_bytes=100)  # its only successful one
    third = ended_build(7, builder=linux, stored_bytes=100)
    ended_build(6, builder=linux, stored_bytes=100)
    ended_build(5, builder=linux, results="failure")  # not added up yet
    plan = plan_retention(project, timezone.now())
    assert [(going.build, going.why) for going in plan.listed] == [(first, "room"), (third, "room")]
    assert plan.total.stored_bytes == 200
    found = Expiry().run([project])
    assert (found.builds, Build.objects.count()) == (2, 3)
    assert planned(project) == []


def test_a_builder_with_a_limit_of_its_own_does_not_count_in_its_projects() -> None:
    project = make_project(max_total_bytes=150)
    own = make_builder("own", project=project)
    Builder.objects.filter(pk=own.pk).update(max_total_bytes=1000)
    own.refresh_from_db()
    for _ in range(3):
        ended_build(9, builder=own, stored_bytes=300)
    ended_build(8, builder=make_builder(project=project), stored_bytes=100)
    assert planned(project) == []
    ended_build(8, builder=own, stored_bytes=300)
    assert [number for number, _ in planned(project)] == [1]


def test_what_goes_by_age_makes_room_for_the_rest() -> None:
    project = make_project(keep_days=30, max_total_bytes=250)
    for days in (90, 20, 10):
        ended_build(days, stored_bytes=100)
    assert planned(project) == [(1, "expired")]


def test_a_build_that_changed_its_mind_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the query and the lock it was pinned, looked at, or reopened a log."""
    project = make_project(keep_days=30, keep_viewed_days=3)
    for _ in range(3):
        ended_build(90)
    chosen = [Build.objects.get(number=number) for number in (1, 2, 3)]

    def meddled(build_id: int, *args: Any) -> Any:
        Build.objects.filter(pk=chosen[0].pk).update(pinned=True)
        Build.objects.filter(pk=chosen[1].pk).update(viewed_at=timezone.now())
        if not LogFile.objects.exists():
            make_log(step=make_step(build=chosen[2]))
        return empty_build(build_id, *args)

    monkeypatch.setattr(expiry, "empty_build", meddled)
    assert Expiry().run([project]).builds == 0
    assert numbers() == [1, 2, 3]


def test_it_stops_between_two_builds_and_goes_on() -> None:
    project = make_project(keep_days=30)
    for _ in range(4):
        ended_build(90)
    answers = iter([False, False, False, False, True, True, True, True])
    first = Expiry().run([project], lambda: next(answers))
    assert 0 < first.builds < 4
    second = Expiry().run([project])
    assert first.builds + second.builds == 4
    assert [entry.details["builds"] for entry in AuditEntry.objects.order_by("pk")] == [first.builds, second.builds]


def test_a_clock_that_is_set_in_the_middle_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    projects = [make_project(keep_days=30), make_project("other", keep_days=30)]
    for project in projects:
        for _ in range(2):
            ended_build(90, builder=make_builder(project=project))
    was_set: list[bool] = []

    def emptied(build_id: int, *args: Any) -> Any:
        was_set.append(True)
        return empty_build(build_id, *args)

    monkeypatch.setattr(expiry, "empty_build", emptied)
    found = Expiry().run(projects, is_steady=lambda: not was_set)
    assert (found.builds, Build.objects.count()) == (1, 3)
    assert "clock" in found.away
    assert AuditEntry.objects.get().details["builds"] == 1


def test_a_run_that_gives_way_goes_on_where_it_was_and_is_told_once_for_each_project(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expiry, "MAX_WAITING_LOGS", 1)
    makers = [make_builder(project=make_project(slug, keep_days=30)) for slug in ("first", "empty", "last")]
    for builder, count in zip(makers, (3, 0, 2), strict=True):
        for _ in range(count):
            build_with_log(90, builder=builder)
    giving_way = Expiry()
    deleted: list[int] = []
    for _ in range(20):
        projects = Project.objects.filter(pk__gte=giving_way.resumes_at).order_by("pk")
        found = giving_way.run(projects, is_turn_over=lambda: True)
        deleted.append(found.builds)
        if not found.gave_way:
            break
    assert max(deleted) == 1, "each time it is asked, it gives way"
    assert (giving_way.resumes_at, Build.objects.count()) == (0, 0)
    assert [entry.details["builds"] for entry in AuditEntry.objects.order_by("pk")] == [3, 2]


def test_looking_for_longer_than_its_turn_does_not_keep_it_from_getting_on() -> None:
    project = make_project(keep_days=30)
    ended_build(90)
    assert Expiry().run([project], is_turn_over=lambda: True).builds == 1


def test_what_a_killed_run_did_is_told_by_the_next() -> None:
    project = make_project()
    RetentionTally.objects.create(project=project, builds=3, logs=30, stored_bytes=3000)
    Expiry().run([project])
    assert AuditEntry.objects.get().details == {"builds": 3, "logs": 30, "bytes": 3000}
    assert RetentionTally.objects.get().builds == 0


def test_a_deletion_that_was_cut_short_is_completed_whatever_the_rules_say(logs_dir: Path) -> None:
    build_with_log(1)
    build = Build.objects.get()
    Build.objects.update(deletion_began_at=days_ago(0.1), pinned=True)
    assert Expiry().complete().builds == 1
    assert (numbers(), files(logs_dir)) == ([], [])
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.build_number) == (Act.DELETE, build.number)
    assert "cut short" in entry.reason


def test_a_run_that_is_killed_before_the_rows_go_is_completed(logs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(keep_days=30)
    for _ in range(3):
        build_with_log(90)

    def killed(*_: Any) -> Any:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(expiry, "drop_builds", killed)
        with pytest.raises(SystemExit):
            Expiry().run([project])
    assert (numbers(), files(logs_dir)) == ([1, 2, 3], [])
    assert Expiry().run([project]).builds == 0  # whoever began may be at it yet
    Build.objects.update(deletion_began_at=days_ago(0.1))
    assert Expiry().complete().builds == 3
    assert (numbers(), AuditEntry.objects.count()) == ([], 3)


def test_one_that_cannot_be_deleted_now_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(keep_days=30)
    locked = build_with_log(90)
    for _ in range(2):
        build_with_log(90)
    delete = chunk_store().delete

    def held(key: str) -> None:
        if key == locked.key:
            raise LogLocked(Path(key), 0)
        delete(key)

    monkeypatch.setattr(chunk_store(), "delete", held)
    expiry = Expiry()
    found = expiry.run([project])
    assert (found.builds, found.failed, numbers()) == (2, 1, [1])
    assert expiry.run([project]).failed == 0  # not tried again so soon


def test_where_the_other_store_is_away_it_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(keep_days=30)
    for _ in range(2):
        build_with_log(90)

    def away(key: str) -> None:
        raise ArchiveAway(key, "s3://logs: no answer")

    monkeypatch.setattr(chunk_store(), "delete", away)
    found = Expiry().run([project])
    assert (found.builds, numbers()) == (0, [1, 2])
    assert "no answer" in found.away
    monkeypatch.undo()
    Build.objects.filter(deletion_began_at__isnull=False).update(deletion_began_at=days_ago(1))
    assert Expiry().complete().builds == 1
    assert numbers() == [2]


def test_a_viewer_in_the_middle_reads_on(logs_dir: Path) -> None:
    project = make_project(keep_days=30)
    log = build_with_log(90, b"x" * 3_000_000)
    with chunk_store().reader(log.key) as reader:
        first = reader.frame(0, max_bytes=1_000_000)
        assert first is not None
        Expiry().run([project])
        assert files(logs_dir) == []
        offset, data = first.end, first.data
        while frame := reader.frame(offset, max_bytes=1_000_000):
            offset, data = frame.end, data + frame.data
    assert data == b"x" * 3_000_000


words = st.sampled_from(["success", "warnings", "failure", "exception", "cancelled"])
days = st.sampled_from([0.5, 1.5, 2.5, 5.5, 9.5])
rows = st.lists(st.tuples(words, days, st.none() | days, st.booleans()), min_size=1, max_size=8)
count = st.none() | st.integers(0, 8)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, count, count, count, count, count)
def test_sql_and_python_agree_on_every_policy(
    builds: list[tuple[str, float, float | None, bool]],
    keep_days: int | None,
    keep_builds: int | None,
    keep_successful: int | None,
    keep_failed_days: int | None,
    keep_viewed_days: int | None,
) -> None:
    Build.objects.all().delete()
    project = make_project()
    builders = make_builder(project=project), make_builder("watched", project=project)
    Builder.objects.filter(slug="watched").update(keep_viewed_days=2)
    Project.objects.update(
        max_total_bytes=1,
        keep_days=keep_days,
        keep_builds=keep_builds,
        keep_successful=keep_successful,
        keep_failed_days=keep_failed_days,
        keep_viewed_days=keep_viewed_days,
    )
    project.refresh_from_db()
    for number, (results, ended, viewed, pinned) in enumerate(builds):
        seen = {"viewed_at": None if viewed is None else days_ago(viewed), "pinned": pinned}
        ended_build(ended, results, builder=builders[number % 2], stored_bytes=1, **seen)
    found = ruled_builders(project, timezone.now())
    want_room = set()
    for ruled in found:
        facts = {build.pk: facts_of(build) for build in Build.objects.filter(builder=ruled.builder)}
        by_python = {build for build, known in facts.items() if ruled.protection.is_expired(known)}
        by_sql = set(ruled.expired().values_list("pk", flat=True)) if ruled.protection.expires else set()
        assert by_sql == by_python
        want_room |= {build for build, known in facts.items() if not ruled.protection.is_spared(known)} - by_python
    assert {weighed.build_id for weighed in beyond_room(0, found, 0)} == want_room
    assert {each.build_id for ruled in found for each in beyond_room(0, [ruled], 0)} == want_room


def test_queries_do_not_grow_with_builds(django_assert_max_num_queries: Any) -> None:
    project = make_project(keep_days=30, keep_builds=2, keep_successful=2, max_total_bytes=1)
    for _ in range(30):
        ended_build(90, stored_bytes=10)
    with django_assert_max_num_queries(9):
        plan_retention(project, timezone.now())


def test_memory_does_not_grow_with_the_builds_that_would_go(monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(keep_viewed_days=30, max_total_bytes=1)
    builder = make_builder(project=project)
    monkeypatch.setattr(candidates, "CHUNK_BUILDS", 100)

    def peak_bytes(builds: int) -> int:
        first = Build.objects.count()
        Build.objects.bulk_create(
            Build(
                **{"builder": builder, "number": first + number, "state": "finished", "results": "success"},
                **{"finished_at": days_ago(90), "stored_bytes": 100},
            )
            for number in range(1, builds + 1)
        )
        plan_retention(project, timezone.now(), max_listed=5)  # what is made once is there then
        tracemalloc.start()
        try:
            assert plan_retention(project, timezone.now(), max_listed=5).total.builds == first + builds
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak_bytes(1000) > peak_bytes(9000) / 2


def command(*arguments: str) -> str:
    said = io.StringIO()
    call_command("retention", *arguments, stdout=said)
    return said.getvalue()


def test_the_command_lists_builds_and_bytes_in_words() -> None:
    make_project(keep_days=30)
    ended_build(90, stored_bytes=1_500_000)
    ended_build(80)
    said = command("--dry-run")
    assert said.splitlines() == [
        "demo: Builds are kept for 30 days. Pinned ones always stay.",
        f"  linux #1, {days_ago(90):%Y-%m-%d}: 1.5 MB, expired",
        f"  linux #2, {days_ago(80):%Y-%m-%d}: not added up yet, expired",
        "  would go: 2 builds, 1.5 MB, 1 of them not added up yet",
    ]
    assert numbers() == [1, 2]


def test_the_command_speaks_json() -> None:
    make_project(keep_days=30)
    make_project("other")
    build = ended_build(90, stored_bytes=10)
    first, second = map(json.loads, command("--dry-run", "--json").splitlines())
    assert (first["project"], first["builds"], first["bytes"], first["complete"]) == ("demo", 1, 10, True)
    assert first["items"][0]["id"] == build.pk
    assert second == {
        **{"project": "other", "policy": "All builds are kept.", "builds": 0, "bytes": 0, "unweighed": 0},
        **{"complete": True, "items": []},
    }


def test_the_command_deletes_of_the_project_named() -> None:
    make_project(keep_days=30)
    make_project("other", keep_days=30)
    build_with_log(90)
    ended_build(90, builder=make_builder(project=Project.objects.get(slug="other")))
    assert command("--project", "demo") == "deleted: 1 builds, 1 logs, 140 bytes\n"
    assert Build.objects.get().builder.project.slug == "other"
    assert json.loads(command("--json")) == {"builds": 1, "logs": 0, "stored_bytes": 0, "failed": 0}


@pytest.mark.bad_input("a project that does not exist")
def test_a_project_that_there_is_not_is_a_usage_error() -> None:
    with pytest.raises(CommandError, match="no such project") as caught:
        command("--project", "nowhere")
    assert caught.value.returncode == 2


def test_where_only_last_builds_are_kept_none_of_them_goes_for_room() -> None:
    project = make_project(keep_builds=2, max_total_bytes=1)
    for _ in range(3):
        ended_build(1, stored_bytes=10)
    assert planned(project) == [(1, "expired")]
    assert Expiry().run([project]).builds == 1
