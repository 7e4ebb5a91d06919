"""One soak: a site, its weather, writers and viewers; and what must hold when it is over."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from itertools import count
from pathlib import Path

from tests import independent_reader
from tests.acceptance.soak.site import Site
from tests.acceptance.soak.trace import Trace
from tests.acceptance.soak.viewer import Viewer
from tests.acceptance.soak.weather import Weather
from tests.acceptance.soak.writer import Writer
from tests.acceptance.soak.written import WrittenLog

WRITERS = 3
MOST_VIEWERS = 5
LONGEST_LOG_BODIES = 250
JOINING_SECONDS = 6.0
CLEAR_SECONDS = 120.0
"""How long writers and viewers may take to come to their ends when the weather has passed over."""


class Soak:
    """Runs for some seconds, then lets everyone come to the end; any AssertionError on the way ends it."""

    def __init__(self, site: Site, token: str, trace: Trace) -> None:
        self.logs: list[WrittenLog] = []
        self._site = site
        self._token = token
        self._trace = trace
        self._viewers = count()
        self._over = False

    async def run(self, seconds: float) -> None:
        """Let it blow for so long."""
        weather = Weather(self._site, self._trace)
        async with asyncio.timeout(None) as deadline, asyncio.TaskGroup() as tasks:
            tasks.create_task(weather.blow())
            for number in range(WRITERS):
                tasks.create_task(self._write(number))
            await asyncio.sleep(seconds)
            self._over = True
            weather.pass_over()
            self._trace.note("weather", "passes over")
            deadline.reschedule(asyncio.get_running_loop().time() + CLEAR_SECONDS)

    async def _write(self, number: int) -> None:
        """Write logs that are watched, one after the other."""
        name = f"writer {number}"
        dice = self._trace.dice(f"logs of {name}")
        urls = self._trace.dice(f"ways of {name}")
        writer = Writer(name, lambda: self._site.url(urls), self._token, self._trace)
        try:
            while not self._over:
                log = await writer.new_log(len(self.logs))
                self.logs.append(log)
                async with asyncio.TaskGroup() as tasks:
                    for _ in range(dice.randint(1, MOST_VIEWERS)):
                        tasks.create_task(self._view(log))
                    await writer.write(log, dice.randint(1, LONGEST_LOG_BODIES), lambda: self._over)
                log.forget()
        finally:
            await writer.close()

    async def _view(self, log: WrittenLog) -> None:
        name = f"viewer {next(self._viewers)}"
        dice = self._trace.dice(f"ways of {name}")
        with suppress(TimeoutError):  # some come late, some only after the end
            async with asyncio.timeout(dice.random() * JOINING_SECONDS):
                await log.finished.wait()
        url = lambda: self._site.url(dice).replace("http", "ws", 1)  # noqa: E731  # as short as it gets
        await Viewer(name, log, url, self._token, self._trace).watch()


def check_files(root: Path, logs: list[WrittenLog]) -> int:
    """Every file is exactly what its writer sent, by a reader that shares nothing with the store. Returns the bytes."""
    total = 0
    for log in logs:
        index = next(root.glob(f"**/*-{log.id}.idx"))
        found = independent_reader.read(root, str(index.relative_to(root).with_suffix("")))
        channels = b"".join(bytes([extent.channel]) * len(extent.data) for extent in found.extents)
        assert found.finished, f"log {log.id} is not finished on disk"
        assert found.text_sha256 == log.text_sha256, f"log {log.id}: {len(found.text)} other bytes on disk"
        assert hashlib.sha256(channels).hexdigest() == log.channels_sha256, f"log {log.id}: other channels on disk"
        total += len(found.text)
    return total
