"""Builds and logs as people name them: `demo/linux #42`, an id, a storage key."""

from __future__ import annotations

import re
from dataclasses import dataclass

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


def get_log(log_id: int) -> LogFile:
    """Return the log of that id with all that it belongs to, in one query. Raises LogFile.DoesNotExist."""
    return LogFile.objects.select_related("step__build__builder__project").get(pk=log_id)


_SLUG = r"[a-z0-9][a-z0-9._-]{0,62}"
_NUMBER = r"[0-9]{1,18}"  # a bigint's
_NAME = re.compile(
    rf"(?P<id>{_NUMBER})|(?P<project>{_SLUG})(?:/(?P<builder>{_SLUG})(?:\s*#\s*|/|\s+)?(?P<number>(?<=[#/\s]){_NUMBER})?)?",
    re.ASCII,
)


@dataclass(frozen=True)
class Name:
    """What a name says; a project that is called by digits alone is found by `project/builder` only."""

    id: int | None = None
    project: str | None = None
    builder: str | None = None
    number: int | None = None


def parse_name(text: str) -> Name | None:
    """Read `42` (an id), `demo`, `demo/linux`, `demo/linux #42`, `demo/linux/42`; None where it is none of them."""
    found = _NAME.fullmatch(text.strip())
    if found is None:
        return None
    number, row_id = found["number"], found["id"]
    return Name(
        id=int(row_id) if row_id else None,
        project=found["project"],
        builder=found["builder"],
        number=int(number) if number else None,
    )
