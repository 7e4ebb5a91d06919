"""The weather over a site: its processes are killed, ended and frozen, and come back."""

from __future__ import annotations

import asyncio

from tests.acceptance.soak.site import Process, Site
from tests.acceptance.soak.trace import Trace

LONGEST_CALM_SECONDS = 16.0
"""Half of what the shortest soak has for each site, so that every process is hit."""

LONGEST_AWAY_SECONDS = 3.0


class Weather:
    """Hits each process of a site now and then; `pass_over` waits until all of them are well again."""

    def __init__(self, site: Site, trace: Trace) -> None:
        self._site = site
        self._trace = trace
        self._over = asyncio.Event()

    async def blow(self) -> None:
        """Hit the processes until the weather passes over."""
        async with asyncio.TaskGroup() as tasks:
            for process in self._site.processes:
                tasks.create_task(self._hit(process))

    def pass_over(self) -> None:
        """Do no more harm; `blow` ends when what is away has come back."""
        self._over.set()

    async def _hit(self, process: Process) -> None:
        dice = self._trace.dice(process.name)
        while not await self._is_over_within(dice.random() * LONGEST_CALM_SECONDS):
            seconds = dice.random() * LONGEST_AWAY_SECONDS
            match dice.choice(("kill", "kill", "end", "freeze")):
                case "freeze":
                    self._trace.note(process.name, "is frozen", f"for {seconds:.1f} s")
                    process.freeze()
                    await asyncio.sleep(seconds)
                    process.thaw()
                case how:
                    self._trace.note(process.name, "is killed" if how == "kill" else "is ended")
                    await asyncio.to_thread(process.kill if how == "kill" else process.end)
                    self._trace.note(process.name, "is gone", f"for {seconds:.1f} s")
                    await asyncio.sleep(seconds)
                    await asyncio.to_thread(process.start)
                    self._trace.note(process.name, "is back")

    async def _is_over_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._over.wait()
        except TimeoutError:
            return False
