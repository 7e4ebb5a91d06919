"""Acts of the admin: shown first, done when confirmed, remembered; what is pinned, open or locked is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from logviewer.chunkstore import Entry, LogLocked
from logviewer.chunkstore.keys import log_files
from logviewer.intake.builds import finish_build
from logviewer.intake.output import append_output, finish_log
from logviewer.live.store import chunk_store
from logviewer.models import Act, AuditEntry, Build, Builder, BuildState, LogFile, LogForm, LogState, Project, Results
from logviewer.upkeep import acts
from tests.factories import make_build, make_builder, make_log, make_project, make_step

pytestmark = pytest.mark.django_db

TEXT = b"gcc -c file.c\n" * 100
BUILDS = "/admin/logviewer/build/"
LOGS = "/admin/logviewer/logfile/"


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def written_log(build: Build | None = None, name: str = "stdio") -> LogFile:
    step = make_step(build=build or make_build())
    log = make_log(step=step, name=name)
    append_output(log.pk, log.key, [Entry(0, TEXT, None)])
    return log


def finished_log(build: Build | None = None) -> LogFile:
    log = written_log(build)
    finish_log(log, received=None, sha256=None, unverified=False)
    finish_build(log.step.build_id, Results.SUCCESS)
    log.refresh_from_db()
    return log


def do(client: Client, place: str, act: str, *nouns: Build | LogFile, reason: str = "") -> list[str]:
    """Confirm an act; what the page says then."""
    form = {"ids": ",".join(str(noun.pk) for noun in nouns), "confirmed": "yes", "reason": reason}
    answer = client.post(f"{place}act/{act}/", form)
    assert answer.status_code == 302, answer.content
    assert answer.headers["Location"] == place
    said = [str(message) for message in get_messages(answer.wsgi_request)]
    client.get(place)
    return said


def files(logs_dir: Path) -> list[Path]:
    return [path for path in logs_dir.rglob("*") if path.is_file()]


def audited(act: Act) -> list[tuple[str, str, str]]:
    return list(AuditEntry.objects.filter(act=act).order_by("pk").values_list("actor", "target", "reason"))


def test_choosing_in_the_list_shows_what_would_be_touched_and_touches_nothing(admin: Client, logs_dir: Path) -> None:
    log, pinned = finished_log(), finished_log()
    Build.objects.filter(pk=pinned.step.build_id).update(pinned=True)
    chosen = {"action": "delete", "_selected_action": [log.step.build_id, pinned.step.build_id]}
    page = admin.post(BUILDS, chosen).content.decode()
    assert "<dt>Builds</dt><dd>2</dd>" in page
    assert "<dt>Logs</dt><dd>2</dd>" in page
    assert "<dt>Text</dt><dd>2.8 kB</dd>" in page
    assert "1 build will stay as it is: pinned" in page
    assert log.step.build.get_absolute_url() in page
    assert Build.objects.count() == 2
    assert files(logs_dir)
    assert not AuditEntry.objects.exists()


def test_deleting_builds_takes_their_files_leaves_what_is_pinned_or_open_and_says_so(
    admin: Client, logs_dir: Path
) -> None:
    log, pinned, running = finished_log(), finished_log(), written_log()
    kept = {path for each in (pinned, running) for path in files(logs_dir) if path.stem == Path(each.key).name}
    Build.objects.filter(pk=pinned.step.build_id).update(pinned=True)
    builds = [each.step.build for each in (log, pinned, running)]
    said = do(admin, BUILDS, "delete", *builds, reason="no longer needed")
    assert said[0] == "1 build deleted."
    assert said[1].startswith("2 builds not deleted: demo/linux #2: the build is pinned")
    assert "demo/linux #3: the log is not finished" in said[1]
    assert set(files(logs_dir)) == kept
    assert audited(Act.DELETE) == [("ada", "demo/linux #1", "no longer needed")]


def test_deleting_logs_leaves_their_builds(admin: Client, logs_dir: Path) -> None:
    log = finished_log()
    assert do(admin, LOGS, "delete", log) == ["1 log deleted."]
    assert Build.objects.exists()
    assert files(logs_dir) == []


def test_sealing_seals_what_is_finished_and_plain(admin: Client) -> None:
    log, running = finished_log(), written_log()
    said = do(admin, LOGS, "seal", log, running)
    assert said[0] == "1 log sealed."
    assert "not finished" in said[1]
    log.refresh_from_db()
    assert log.form == LogForm.SEALED
    assert "sealed already" in do(admin, LOGS, "seal", log)[0]
    assert [target for _who, target, _why in audited(Act.SEAL)] == ["demo/linux #1 compile/stdio"]


def test_of_builds_all_logs_are_sealed(admin: Client) -> None:
    build = make_build()
    for name in ("stdio", "config"):
        log = make_log(step=make_step(build=build, name=name), name=name)
        finish_log(log, received=None, sha256=None, unverified=False)
    assert do(admin, BUILDS, "seal", build) == ["2 logs sealed."]


def test_a_log_that_somebody_is_at_is_refused_and_the_others_are_done(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, other = finished_log(), finished_log()
    seal_log = acts.seal_log

    def locked_or_sealed(row: LogFile) -> None:
        if row.pk == log.pk:
            raise LogLocked(Path(row.key), 5.0)
        seal_log(row)

    monkeypatch.setattr(acts, "seal_log", locked_or_sealed)
    said = do(admin, LOGS, "seal", log, other)
    assert said[0] == "1 log sealed."
    assert said[1].startswith("1 log not sealed: demo/linux #1 compile/stdio: ")
    assert LogFile.objects.get(pk=log.pk).form == LogForm.PLAIN


def test_verifying_tells_what_is_wrong(admin: Client) -> None:
    log, damaged = finished_log(), finished_log()
    text = log_files(chunk_store().root, damaged.key).text
    text.write_bytes(text.read_bytes()[:-5])
    said = do(admin, LOGS, "verify", log, damaged)
    assert said[0] == "1 log found to be in order."
    assert "demo/linux #2 compile/stdio: " in said[1]
    assert len(audited(Act.VERIFY)) == 2


def test_without_another_store_nothing_is_moved(admin: Client) -> None:
    assert "BUILDLOGS_LOG_STORE" in do(admin, LOGS, "move", finished_log())[0]
    assert not audited(Act.MOVE)


def test_builds_are_pinned_and_unpinned_also_by_their_logs(admin: Client) -> None:
    log = finished_log()
    build = log.step.build
    assert do(admin, BUILDS, "pin", build, reason="a release") == ["1 build pinned."]
    assert Build.objects.get().pinned
    assert "pinned already" in do(admin, BUILDS, "pin", build)[0]
    assert do(admin, LOGS, "unpin", log) == ["1 build unpinned."]
    assert not Build.objects.get().pinned
    assert audited(Act.PIN) == [("ada", "demo/linux #1", "a release")]


def test_a_silent_build_is_closed_with_its_logs_and_one_that_lives_is_not(admin: Client) -> None:
    silent, living = written_log(), written_log()
    Build.objects.filter(pk=silent.step.build_id).update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    said = do(admin, BUILDS, "close", silent.step.build, living.step.build)
    assert said[0] == "1 build closed."
    assert "its writer was heard" in said[1]
    silent.refresh_from_db()
    build = Build.objects.get(pk=silent.step.build_id)
    assert (silent.state, silent.completeness) == (LogState.FINISHED, "abandoned")
    assert (build.state, build.results) == (BuildState.FINISHED, Results.EXCEPTION)
    assert Build.objects.get(pk=living.step.build_id).state == BuildState.RUNNING
    assert audited(Act.CLOSE) == [("ada", "demo/linux #1", "")]


def test_one_log_is_downloaded_as_text_and_several_as_a_zip(admin: Client) -> None:
    first, second = finished_log(), finished_log()
    answer = admin.post(f"{LOGS}act/export/", {"ids": f"{first.pk}", "confirmed": "yes"})
    assert answer.headers["Location"] == f"/api/v1/logs/{first.pk}/raw?download=1"
    answer = admin.post(
        f"{BUILDS}act/export/", {"ids": f"{first.step.build_id},{second.step.build_id}", "confirmed": "1"}
    )
    assert answer.headers["Location"] == f"/api/v1/logs.zip?ids={first.pk},{second.pk}"
    assert len(audited(Act.EXPORT)) == 3


@pytest.mark.bad_input("an act on more than a thousand builds")
def test_more_than_a_thousand_are_refused_in_one_line_and_nothing_is_done(admin: Client) -> None:
    builder = make_builder()
    builds = Build.objects.bulk_create(
        Build(builder=builder, number=number, state="finished") for number in range(1, 1003)
    )
    chosen = {"action": "delete", "_selected_action": [builds[0].pk], "select_across": "1"}
    answer = admin.post(BUILDS, chosen, follow=True)
    assert "Nothing was done: that is more than 1000 builds at once" in answer.content.decode()
    assert Build.objects.count() == 1002
    said = do(admin, BUILDS, "delete", *builds)
    assert said == [
        "Nothing was done: that is more than 1000 builds at once: choose fewer, or narrow the list down first."
    ]
    assert Build.objects.count() == 1002


@pytest.mark.bad_input("an act that reads more than 4 GiB")
def test_so_are_more_bytes_than_one_act_may_read(admin: Client) -> None:
    log = finished_log()
    LogFile.objects.filter(pk=log.pk).update(size=acts.MAX_READ_BYTES + 1)
    assert "4 GiB" in do(admin, LOGS, "verify", log)[0]
    assert not audited(Act.VERIFY)


def test_an_act_ends_in_time_and_says_what_it_did_not_reach() -> None:
    times = iter([0.0, 0.0, acts.MAX_SECONDS + 1])
    builds = [make_build(state="finished") for _ in range(3)]
    selection = acts.select(Act.PIN, acts.Noun.BUILD, [build.pk for build in builds])
    outcome = acts.perform(selection, acts.Actor("ada"), clock=lambda: next(times))
    assert (outcome.done, outcome.not_reached) == (1, 2)


def test_who_may_look_verifies_and_downloads_and_nothing_else(client: Client) -> None:
    user = User.objects.create_user("bob", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_logfile"))
    client.force_login(user)
    log = finished_log()
    assert client.get(f"{LOGS}act/verify/?ids={log.pk}").status_code == 200
    for act in ("seal", "delete", "pin", "close", "move"):
        assert client.post(f"{LOGS}act/{act}/", {"ids": f"{log.pk}", "confirmed": "yes"}).status_code == 403
    page = client.get(LOGS).content.decode()
    assert '<option value="verify">' in page
    assert '<option value="delete">' not in page
    assert LogFile.objects.exists()


@pytest.mark.bad_input("ids that are none")
@pytest.mark.parametrize("ids", ["", "x", "-1", "1;2", "9" * 40])
def test_ids_that_are_none_choose_nothing(admin: Client, ids: str) -> None:
    finished_log()
    answer = admin.post(f"{BUILDS}act/delete/", {"ids": ids, "confirmed": "yes"}, follow=True)
    assert "Nothing was chosen" in answer.content.decode()
    assert Build.objects.exists()


def test_an_act_that_there_is_not_is_refused(admin: Client) -> None:
    assert admin.get(f"{BUILDS}act/redecorate/?ids=1").status_code == 403


@pytest.mark.parametrize("place", [BUILDS, LOGS])
def test_djangos_own_deleting_is_nowhere(admin: Client, place: str) -> None:
    finished_log()
    assert "delete_selected" not in admin.get(place).content.decode()
    admin.post(place, {"action": "delete_selected", "_selected_action": ["1"], "post": "yes"})
    assert Build.objects.exists()
    assert LogFile.objects.exists()


def test_a_project_and_a_builder_go_only_when_they_are_empty(admin: Client) -> None:
    builder = make_build().builder
    empty = make_builder("empty")
    place = "/admin/logviewer/builder/"
    assert admin.post(f"{place}{builder.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin.post(f"{place}{empty.pk}/delete/", {"post": "yes"}).status_code == 302
    assert list(Builder.objects.all()) == [builder]
    assert [target for _who, target, _why in audited(Act.DELETE)] == ["demo/empty"]


def test_a_project_that_gets_a_builder_while_it_is_deleted_stays(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project("late")

    def has_permission(*args: Any, **kwargs: Any) -> bool:
        make_builder(project=project)
        return True

    monkeypatch.setattr("logviewer.admin.project.ProjectAdmin.has_delete_permission", has_permission)
    monkeypatch.setattr("logviewer.admin.project.ProjectAdmin.get_deleted_objects", lambda *_: ([], {}, set(), []))
    answer = admin.post(f"/admin/logviewer/project/{project.pk}/delete/", {"post": "yes"}, follow=True)
    assert "the project still has builders" in answer.content.decode()
    assert Project.objects.filter(pk=project.pk).exists()


def test_the_preview_asks_as_often_for_many_as_for_few(admin: Client, django_assert_max_num_queries: Any) -> None:
    builds = [finished_log().step.build for _ in range(5)]
    ids = ",".join(str(build.pk) for build in builds)
    with django_assert_max_num_queries(10):
        assert admin.get(f"{BUILDS}act/delete/?ids={ids}").status_code == 200


def test_a_pages_buttons_lead_to_its_acts(admin: Client) -> None:
    log = finished_log()
    page = admin.get(f"{LOGS}{log.pk}/change/").content.decode()
    assert f'href="{LOGS}act/seal/?ids={log.pk}&amp;page=1"' in page
