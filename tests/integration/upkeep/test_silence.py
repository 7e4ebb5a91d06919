"""Writers that go silent: what is given up and when, what brings it back, and how it ends."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from django.db import connections
from django.utils import timezone

from logviewer.chunkstore import Entry, LogFinished
from logviewer.intake import counters, silence
from logviewer.intake.builds import finish_build, note_heartbeat
from logviewer.intake.logs import create_log
from logviewer.intake.output import append_output, finish_log
from logviewer.intake.steps import create_step, finish_step
from logviewer.live.retries import Retries
from logviewer.live.store import chunk_store
from logviewer.models import Build, ListeningTime, LogFile, Project, Results, Step
from logviewer.upkeep.listening import KEPT, Listener, listening_since, longest_gap
from logviewer.upkeep.silence import END_AFTER, give_up_silent
from logviewer.upkeep.unrecorded import record_finishes
from tests.factories import make_build, make_log, make_step

pytestmark = pytest.mark.django_db(transaction=True)

ABANDON_AFTER = timedelta(hours=1)
SILENT = timedelta(hours=2)
A_DAY_SILENT = ABANDON_AFTER + END_AFTER + timedelta(hours=1)
RACING_BUILDS = 12
TEXT = b"one\ntwo\n"


@pytest.fixture(autouse=True)
def remembers_no_log() -> None:
    """Ids come again in each test, and what was noted a moment ago is not noted again."""
    counters._written_at.clear()


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """What was announced, in order: build or project, event, version."""
    events: list[tuple[str, str, int]] = []
    monkeypatch.setattr(
        "logviewer.live.announce.build_changed",
        lambda _build, version, event, _subject: events.append(("build", event, version)),
    )
    monkeypatch.setattr(
        "logviewer.live.announce.project_changed",
        lambda _project, version, event, _build: events.append(("project", event, version)),
    )
    return events


def a_server_listens(since: timedelta = timedelta(days=30)) -> None:
    """A server is there, and has been for so long."""
    ListeningTime.objects.all().delete()
    now = timezone.now()
    ListeningTime.objects.create(since=now - since, until=now)


def running_log(silent: timedelta = SILENT, **build_fields: object) -> LogFile:
    """A log that holds TEXT, of a running step of a build that was heard so long ago."""
    log = make_log(step=make_step(build=make_build(**build_fields)))
    append_output(log.pk, log.key, [Entry(0, TEXT, None)])
    fall_silent(log.step.build_id, silent)
    return log


def fall_silent(build_id: int, silent: timedelta = SILENT) -> None:
    Build.objects.filter(pk=build_id).update(heartbeat_at=timezone.now() - silent)


def abandoned_log() -> LogFile:
    """As `running_log`, given up by now."""
    log = running_log()
    a_server_listens()
    assert give_up_silent(Retries()).abandoned == 1
    counters._written_at.clear()
    return log


def silent_for_a_day(log: LogFile) -> datetime:
    """Let it have been given up more than a day ago; returns when its writer was last heard."""
    heard_at = timezone.now() - A_DAY_SILENT
    Build.objects.filter(pk=log.step.build_id).update(
        heartbeat_at=heard_at, abandoned_at=timezone.now() - END_AFTER - timedelta(minutes=1)
    )
    return heard_at


def states(log: LogFile) -> tuple[str, str, str]:
    """Those of the log's build, step and itself."""
    row = LogFile.objects.select_related("step__build").get(pk=log.pk)
    return row.step.build.state, row.step.state, row.state


def received_bytes(log: LogFile) -> int:
    with chunk_store().reader(log.key) as reader:
        return reader.end().received


# Given up.


def test_what_is_silent_is_abandoned_with_its_steps_and_logs() -> None:
    log = running_log()
    LogFile.objects.filter(pk=log.pk).update(size=0, lines=0, received=0)
    finished_step = make_step(build=log.step.build, name="done", state="finished", results="success")
    a_server_listens()
    done = give_up_silent(Retries())
    assert (done.abandoned, done.ended, done.failed) == (1, 0, 0)
    assert states(log) == ("abandoned", "abandoned", "abandoned")
    assert Step.objects.get(pk=finished_step.pk).state == "finished"
    row = LogFile.objects.get(pk=log.pk)
    assert (row.size, row.lines, row.received, row.completeness) == (8, 2, 8, None)
    assert give_up_silent(Retries()).abandoned == 0


def test_who_was_heard_lately_is_not_given_up() -> None:
    log = running_log(silent=ABANDON_AFTER - timedelta(minutes=1))
    a_server_listens()
    assert give_up_silent(Retries()).abandoned == 0
    assert states(log) == ("running", "running", "open")


def test_logs_that_a_finished_build_still_waits_for_are_given_up_and_it_stays_finished() -> None:
    log = running_log()
    finish_build(log.step.build_id, Results.SUCCESS)
    fall_silent(log.step.build_id)
    a_server_listens()
    assert give_up_silent(Retries()).abandoned == 1
    assert states(log) == ("finished", "finished", "abandoned")
    assert give_up_silent(Retries()).abandoned == 0


def test_giving_up_and_coming_back_are_each_one_version_and_no_hole(announced: list[tuple[str, str, int]]) -> None:
    log = abandoned_log()
    version = Project.objects.get().version
    assert announced == [("build", "buildAbandoned", 2), ("project", "buildAbandoned", version)]
    note_heartbeat(log.step.build_id)
    assert announced[2:] == [("build", "buildReopened", 3), ("project", "buildReopened", version + 1)]
    assert (Build.objects.get().version, Project.objects.get().version) == (3, version + 1)


def test_a_writer_that_is_heard_while_upkeep_looks_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    log = running_log()
    a_server_listens()
    abandon = silence.abandon_build

    def heard_just_before(build_id: int, silent_since: datetime) -> bool:
        note_heartbeat(build_id)
        return abandon(build_id, silent_since)

    monkeypatch.setattr("logviewer.upkeep.silence.abandon_build", heard_just_before)
    assert give_up_silent(Retries()).abandoned == 0
    assert states(log) == ("running", "running", "open")


def test_a_log_that_cannot_be_read_keeps_its_build_and_no_other() -> None:
    lost, log = running_log(), running_log()
    chunk_store().delete(lost.key)
    a_server_listens()
    retries = Retries()
    done = give_up_silent(retries)
    assert (done.abandoned, done.failed) == (1, 1)
    assert states(log)[0] == "abandoned"
    assert states(lost)[0] == "running"
    assert give_up_silent(retries).failed == 0  # not tried again at once


def test_a_log_that_its_writer_finished_is_not_given_up_also_where_its_row_does_not_know() -> None:
    log = running_log()
    chunk_store().finish(log.key)
    a_server_listens()
    assert give_up_silent(Retries()).abandoned == 1
    assert states(log) == ("abandoned", "abandoned", "open")
    LogFile.objects.update(written_at=timezone.now() - SILENT)
    record_finishes()
    assert states(log)[2] == "finished"
    assert LogFile.objects.get().completeness == "unverified"


# Servers that were not there.


def test_nobody_is_given_up_where_no_server_listens() -> None:
    running_log()
    ListeningTime.objects.all().delete()
    assert give_up_silent(Retries()).abandoned == 0
    now = timezone.now()
    ListeningTime.objects.create(since=now - timedelta(days=1), until=now - longest_gap() - timedelta(seconds=1))
    assert give_up_silent(Retries()).abandoned == 0


def test_after_a_time_without_server_silence_counts_from_its_start() -> None:
    running_log(silent=timedelta(days=3))
    now = timezone.now()
    ListeningTime.objects.create(since=now - timedelta(days=9), until=now - timedelta(hours=3))
    started = ListeningTime.objects.create(since=now - ABANDON_AFTER / 2, until=now)
    assert give_up_silent(Retries()).abandoned == 0
    ListeningTime.objects.filter(pk=started.pk).update(since=now - ABANDON_AFTER * 2)
    assert give_up_silent(Retries()).abandoned == 1


def test_a_build_given_up_before_the_server_was_away_gets_its_hour_again() -> None:
    log = abandoned_log()
    silent_for_a_day(log)
    a_server_listens(since=ABANDON_AFTER / 2)
    assert give_up_silent(Retries()).ended == 0
    a_server_listens(since=ABANDON_AFTER * 2)
    assert give_up_silent(Retries()).ended == 1


def times(*pairs: tuple[int, int]) -> datetime:
    """Listening times by minutes before now, which is returned."""
    now = timezone.now()
    for since, until in pairs:
        ListeningTime.objects.create(since=now - timedelta(minutes=since), until=now - timedelta(minutes=until))
    return now


@pytest.mark.parametrize(
    ("pairs", "minutes"),
    [
        pytest.param([(50, 0)], 50, id="one process"),
        pytest.param([(90, 40), (50, 0)], 90, id="the next one started before the last one ended"),
        pytest.param([(90, 40), (30, 0)], 30, id="nobody in between"),
        pytest.param([(90, 0), (50, 20), (30, 0)], 90, id="one beside others"),
        pytest.param([(300, 200), (210, 100), (110, 0)], 300, id="one after the other"),
        pytest.param([(300, 200), (190, 100), (110, 0)], 190, id="an interruption before that"),
    ],
)
def test_overlapping_times_are_one(pairs: list[tuple[int, int]], minutes: int) -> None:
    now = times(*pairs)
    assert listening_since(now) == now - timedelta(minutes=minutes)


def test_a_process_that_runs_has_one_time_and_one_that_was_held_up_another() -> None:
    listener, begin = Listener(), timezone.now()
    listener.beat(begin)
    listener.beat(begin + longest_gap() / 2)
    assert listening_since(begin + longest_gap() / 2) == begin
    awake = begin + timedelta(hours=5)  # the machine slept, or its clock jumped
    assert listening_since(awake) is None
    listener.beat(awake)
    assert listening_since(awake) == awake
    listener.beat(begin)  # and back
    assert listening_since(begin) is not None
    assert ListeningTime.objects.count() == 3


def test_times_of_the_past_are_forgotten_but_not_ones_own() -> None:
    now = timezone.now()
    ListeningTime.objects.create(since=now - 3 * KEPT, until=now - 2 * KEPT)
    Listener().beat(now)
    assert ListeningTime.objects.get().since == now


# Back again.


def by_output(log: LogFile) -> None:
    append_output(log.pk, log.key, [Entry(0, b"more\n", None)], offset=len(TEXT))


WAYS_BACK = {
    "a heartbeat": lambda log: note_heartbeat(log.step.build_id),
    "output": by_output,
    "output sent again": lambda log: append_output(log.pk, log.key, [Entry(0, TEXT, None)], offset=0),
    "a new step": lambda log: create_step(log.step.build_id, "next"),
    "the same step": lambda log: create_step(log.step.build_id, log.step.name, log.step.number),
    "a new log": lambda log: create_log(log.step_id, "another"),
    "the same log": lambda log: create_log(log.step_id, log.name),
}


@pytest.mark.parametrize("way", list(WAYS_BACK))
def test_a_writer_that_comes_back_reopens_all_of_its_build(way: str) -> None:
    log = abandoned_log()
    WAYS_BACK[way](log)
    assert states(log) == ("running", "running", "open")
    build = Build.objects.get()
    assert build.abandoned_at is None
    assert timezone.now() - build.heartbeat_at < timedelta(minutes=1)
    assert give_up_silent(Retries()).abandoned == 0


def test_whoever_comes_back_may_finish_as_if_nothing_had_been() -> None:
    log = abandoned_log()
    finish_log(log, received=len(TEXT), sha256=None, unverified=False)
    assert states(log) == ("running", "running", "finished")
    fall_silent(log.step.build_id)
    assert give_up_silent(Retries()).abandoned == 1
    finish_step(log.step_id, Results.WARNINGS)
    assert states(log) == ("running", "finished", "finished")
    fall_silent(log.step.build_id)
    assert give_up_silent(Retries()).abandoned == 1
    assert finish_build(log.step.build_id, Results.SUCCESS).results == Results.SUCCESS
    assert states(log) == ("finished", "finished", "finished")


def test_output_for_a_finished_build_reopens_its_logs() -> None:
    log = running_log()
    finish_build(log.step.build_id, Results.SUCCESS)
    fall_silent(log.step.build_id)
    a_server_listens()
    give_up_silent(Retries())
    counters._written_at.clear()
    by_output(log)
    assert states(log) == ("finished", "finished", "open")


# Ended.


def test_a_further_day_later_it_is_finished_at_the_last_sign_of_life() -> None:
    log = abandoned_log()
    assert give_up_silent(Retries()).ended == 0
    heard_at = silent_for_a_day(log)
    assert give_up_silent(Retries()).ended == 1
    row = LogFile.objects.select_related("step__build").get(pk=log.pk)
    build = row.step.build
    assert states(log) == ("finished", "finished", "finished")
    assert (build.results, row.step.results, row.completeness) == ("exception", "exception", "abandoned")
    assert (build.finished_at, row.step.finished_at) == (heard_at, heard_at)
    assert (row.text_sha256 is not None, row.finished_at) == (True, row.written_at)
    with chunk_store().reader(log.key) as reader:
        assert reader.end().finished
    done = give_up_silent(Retries())
    assert (done.abandoned, done.ended, done.failed) == (0, 0, 0)


def test_the_logs_of_a_finished_build_are_finished_and_its_results_stay() -> None:
    log = running_log()
    finish_build(log.step.build_id, Results.SUCCESS)
    fall_silent(log.step.build_id)
    a_server_listens()
    give_up_silent(Retries())
    silent_for_a_day(log)
    before = Build.objects.get()
    assert give_up_silent(Retries()).ended == 1
    after = Build.objects.get()
    assert (after.results, after.finished_at) == (before.results, before.finished_at)
    assert LogFile.objects.get().completeness == "abandoned"
    assert give_up_silent(Retries()).ended == 0


def test_output_that_the_database_has_not_heard_of_yet_keeps_a_log_open() -> None:
    """A writer that came back this very second: its bytes are stored, its sign of life is still under way."""
    log = abandoned_log()
    silent_for_a_day(log)
    chunk_store().append(log.key, [Entry(0, b"back\n", None)], offset=len(TEXT))
    assert give_up_silent(Retries()).ended == 0
    assert states(log) == ("running", "running", "open")
    append_output(log.pk, log.key, [Entry(0, b"and on\n", None)], offset=len(TEXT) + 5)
    assert received_bytes(log) == len(TEXT) + 12


def test_a_writer_that_is_heard_while_upkeep_ends_its_build_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    log = abandoned_log()
    silent_for_a_day(log)
    end = silence.end_abandoned_build

    def heard_just_before(build_id: int, silent_since: datetime) -> bool:
        note_heartbeat(build_id)
        return end(build_id, silent_since)

    monkeypatch.setattr("logviewer.upkeep.silence.end_abandoned_build", heard_just_before)
    assert give_up_silent(Retries()).ended == 0
    assert states(log) == ("running", "running", "open")


def test_whoever_comes_after_the_end_is_told_so_and_nothing_that_was_taken_is_lost() -> None:
    log = abandoned_log()
    silent_for_a_day(log)
    give_up_silent(Retries())
    with pytest.raises(LogFinished):
        by_output(log)
    append_output(log.pk, log.key, [Entry(0, TEXT, None)], offset=0)  # known: nothing is missing
    assert received_bytes(log) == len(TEXT)
    assert finish_log(log, received=None, sha256=None, unverified=False).completeness == "abandoned"


def test_the_writers_own_results_take_the_place_of_those_of_silence() -> None:
    log = abandoned_log()
    silent_for_a_day(log)
    give_up_silent(Retries())
    assert finish_step(log.step_id, Results.WARNINGS).results == Results.WARNINGS
    assert finish_build(log.step.build_id, Results.SUCCESS).results == Results.SUCCESS
    build = Build.objects.get()
    assert (build.results, build.ended_by_silence) == (Results.SUCCESS, False)


def test_upkeep_that_dies_in_the_middle_goes_on_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    log = abandoned_log()
    silent_for_a_day(log)
    monkeypatch.setattr("logviewer.intake.silence.record_finish", _die)
    with pytest.raises(KeyboardInterrupt):
        give_up_silent(Retries())
    monkeypatch.undo()
    assert states(log) == ("abandoned", "abandoned", "abandoned")
    assert give_up_silent(Retries()).ended == 1
    assert states(log) == ("finished", "finished", "finished")


def test_where_many_come_back_while_upkeep_ends_builds_each_goes_one_way_or_the_other(
    announced: list[tuple[str, str, int]],
) -> None:
    logs = [running_log() for _ in range(RACING_BUILDS)]
    a_server_listens()
    assert give_up_silent(Retries()).abandoned == RACING_BUILDS
    for log in logs:
        silent_for_a_day(log)
    counters._written_at.clear()
    announced.clear()
    version = Project.objects.get().version
    barrier = threading.Barrier(3)

    def come_back(mine: list[LogFile]) -> list[LogFile]:
        """Append to each log; returns those that took it."""
        barrier.wait(timeout=30)
        taken = []
        for log in mine:
            with suppress(LogFinished):
                append_output(log.pk, log.key, [Entry(0, b"back\n", None)], offset=len(TEXT))
                taken.append(log)
        connections.close_all()
        return taken

    def end() -> None:
        barrier.wait(timeout=30)
        give_up_silent(Retries())
        connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        ending = pool.submit(end)
        taken = [log for back in pool.map(come_back, [logs[::-2], logs[-2::-2]]) for log in back]
        ending.result()
    for log in logs:
        assert received_bytes(log) == len(TEXT) + (5 if log in taken else 0)
        assert states(log) == (("running", "running", "open") if log in taken else ("finished",) * 3)
    told = sorted(number for kind, _, number in announced if kind == "project")
    assert told == list(range(version + 1, version + 1 + RACING_BUILDS))


def _die(*_arguments: object, **_more: object) -> None:
    raise KeyboardInterrupt
