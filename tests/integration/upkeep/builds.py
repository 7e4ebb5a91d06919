"""Builds that have ended, for tests of retention."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from logviewer.chunkstore import Entry
from logviewer.intake.output import append_output, finish_log
from logviewer.models import Build, Builder, BuildState, LogFile
from logviewer.upkeep.weighing import weigh_waiting
from tests.factories import make_build, make_log, make_step

TEXT = b"gcc -c file.c\n" * 10


def days_ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def ended_build(days: float = 100, results: str = "success", *, builder: Builder | None = None, **fields: Any) -> Build:
    """A build that ended so many days ago, without logs; `stored_bytes` may be given."""
    return make_build(builder=builder, state=BuildState.FINISHED, results=results, finished_at=days_ago(days), **fields)


def build_with_log(days: float = 100, text: bytes = TEXT, *, builder: Builder | None = None) -> LogFile:
    """The log of a build that ended so many days ago, finished and plain, all added up."""
    build = make_build(builder=builder)
    log = make_log(step=make_step(build=build))
    append_output(log.pk, log.key, [Entry(0, text, None)])
    finished = finish_log(log, received=None, sha256=None, unverified=False)
    Build.objects.filter(pk=build.pk).update(
        state=BuildState.FINISHED, results="success", finished_at=days_ago(days), stored_bytes=None
    )
    weigh_waiting()
    return finished


def numbers() -> list[int]:
    """Of the builds that are there."""
    return sorted(Build.objects.values_list("number", flat=True))
