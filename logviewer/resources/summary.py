"""A failed build in one bounded answer: its failed steps, their errors with the lines around them, their last lines.

For who has to say in a few words why a build failed, a chat or a model for instance, whatever its logs' size.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from typing_extensions import TypedDict  # as in shapes

from logviewer.chunkstore import ChunkStoreError, LogReader
from logviewer.chunkstore.lines import read_lines
from logviewer.insight.shown_text import shown
from logviewer.live.store import chunk_store
from logviewer.models import Build, BuildState, Level, LogFile, Step, StepState
from logviewer.models.states import BAD_RESULTS
from logviewer.resources.annotations import AnnotationShape, annotation_shape
from logviewer.resources.shapes import LogLinks, log_links, rfc3339, time_or_none

logger = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024
"""Of the answer's JSON."""

MAX_STEPS = 8
MAX_LOGS = 4
"""Of a step: those with errors first."""

MAX_ERRORS = 8
"""Of a log, the first ones."""

LINES_BEFORE, LINES_AFTER = 2, 3
LAST_LINES = 20
MAX_LINE_CHARACTERS = 300
ROOM_BYTES = 2048
"""Kept free for what is around the steps."""


class LineShape(TypedDict):
    """A line without its escape sequences and what was overwritten of it, cut after MAX_LINE_CHARACTERS."""

    n: int
    text: str


class ErrorShape(AnnotationShape):
    """An error, the lines around it, and its address."""

    context: list[LineShape]
    url: str


class LogSummary(TypedDict):
    """A log of a failed step: counts are of all of it, `errors_shown` are its first errors."""

    id: int
    name: str
    url: str
    links: LogLinks
    errors: int
    warnings: int
    errors_shown: list[ErrorShape]
    last_lines: list[LineShape]


class StepSummary(TypedDict):
    """A step that failed."""

    id: int
    number: int
    name: str
    state: str
    results: str | None
    url: str
    logs: list[LogSummary]


class BuildSummary(TypedDict):
    """A build: the number of its steps and of those that failed, and the first of these.

    `truncated`: there is more than is shown here.
    """

    id: int
    number: int
    project: str
    builder: str
    title: str
    branch: str
    revision: str
    state: str
    results: str | None
    started_at: str
    finished_at: str | None
    url: str
    steps: int
    failed: int
    failed_steps: list[StepSummary]
    truncated: bool


def build_summary(build: Build) -> BuildSummary:
    """Summarise a build in at most MAX_BYTES of JSON; builder and project had better be fetched with it.

    Asks the database twice, and once for each log with errors that is shown.
    """
    steps = list(build.steps.prefetch_related("logs"))
    failed = [step for step in steps if step.results in BAD_RESULTS or step.state == StepState.ABANDONED]
    if not failed and (build.results in BAD_RESULTS or build.state == BuildState.ABANDONED):
        failed = [step for step in steps if any(log.errors for log in step.logs.all())]
    summary = BuildSummary(
        id=build.pk,
        number=build.number,
        project=build.builder.project.slug,
        builder=build.builder.slug,
        title=build.title,
        branch=build.branch,
        revision=build.revision,
        state=build.state,
        results=build.results,
        started_at=rfc3339(build.started_at),
        finished_at=time_or_none(build.finished_at),
        url=build.get_absolute_url(),
        steps=len(steps),
        failed=len(failed),
        failed_steps=[],
        truncated=len(failed) > MAX_STEPS,
    )
    room = _Room(MAX_BYTES - ROOM_BYTES - _size(summary))
    _add_steps(summary["failed_steps"], build, failed[:MAX_STEPS], room)
    summary["truncated"] = summary["truncated"] or room.is_exceeded
    return summary


class _Room:
    """How many bytes of JSON there is room for."""

    def __init__(self, room_bytes: int) -> None:
        self._left = room_bytes
        self.is_exceeded = False

    def add(self, to: list[Any], piece: Any) -> bool:
        """Add a piece to a list that is in the answer, where there is room for it."""
        size = _size(piece)
        if size > self._left:
            self.is_exceeded = True
            return False
        self._left -= size
        to.append(piece)
        return True


def _size(piece: Any) -> int:
    return len(json.dumps(piece)) + len(", ")


def _add_steps(shapes: list[StepSummary], build: Build, steps: list[Step], room: _Room) -> None:
    """Name all steps, then their logs, then let each log in turn add a piece of its own: none takes all the room."""
    logs: list[tuple[int, StepSummary, LogFile]] = []
    for step in steps:
        step.build = build
        shape = _step_head(step)
        if not room.add(shapes, shape):
            return
        of_step = sorted(step.logs.all(), key=lambda log: (not log.errors, log.pk))
        room.is_exceeded = room.is_exceeded or len(of_step) > MAX_LOGS
        for place, log in enumerate(of_step[:MAX_LOGS]):
            log.step = step
            logs.append((place, shape, log))
    logs.sort(key=itemgetter(0))
    named = [(head, log) for _place, shape, log in logs if room.add(shape["logs"], head := _log_head(log))]
    turns = deque(_contents(head, log, room) for head, log in named)
    while turns:
        turn = turns.popleft()
        if next(turn, False):
            turns.append(turn)
    for head, _log in named:
        head["last_lines"].reverse()


def _step_head(step: Step) -> StepSummary:
    return StepSummary(
        id=step.pk,
        number=step.number,
        name=step.name,
        state=step.state,
        results=step.results,
        url=step.get_absolute_url(),
        logs=[],
    )


def _log_head(log: LogFile) -> LogSummary:
    return LogSummary(
        id=log.pk,
        name=log.name,
        url=log.get_absolute_url(),
        links=log_links(log.pk),
        errors=log.errors,
        warnings=log.warnings,
        errors_shown=[],
        last_lines=[],
    )


def _contents(head: LogSummary, log: LogFile, room: _Room) -> Iterator[bool]:
    """Add errors, then last lines from the last one on; yield True after each, as long as there is room."""
    errors = [] if not log.errors else list(log.annotations.filter(level=Level.ERROR)[:MAX_ERRORS])
    try:
        with chunk_store().reader(log.key) as reader:
            for error in errors:
                first = max(1, error.line - LINES_BEFORE)
                context = _lines(reader, first, error.line + LINES_AFTER + 1 - first)
                url = f"{head['url']}#L{error.line}"
                if not room.add(head["errors_shown"], ErrorShape(**annotation_shape(error), context=context, url=url)):
                    break
                yield True
            for line in _lines(reader, -LAST_LINES, LAST_LINES)[::-1]:
                if not room.add(head["last_lines"], line):
                    break
                yield True
    except (ChunkStoreError, OSError) as error:
        logger.warning("log %s: the summary has none of its lines: %s", log.pk, error)


def _lines(reader: LogReader, start: int, count: int) -> list[LineShape]:
    return [
        LineShape(n=line.number, text=_shown("".join(text for _channel, text in line.runs)))
        for line in read_lines(reader, start, count).lines
    ]


def _shown(text: str) -> str:
    plain = shown(text.encode("utf-8", "replace")).decode("utf-8", "replace")
    return plain.rstrip("\r").rpartition("\r")[2][:MAX_LINE_CHARACTERS]
