"""What builds take: added up when they have ended, forgotten when one of their logs changes."""

from __future__ import annotations

import pytest

from logviewer.chunkstore import Entry
from logviewer.intake.builds import finish_build
from logviewer.intake.output import append_output, finish_log
from logviewer.live.retries import Retries
from logviewer.models import SERVER, Build, LogFile, Results
from logviewer.upkeep import weighing
from logviewer.upkeep.deleting import delete_log
from logviewer.upkeep.sealing import seal_waiting
from logviewer.upkeep.weighing import waiting_builds, weigh_waiting
from tests.factories import make_log
from tests.integration.upkeep.builds import TEXT, ended_build

pytestmark = pytest.mark.django_db


def stored_bytes() -> int | None:
    return Build.objects.get().stored_bytes


def finish(log: LogFile) -> None:
    append_output(log.pk, log.key, [Entry(0, TEXT, None)])
    finish_log(log, received=None, sha256=None, unverified=False)


def test_a_build_is_weighed_when_it_has_ended_and_again_when_its_logs_change() -> None:
    first = make_log()
    late = make_log(step=first.step, name="late")
    finish(first)
    assert weigh_waiting() == 0  # it runs
    finish_build(first.step.build_id, Results.SUCCESS)
    assert weigh_waiting() == 1
    assert stored_bytes() == len(TEXT)
    finish(late)
    assert stored_bytes() is None
    weigh_waiting()
    assert stored_bytes() == 2 * len(TEXT)
    seal_waiting(Retries())
    assert stored_bytes() is None
    weigh_waiting()
    assert stored_bytes() == sum(LogFile.objects.values_list("stored_bytes", flat=True))
    delete_log(late.pk, SERVER)
    weigh_waiting()
    assert stored_bytes() == LogFile.objects.get().stored_bytes > 0
    assert weigh_waiting() == 0


def test_more_builds_than_a_batch_are_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weighing, "BATCH_BUILDS", 2)
    for _ in range(5):
        ended_build()
    assert weigh_waiting() == 5
    assert not waiting_builds().exists()
    assert set(Build.objects.values_list("stored_bytes", flat=True)) == {0}
