"""That somebody looked at a build: retention may be told to keep what people still look at."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from logviewer.live.write_behind import write_behind
from logviewer.models import Build

PRECISION = timedelta(hours=1)
"""A build's row is written at most this often for it, whatever the number of viewers."""


def note_viewing(build: Build) -> None:
    """Note that somebody looks at the build now, unless that is known already. Never waits, never raises."""
    now = timezone.now()
    stale = now - PRECISION
    if build.viewed_at is None or not stale <= build.viewed_at <= now:
        unseen = Q(viewed_at__isnull=True) | Q(viewed_at__lt=stale) | Q(viewed_at__gt=now)
        row = Build.objects.filter(unseen, pk=build.pk)
        write_behind.put(("viewing of build", build.pk), lambda: row.update(viewed_at=now))
