"""How much of a log is kept: the project's own limits, or the server's."""

from __future__ import annotations

from django.conf import settings

from logviewer.chunkstore import Limits
from logviewer.models import LogFile


def log_limits(log: LogFile) -> Limits:
    """The limits for a log, from what stands above it; asks the database only for what was not fetched with it."""
    project = log.step.build.builder.project
    max_bytes, max_tail_bytes = project.max_log_bytes, project.max_tail_bytes
    return Limits(
        settings.MAX_LOG_BYTES if max_bytes is None else max_bytes,
        settings.MAX_TAIL_BYTES if max_tail_bytes is None else max_tail_bytes,
    )
