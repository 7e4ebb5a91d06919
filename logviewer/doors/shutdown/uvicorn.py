"""uvicorn's end: it would close sockets with 1012 at once, and wait for stalled clients for ever."""

from __future__ import annotations

import asyncio
import signal
import sys
from types import FrameType
from typing import Any

from logviewer.doors.shutdown.process import FLUSH_SECONDS, Shutdown

SIGNALS = (signal.SIGTERM, signal.SIGINT)
POLL_SECONDS = 0.02
GRACE_SECONDS = 0.3
"""What uvicorn itself may still wait for tasks; what has not ended by then it cancels."""

_tasks: set[asyncio.Task[None]] = set()


def hold(shutdown: Shutdown) -> None:
    """Take the place of uvicorn's handler of signals, if this process's server is uvicorn; called in its loop.

    The handler is found by itself: it is a method of uvicorn's Server. Whoever signals a second time gets uvicorn's
    own. What the signal would have done, `should_exit`, is done when everybody was told: uvicorn then ends with exit
    code 0, where it would raise the signal again.
    """
    handler: Any = signal.getsignal(signal.SIGTERM)
    server = getattr(handler, "__self__", None)
    module = sys.modules.get("uvicorn.server")
    if module is None or not isinstance(server, module.Server):
        return
    loop = asyncio.get_running_loop()

    def begin() -> None:
        task = loop.create_task(_end(server, shutdown))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    signalled = False

    def take_signal(number: int, frame: FrameType | None) -> None:
        nonlocal signalled
        if signalled:
            handler(number, frame)
            return
        signalled = True
        loop.call_soon_threadsafe(begin)

    for each in SIGNALS:
        signal.signal(each, take_signal)


async def _end(server: Any, shutdown: Shutdown) -> None:
    """Tell everybody, then let uvicorn end; its lifespan's end writes what is to be written."""
    try:
        shutdown.begin()
        for listener in server.servers:
            listener.close()
        await shutdown.drain()
        await _flush(server, shutdown)
    finally:
        server.config.timeout_graceful_shutdown = GRACE_SECONDS
        server.should_exit = True


async def _flush(server: Any, shutdown: Shutdown) -> None:
    """Wait until all that was written has gone out and every socket's close is answered; abort the rest."""
    while busy := [connection for connection in server.server_state.connections if _is_busy(server, connection)]:
        if not shutdown.left_seconds(FLUSH_SECONDS):
            for connection in busy:
                connection.transport.abort()
            return
        await asyncio.sleep(POLL_SECONDS)


def _is_busy(server: Any, connection: Any) -> bool:
    """Whether a client has not got all that was written, or is at a socket, whose close it has not answered yet."""
    is_socket = not isinstance(connection, server.config.http_protocol_class)
    return is_socket or bool(connection.transport.get_write_buffer_size())
