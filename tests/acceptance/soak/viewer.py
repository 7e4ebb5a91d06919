"""A viewer that does all that viewers do, and checks every byte as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from tests.acceptance import client
from tests.acceptance.soak.trace import Trace
from tests.acceptance.soak.written import WrittenLog

OPEN_SECONDS = 10.0
CLOSE_SECONDS = 1.0
TICK_SECONDS = 0.25
LONGEST_STALL_SECONDS = 4.0
COME_AGAIN_SECONDS = 1.0
WINDOWS = (None, None, 65_536, 200_000, 4_194_304, 0)
EXPECTED_CODES = {None, 1001, 1006, 1012, 1013}
"""What bad weather may end a connection with: gone without a word, going away, start again, try later."""


class Viewer:
    """Watches a log from somewhere on to its end, over as many connections as it takes.

    `offset` is where its joined stream stands. Its moods: how likely it is to do something at each message.
    """

    def __init__(self, name: str, log: WrittenLog, url: Callable[[], str], token: str, trace: Trace) -> None:
        self.name = name
        self.log = log
        self.offset: int | None = None
        self.has_left = False
        self._url = url
        self._token = token
        self._trace = trace
        self._dice = trace.dice(name)
        self._window = self._dice.choice(WINDOWS)
        self._unrest = self._dice.choice((0.0, 0.01, 0.05, 0.2))
        self._stays = self._dice.random() < 0.9
        self._acknowledged = 0
        self._withholds_until = self._paused_until = 0.0

    async def watch(self) -> None:
        """Watch until all of the log is there, or until it leaves for good."""
        while not self.has_left:
            start = self._start() if self.offset is None else str(self.offset)
            connection = client.Viewer(self._url(), self.log.id, start=start, window=self._window, token=self._token)
            try:
                if await self._follow(connection):
                    self._note("has all of it", self.offset)
                    return
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else None
                assert code in EXPECTED_CODES, f"{self.name}: closed with {code} at {self.offset}"
                self._note("was closed", code)
            except InvalidStatus as refused:
                self._be_refused(refused.response.status_code)
            except (OSError, InvalidHandshake, TimeoutError, EOFError) as error:
                self._note("did not get in", type(error).__name__)
            finally:
                if connection.socket is not None:
                    connection.socket.transport.abort()
            await asyncio.sleep(self._dice.random() * COME_AGAIN_SECONDS)
        self._note("left for good", self.offset)

    def _start(self) -> str:
        return self._dice.choice(("0", "0", "tail:10", f"{self._dice.randint(0, self.log.acknowledged)}"))

    async def _follow(self, connection: client.Viewer) -> bool:
        """Take what one connection gives; whether it gave the log's end."""
        async with asyncio.timeout(OPEN_SECONDS):
            await connection.open()
            hello = await connection.step()
        assert hello is not None
        if hello["type"] == "hello":
            self._begin(hello)
            checked = 0
            while True:
                message = await self._next(connection)
                if message is None:
                    checked = self._check(connection, checked)
                elif message["type"] == "logFinished":
                    await self._end(connection, message)
                    return True
                elif message["type"] not in ("live", "size"):
                    hello = message
                    break
                if await self._be_moody(connection):
                    return False
        status = hello.get("status")
        assert (hello["type"], status) in (("error", 1001), ("error", 1012), ("error", 1013)), f"{self.name}: {hello}"
        self._note("was told", f"{status} {hello.get('detail')}")
        return False

    def _be_refused(self, status: int) -> None:
        assert status in (502, 503), f"{self.name}: refused with {status}"
        self._note("was refused", status)

    def _begin(self, hello: dict[str, object]) -> None:
        """Check where this connection begins: where the last one ended."""
        offset = hello["offset"]
        assert isinstance(offset, int)
        assert self.offset in (None, offset), f"{self.name}: begins at {offset} instead of {self.offset}"
        line = self.log.produced.count(b"\n", 0, offset) + 1
        assert hello["line"] == line, f"{self.name}: line {hello['line']} at {offset}, it is {line}"
        self.offset = self._acknowledged = offset
        self._paused_until = 0.0
        self._note("watches", f"log {self.log.id} from {offset}, window {hello['window']}")

    async def _next(self, connection: client.Viewer) -> dict[str, object] | None:
        """The next message; None for a frame, or when nothing came for a moment."""
        now = asyncio.get_running_loop().time()
        if 0 < self._paused_until <= now:
            self._paused_until = 0.0
            await self._say(connection, "resume")
        assert self.offset is not None
        half = (1_048_576 if self._window is None else self._window) // 2
        if self._window != 0 and self._withholds_until <= now and self.offset - self._acknowledged >= half:
            self._acknowledged = self.offset
            await self._say(connection, "ack")
        try:
            async with asyncio.timeout(TICK_SECONDS):
                return await connection.step()
        except TimeoutError:
            return None

    def _check(self, connection: client.Viewer, checked: int) -> int:
        """Compare what came with what the writer sent."""
        runs = connection.runs[checked:]
        size = sum(length for _channel, length, _time in runs)
        assert self.offset is not None
        data = bytes(connection.data[len(connection.data) - size :])
        self.log.check(self.offset, data, b"".join(bytes([channel]) * length for channel, length, _time in runs))
        self.offset += size
        assert self.offset == connection.offset
        return len(connection.runs)

    async def _be_moody(self, connection: client.Viewer) -> bool:
        """Now and then do something; whether the connection is over."""
        if self._dice.random() >= self._unrest:
            return False
        assert connection.socket is not None
        seconds = self._dice.random() * LONGEST_STALL_SECONDS
        until = asyncio.get_running_loop().time() + seconds
        match self._dice.randrange(6):
            case 0:
                self._note("stalls", f"{seconds:.1f} s")
                connection.socket.transport.pause_reading()
                await asyncio.sleep(seconds)
                if not connection.socket.transport.is_closing():
                    connection.socket.transport.resume_reading()
            case 1:
                self._note("pauses", f"{seconds:.1f} s")
                self._paused_until = until
                await self._say(connection, "pause")
            case 2 if self._window != 0:
                self._note("withholds acknowledgements", f"{seconds:.1f} s")
                self._withholds_until = until
            case 3:
                self._note("vanishes", self.offset)
                connection.socket.transport.abort()
                self.has_left = not self._stays
                return True
            case 4:
                self._note("stops", self.offset)
                await self._say(connection, "stop")
                await self._close(connection)
                self.has_left = not self._stays
                return True
            case _:
                self._window = self._dice.choice(WINDOWS)
                self._note("changes its window", self._window)
                await self._close(connection)
                return True
        return False

    async def _say(self, connection: client.Viewer, what: str) -> None:
        """Say something; where the server has closed meanwhile, what it had sent before is still to be read."""
        assert connection.socket is not None
        with suppress(ConnectionClosed):
            if what == "ack":
                await connection.ack()
            else:
                await connection.socket.send(f'{{"type":"{what}"}}')

    async def _close(self, connection: client.Viewer) -> None:
        """Close, but do not wait for long: behind frames that nobody takes the server's answer is not seen."""
        assert connection.socket is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await connection.socket.close()

    async def _end(self, connection: client.Viewer, message: dict[str, object]) -> None:
        """Check the log's end, and take leave."""
        size, sha256 = len(self.log.produced), self.log.sha256
        assert (message["state"], message["size"], message["sha256"]) == ("finished", size, sha256), (
            f"{self.name}: {message}; it is {size} {sha256}"
        )
        assert self.offset == size, f"{self.name}: the log is finished at {size}, this viewer stands at {self.offset}"
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                if self._window != 0:
                    await self._say(connection, "ack")
                while True:
                    await connection.step()
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else None
            assert code in EXPECTED_CODES | {1000}, f"{self.name}: closed with {code} after the end"
        except TimeoutError:
            self._note("was not closed after the end")

    def _note(self, kind: str, detail: object = "") -> None:
        self._trace.note(self.name, kind, detail)
