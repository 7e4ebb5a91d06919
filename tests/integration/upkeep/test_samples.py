"""Samples of sealed logs: damage is found, remembered, and forgotten once it is mended."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.utils import timezone

from logviewer.live.retries import Retries
from logviewer.models import DamagedLog, LogFile
from logviewer.upkeep import samples
from logviewer.upkeep.jobs import CheckSamples, LookForLost, Work
from logviewer.upkeep.samples import check_samples, draw
from logviewer.upkeep.sealing import seal_waiting
from logviewer.upkeep.verification import Checked, LogFinding
from tests.integration.upkeep.builds import build_with_log

pytestmark = pytest.mark.django_db


def sealed_logs(count: int) -> list[LogFile]:
    logs = [build_with_log(1) for _ in range(count)]
    seal_waiting(Retries())
    return logs


def test_a_damaged_log_is_remembered_until_it_is_mended(logs_dir: Path) -> None:
    (log,) = sealed_logs(1)
    path = logs_dir / f"{log.key}.log.zst"
    whole = path.read_bytes()
    path.write_bytes(whole[:20] + bytes([whole[20] ^ 1]) + whole[21:])
    report = CheckSamples().run(Work())
    assert (report.counts, report.problem) == ({"checked": 1}, f"damaged logs: {log.pk}")
    damage = DamagedLog.objects.get()
    assert damage.log_id == log.pk
    assert "checksum" in damage.detail
    assert check_samples(5).damaged == (log.pk,)  # and not once more for the same log
    path.write_bytes(whole)
    assert check_samples(1).damaged == ()
    assert not DamagedLog.objects.exists()


@pytest.mark.parametrize(("wanted", "drawn"), [(4, 2), (10, 7)])
def test_however_many_are_damaged_others_are_looked_at_and_the_damaged_in_turns(wanted: int, drawn: int) -> None:
    logs = sealed_logs(3 + 7)
    for log in logs[:3]:
        DamagedLog.objects.create(log=log, found_at=timezone.now(), detail="of a test")
    seen: list[list[int]] = []

    def check(row: LogFile, _store: object) -> Checked:
        seen[-1].append(row.pk)
        return Checked(row, None, (LogFinding(row.pk, row.key, "of a test", ""),) if row in logs[:3] else (), {})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "check_log", check)
        patch.setattr(samples, "draw", lambda count, without: [log.pk for log in logs[3:]][:count])
        for _ in range(3):
            seen.append([])
            check_samples(wanted)
    assert [len(set(each) & {log.pk for log in logs[3:]}) for each in seen] == [drawn] * 3
    assert {log_id for each in seen for log_id in each} >= {log.pk for log in logs[:3]}


def test_samples_are_sealed_logs_each_once() -> None:
    logs = sealed_logs(4)
    build_with_log(1)  # plain
    drawn = draw(3, without=frozenset([logs[0].pk]))
    assert len(drawn) == len(set(drawn)) <= 3
    assert set(drawn) <= {log.pk for log in logs[1:]}
    assert draw(0, without=frozenset()) == []


def test_where_there_are_no_logs_none_is_drawn() -> None:
    assert draw(5, without=frozenset()) == []
    assert check_samples(5).checked == 0


def test_files_of_no_log_are_told_and_left_where_they_are(logs_dir: Path) -> None:
    stray = logs_dir / "demo" / "linux" / "9" / "1-compile" / "stdio-99.log"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"whose is this?")
    os.utime(stray, (0, 0))
    report = LookForLost().run(Work())
    assert report.counts == {"lost": 1}
    assert "demo/linux/9/1-compile/stdio-99" in report.problem
    assert stray.exists()
    assert LookForLost().run(Work(stopped=lambda: True)).counts == {"lost": 0}
