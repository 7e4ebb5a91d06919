"""What has to happen before the process ends, in which order, and how long each may take."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from logviewer.doors.http import Receive, Send, send_problem
from logviewer.doors.identity import Scope
from logviewer.doors.rates import Application
from logviewer.doors.refusals import refuse_socket
from logviewer.resources.problems import Problem

logger = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 5.0
"""From the signal to the end of the process, whatever hangs."""

DRAIN_SECONDS = 3.0
"""Of which requests and sockets have this much: an upload to be answered, a socket to be told."""

FLUSH_SECONDS = 3.5
"""Until here what is written may still go out to clients that take it; then connections are aborted."""

FINISH_SECONDS = 4.4
"""Until here threads may still write what they hold."""

LAST_SECONDS = 4.7
"""Then the process ends, whoever still waits for a disk or a network: what was acknowledged is stored long since."""

GOING_AWAY = 1001
RETRY_SECONDS = 1
TOLD = "The server is going away; connect again, to another process or to this one when it is back."


class GoingAway(Exception):
    """The server ends: whoever waits is told so, and sent away."""

    def __init__(self) -> None:
        super().__init__(TOLD)


class Shutdown:
    """One process's end. All methods belong to the event loop's thread, but for the registering ones.

    `first` are called in threads at once when it begins (what should stop by itself), `last` one after the other when
    nobody is served any more (what should be written).
    """

    def __init__(self) -> None:
        self._first: list[Callable[[], object]] = []
        self._last: list[Callable[[], object]] = []
        self._stopping: list[asyncio.Future[None]] = []
        self._served = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._nobody: asyncio.Event | None = None
        self._began = 0.0
        self._finished = False

    @property
    def begun(self) -> bool:
        """Whether the process is ending."""
        return self._nobody is not None

    def at_first(self, stop: Callable[[], object]) -> None:
        """Have `stop` called, in a thread, when the end begins."""
        self._first.append(stop)

    def at_last(self, write: Callable[[], object]) -> None:
        """Have `write` called, in a thread, when nobody is served any more; in the order of these calls."""
        self._last.append(write)

    def going_away(self) -> asyncio.Future[None]:
        """A future that is done when the process begins to end; cancel it when nobody waits for it any more."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.begun:
            future.set_result(None)
        else:
            self._waiting.add(future)
            future.add_done_callback(self._waiting.discard)
        return future

    def left_seconds(self, until: float) -> float:
        """How much is left of the time that ends `until` seconds after the signal; never negative."""
        return max(0.0, self._began + until - time.monotonic())

    def around(self, application: Application) -> Application:
        """Put this before an ASGI application: it counts who is served, and refuses whoever comes too late."""

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                await self._live(receive, send)
                return
            if self.begun:
                await _refuse(scope, receive, send)
                return
            self._served += 1
            try:
                await application(scope, receive, self._last_answer(send) if scope["type"] == "http" else send)
            finally:
                self._served -= 1
                if not self._served and self._nobody is not None:
                    self._nobody.set()

        return served

    def begin(self) -> None:
        """Tell everybody. May be repeated."""
        if self.begun:
            return
        self._began = time.monotonic()
        self._nobody = asyncio.Event()
        logger.info("ending: %d requests and sockets are told", self._served)
        if not self._served:
            self._nobody.set()
        threading.Thread(target=self._end_anyway, name="shutdown", daemon=True).start()
        self._stopping = [_in_thread(stop) for stop in self._first]
        for future in tuple(self._waiting):
            if not future.done():
                future.set_result(None)

    async def drain(self) -> None:
        """Begin, and wait until nobody is served any more, or DRAIN_SECONDS have passed."""
        self.begin()
        assert self._nobody is not None
        try:
            async with asyncio.timeout(self.left_seconds(DRAIN_SECONDS)):
                await self._nobody.wait()
            logger.info("nobody is served any more, %.2f s after the signal", time.monotonic() - self._began)
        except TimeoutError:
            logger.warning("%d requests and sockets did not end by themselves", self._served)

    async def finish(self) -> None:
        """Write what is to be written, once; returns when it is, or when FINISH_SECONDS have passed."""
        self.begin()
        if self._finished:
            return
        self._finished = True
        if self._stopping:
            await asyncio.wait(self._stopping, timeout=self.left_seconds(FINISH_SECONDS) / 2)
        for write in self._last:
            _done, late = await asyncio.wait([_in_thread(write)], timeout=self.left_seconds(FINISH_SECONDS))
            if late:
                logger.warning("%s takes too long and is given up", _name(write))
                return
        logger.info("all is written, %.2f s after the signal", time.monotonic() - self._began)

    def _last_answer(self, send: Send) -> Send:
        """`send`, but an answer given while the process ends is the last one on its connection."""

        async def send_last(message: MutableMapping[str, Any]) -> None:
            if self.begun and message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        return send_last

    async def _live(self, receive: Receive, send: Send) -> None:
        """ASGI's lifespan, on servers that have it; Daphne has not."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                from logviewer.doors.shutdown.uvicorn import hold

                hold(self)
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.finish()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _end_anyway(self) -> None:
        """End the process when its time is up; a daemon thread, so that an end in time is not waited for."""
        time.sleep(self.left_seconds(LAST_SECONDS))
        logger.warning("ending after %g s with threads at work: %s", LAST_SECONDS, _busy_threads())
        os._exit(0)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Send away whoever comes while the process ends."""
    if scope["type"] == "websocket":
        await refuse_socket(receive, send, GOING_AWAY, TOLD)
        return
    headers = {"Retry-After": str(RETRY_SECONDS), "Connection": "close", "Cache-Control": "no-store"}
    await send_problem(send, Problem("going-away", "The server is going away", 503, TOLD, headers=headers))


def _in_thread(function: Callable[[], object]) -> asyncio.Future[None]:
    """Call `function` in a thread that the process does not wait for at its exit; the future is done when it is."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not done.done():
            done.set_result(None)

    def call() -> None:
        try:
            function()
        except Exception:
            logger.exception("%s failed while the process ended", _name(function))
        try:
            loop.call_soon_threadsafe(tell)
        except RuntimeError:  # the loop has gone without waiting
            return

    threading.Thread(target=call, name=f"shutdown {_name(function)}", daemon=True).start()
    return done


def _name(function: Callable[[], object]) -> str:
    return str(getattr(function, "__qualname__", function))


def _busy_threads() -> str:
    """The threads that an interpreter waits for at its exit, or that were given work by this module."""
    names = [t.name for t in threading.enumerate() if not t.daemon or t.name.startswith("shutdown ")]
    return ", ".join(sorted(names))


shutdown = Shutdown()
"""This process's."""
