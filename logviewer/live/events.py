"""What is said when something was stored: small dictionaries, as Channels' layers carry them.

None of them holds log bytes or shapes: they name what changed, and the listener reads the store or the database.
`type` follows Channels' habit of dots; a listener must bear events that are lost, doubled or late.
"""

from __future__ import annotations

from typing import Literal, TypedDict

BuildEventName = Literal["buildStarted", "buildFinished", "stepStarted", "stepFinished", "logStarted", "logFinished"]


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


Event = LogChunk | BuildChanged


def log_group(log_id: int) -> str:
    """The Channels group in which a log's chunks are announced."""
    return f"log.{log_id}"


def build_group(build_id: int) -> str:
    """The Channels group in which a build's changes are announced."""
    return f"build.{build_id}"
