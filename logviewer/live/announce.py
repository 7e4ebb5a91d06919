"""Saying that something was stored: to this process's hubs at once, to other processes through the channel layer.

All functions may be called from any thread, take microseconds, never raise and never wait: a stuck Redis slows
viewers, not builds. What waits to be told is merged by log, build and project, so their number bounds its memory.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from channels.layers import InMemoryChannelLayer, get_channel_layer

from logviewer.live import grown, hub
from logviewer.live.events import (
    WRITERS_GROUP,
    BuildChanged,
    BuildEventName,
    Changed,
    Event,
    LogChunk,
    LogsWatched,
    ProjectChanged,
    log_group,
    noun_group,
    noun_of,
)
from logviewer.live.mailbox import Mailbox

logger = logging.getLogger(__name__)

SEND_TIMEOUT_SECONDS = 2.0
RETRY_SECONDS = 0.5
MAX_WAITING = 10_000  # groups; more means that nothing was sent for long, and the hubs' look at the store serves


def log_grew(log_id: int, size: int) -> None:
    """Tell everyone who watches the log that `size` bytes are stored, or that it is finished."""
    hub.wake_everywhere(log_id)
    grown.logs.note(log_id)
    _tell(log_group(log_id), LogChunk(type="log.chunk", log=log_id, size=size))


def build_changed(build_id: int, version: int, event: BuildEventName, subject_id: int) -> None:
    """Tell everyone who watches the build that its version is now `version`, and why."""
    _tell_changed(BuildChanged(type="build.changed", build=build_id, version=version, event=event, subject=subject_id))


def project_changed(project_id: int, version: int, event: BuildEventName, build_id: int) -> None:
    """Tell everyone who watches the project that its version is now `version`, and why."""
    _tell_changed(
        ProjectChanged(type="project.changed", project=project_id, version=version, event=event, build=build_id)
    )


def logs_watched(process: str, logs: list[int]) -> None:
    """Tell processes that have writers which logs are watched in this one."""
    _tell(WRITERS_GROUP, LogsWatched(type="logs.watched", process=process, logs=logs))


def distributed() -> bool:
    """Whether there may be other processes to tell: in one process intake wakes the hub directly."""
    layer = get_channel_layer()
    return layer is not None and not isinstance(layer, InMemoryChannelLayer)


def _tell_changed(message: Changed) -> None:
    hub.changed_everywhere(message)
    _tell(noun_group(noun_of(message)), message)


def _tell(group: str, message: Event) -> None:
    """Hand a message to the announcer, where there are other processes to tell."""
    if distributed():
        announcer.put(group, message)


class Announcer:
    """A thread with an event loop of its own that sends to the channel layer what waits, newest only for each group.

    A thread, because announcements come from everywhere: the server's loop, its worker threads, management commands.
    """

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._mailbox: Mailbox[str, Event] = Mailbox("announcer", self._run, max_waiting)
        self.sent = 0
        self.lost = 0
        self._away = False

    def put(self, group: str, message: Event) -> None:
        """Queue a message; an older one that still waits for the same group is dropped, its news is in this one."""
        if not self._mailbox.put(group, message):
            self.lost += 1

    def flush(self, seconds: float) -> bool:
        """Wait until all that waits is sent; False where that takes longer than `seconds`."""
        return self._mailbox.settle(seconds)

    def _run(self) -> None:
        asyncio.run(self._send_forever())

    async def _send_forever(self) -> None:
        layer: Any = get_channel_layer()
        while True:
            # Blocking this loop is fine: nothing else lives on it.
            failed = await self._send(layer, self._mailbox.take())
            if failed:
                self._mailbox.put_back(failed)
                await asyncio.sleep(RETRY_SECONDS)

    async def _send(self, layer: Any, batch: dict[str, Event]) -> dict[str, Event]:
        """Send all of `batch`; returns what could not be sent because the layer is away."""
        waiting = dict(batch)
        for group, message in batch.items():
            try:
                async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                    await layer.group_send(group, message)
            except Exception as error:
                self.lost += 1
                if not self._away:
                    told = " ".join(str(error).split()) or type(error).__name__
                    logger.warning("announcements fail (%s): viewers look at the store by themselves", told)
                self._away = True
                return waiting
            if self._away:
                self._away = False
                logger.warning("announcements arrive again")
            del waiting[group]
            self.sent += 1
        return {}


announcer = Announcer()
