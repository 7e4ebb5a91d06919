"""What is said when something was stored: small dictionaries, as Channels' layers carry them.

None of them holds log bytes or shapes: they name what changed, and the listener reads the store or the database.
`type` follows Channels' habit of dots; a listener must bear events that are lost, doubled or late.
"""

from __future__ import annotations

from typing import Literal, TypedDict

BuildEventName = Literal[
    "buildStarted",
    "buildFinished",
    "buildAbandoned",
    "buildReopened",
    "stepStarted",
    "stepFinished",
    "logStarted",
    "logFinished",
]

PROJECT_EVENTS: frozenset[BuildEventName] = frozenset(
    {"buildStarted", "buildFinished", "buildAbandoned", "buildReopened"}
)
"""Those that whoever watches a whole project is told."""


Noun = tuple[Literal["build", "project"], int]
"""A build or project by its id: what has a version that somebody may watch."""


class LogChunk(TypedDict):
    """A log's end moved, or the log was finished. `size`: bytes of text now stored.

    Buildbot's `logChunk(build, step, logfile, channel, chunk)` without the bytes: they are read from the store.
    """

    type: Literal["log.chunk"]
    log: int
    size: int


class BuildChanged(TypedDict):
    """A build's `version` became `version` because `event` happened to `subject` (id of the build, step or log)."""

    type: Literal["build.changed"]
    build: int
    version: int
    event: BuildEventName
    subject: int


class ProjectChanged(TypedDict):
    """A project's `version` became `version` because `event`, one of PROJECT_EVENTS, happened to `build`."""

    type: Literal["project.changed"]
    project: int
    version: int
    event: BuildEventName
    build: int


class LogsWatched(TypedDict):
    """All the logs that somebody watches in a process; `process` names it."""

    type: Literal["logs.watched"]
    process: str
    logs: list[int]


Changed = BuildChanged | ProjectChanged
Event = LogChunk | Changed | LogsWatched

WRITERS_GROUP = "writers"
"""The Channels group of the processes that writers' sockets are connected to."""


def log_group(log_id: int) -> str:
    """The Channels group in which a log's chunks are announced."""
    return f"log.{log_id}"


def noun_group(noun: Noun) -> str:
    """The Channels group in which changes of a build or project are announced."""
    kind, number = noun
    return f"{kind}.{number}"


def noun_of(message: Changed) -> Noun:
    """What changed."""
    if message["type"] == "build.changed":
        return "build", message["build"]
    return "project", message["project"]
