"""Builds as the runs that trends are made of."""

from __future__ import annotations

from collections.abc import Sequence

from logviewer.models import Build
from logviewer.pages.status import status_word
from logviewer.pages.trends import Run

BUILD_FIELDS = ("builder_id", "number", "state", "results", "started_at", "finished_at", "heartbeat_at", "branch")
"""What a drawing of builds needs of each: `only()` these, their properties may be long."""


def runs_of(builds: Sequence[Build]) -> list[Run]:
    """One run for each build, in their order."""
    return [
        Run(
            status_word(build),
            None if build.finished_at is None else max(0.0, (build.finished_at - build.started_at).total_seconds()),
        )
        for build in builds
    ]
