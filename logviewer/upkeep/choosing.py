"""Logs as an operator names them: by id or by storage key."""

from __future__ import annotations

from django.db.models import QuerySet

from logviewer.models import LogFile
from logviewer.upkeep.errors import UnknownLog


def find_log(name: str) -> LogFile:
    """Return the log of that id or storage key, with what it belongs to. Raises UnknownLog."""
    by_id = name.isascii() and name.isdigit() and len(name) < 19  # a bigint's; keys have slashes
    found = all_logs().filter(pk=int(name)) if by_id else all_logs().filter(storage_key=name)
    log = found.first()
    if log is None:
        raise UnknownLog(name)
    return log


def all_logs() -> QuerySet[LogFile]:
    """Return all logs that have files, with what they belong to."""
    return LogFile.objects.filter(storage_key__isnull=False).select_related("step__build__builder__project")
