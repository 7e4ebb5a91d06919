"""What all WebSockets have in common: admission, messages, errors, closing, rights that are looked at again.

A socket reads its messages in one task and does its work in another, so that acks and the disconnect are seen while
gigabytes are being replayed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.core.exceptions import ObjectDoesNotExist

from logviewer.chunkstore import ArchiveAway, CorruptIndex, CorruptSealed, NoSuchLog
from logviewer.doors.http import Receive, Send
from logviewer.doors.identity import Scope, host_is_allowed, origin_is_allowed, renew_user
from logviewer.doors.refusals import TRY_LATER
from logviewer.doors.shutdown import GoingAway, shutdown
from logviewer.live.database import AWAY_ERRORS
from logviewer.resources.errors import AccessError
from logviewer.resources.problems import DATABASE_AWAY, STORE_AWAY, damage_text, problem_from

logger = logging.getLogger(__name__)

RIGHTS_INTERVAL_SECONDS = 60.0

NORMAL = 1000
GOING_AWAY = 1001
RELOAD = 1012
BAD_REQUEST = 4400
DELETED = 4410


class Refused(Exception):
    """The socket ends with an error: said in a text frame first, since Daphne drops a close frame's reason."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Gone(Exception):
    """The client has closed the socket or the connection."""


class Socket:
    """One WebSocket connection. Subclasses admit the caller, do their work and take messages."""

    subprotocol: str | None = None

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self._rights_timer: asyncio.TimerHandle | None = None
        self._rights_task: asyncio.Task[None] | None = None
        self._work: asyncio.Task[None] | None = None
        self._lost_rights: Refused | None = None

    @classmethod
    def as_asgi(cls) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        """The ASGI application that makes one of these for each connection."""

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await cls(scope, receive, send).serve()

        return application

    # For subclasses.

    async def admit(self) -> None:
        """Look at who calls and what for; called again every minute.

        Raises:
            AccessError: the caller may not.
            Refused: the request makes no sense.
        """
        raise NotImplementedError

    async def work(self) -> None:
        """Serve the socket until there is nothing more to say."""
        raise NotImplementedError

    def take(self, message: dict[str, Any]) -> None:
        """Take a message of the client, a JSON object.

        Raises:
            Refused: it makes no sense.
        """
        raise NotImplementedError

    async def take_event(self, event: MutableMapping[str, Any]) -> None:
        """Take what the client sent, JSON unless a subclass says otherwise; while this waits nothing more is read.

        Raises:
            Refused: it makes no sense.
        """
        self.take(self._parse(event.get("text")))

    def lost(self) -> None:
        """The client is gone; called once."""

    async def drain(self) -> None:
        """The server is going away: do what must be done before the close. `work` still runs, nothing more is read.

        A writer's socket acknowledges here what it has taken. Whatever takes longer than
        `logviewer.doors.shutdown.DRAIN_SECONDS` is cut off.
        """

    async def say(self, message: dict[str, Any]) -> None:
        """Send a JSON message."""
        await self._send({"type": "websocket.send", "text": json.dumps(message, separators=(",", ":"))})

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary frame; waits while the client is slower."""
        await self._send({"type": "websocket.send", "bytes": data})

    async def close(self, code: int) -> None:
        """Close; what was sent before still arrives."""
        await self._send({"type": "websocket.close", "code": code})

    # The life of a connection.

    async def serve(self) -> None:
        """Handle the connection from its handshake to its end."""
        if (await self._receive())["type"] != "websocket.connect":
            return
        if not (host_is_allowed(self.scope) and origin_is_allowed(self.scope)):
            await self.close(NORMAL)  # before accepting: the server answers 403
            return
        offered = self.scope.get("subprotocols", [])
        chosen = self.subprotocol if self.subprotocol in offered else None
        await self._send({"type": "websocket.accept", "subprotocol": chosen})
        try:
            if offered and chosen is None and self.subprotocol is not None:
                raise Refused(BAD_REQUEST, f"the subprotocol is {self.subprotocol}")
            await self._admit()
            await self._serve()
        except Refused as refusal:
            await self._refuse(refusal)
        except (Gone, OSError):  # uvicorn raises OSError where one sends to a client that has gone
            pass
        except (ObjectDoesNotExist, NoSuchLog):
            await self._refuse(Refused(DELETED, "what was watched does not exist any more"))
        except GoingAway as going:
            await self._refuse(Refused(GOING_AWAY, str(going)))
        except ArchiveAway:
            await self._refuse(Refused(TRY_LATER, STORE_AWAY))
        except AWAY_ERRORS:
            await self._refuse(Refused(TRY_LATER, DATABASE_AWAY))
        except (CorruptIndex, CorruptSealed) as error:
            logger.exception("a log is damaged")
            await self._refuse(Refused(TRY_LATER, damage_text(error)))
        except Exception:  # what exactly is not for the viewer's eyes
            logger.exception("a socket failed")
            await self._refuse(Refused(TRY_LATER, "the server failed, its log says why; try again later"))
        finally:
            self.lost()
            if self._rights_timer is not None:
                self._rights_timer.cancel()
            if self._rights_task is not None:
                self._rights_task.cancel()

    async def _admit(self) -> None:
        try:
            await self.admit()
        except AccessError as error:
            problem = problem_from(error)
            raise Refused(4000 + (problem.status if problem else 403), str(error)) from error
        self._look_at_rights_later()

    def _look_at_rights_later(self) -> None:
        """Within the interval, each socket at another moment: a thousand that came together shall not ask together."""
        seconds = RIGHTS_INTERVAL_SECONDS * random.uniform(0.75, 1)  # noqa: S311 - jitter
        self._rights_timer = asyncio.get_running_loop().call_later(seconds, self._look_at_rights)

    def _look_at_rights(self) -> None:
        self._rights_task = asyncio.ensure_future(self._readmit())

    async def _readmit(self) -> None:
        """Admit again; whoever may not any more is told so and closed."""
        try:
            await renew_user(self.scope)
            await self._admit()
        except Refused as refusal:
            self._lost_rights = refusal
            if self._work is not None:
                self._work.cancel()
        except Exception as error:
            if not isinstance(error, AWAY_ERRORS):
                logger.exception("rights could not be looked at; trying again")
            self._look_at_rights_later()

    async def _serve(self) -> None:
        """Work and read messages side by side, until either ends, or the server does; then end the other."""
        self._work = asyncio.ensure_future(self.work())
        reading = asyncio.ensure_future(self._read())
        going_away = shutdown.going_away()
        try:
            await asyncio.wait({self._work, reading, going_away}, return_when=asyncio.FIRST_COMPLETED)
            if self._lost_rights is not None:
                raise self._lost_rights
            for task in (reading, self._work):
                if task.done():
                    task.result()
            if going_away.done() and not (reading.done() or self._work.done()):
                reading.cancel()
                await self.drain()
                raise GoingAway
        finally:
            going_away.cancel()
            for task in (self._work, reading):
                task.cancel()
            await asyncio.gather(self._work, reading, return_exceptions=True)

    async def _read(self) -> None:
        """Take messages until the client goes."""
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                raise Gone
            await self.take_event(event)

    @staticmethod
    def _parse(text: str | None) -> dict[str, Any]:
        if text is None:
            raise Refused(BAD_REQUEST, "messages are JSON in text frames")
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            raise Refused(BAD_REQUEST, f"not JSON: {text[:80]!r}") from None
        if not isinstance(message, dict):
            raise Refused(BAD_REQUEST, "a message is a JSON object with a type")
        return message

    async def _refuse(self, refusal: Refused) -> None:
        await self.say({"type": "error", "status": refusal.status, "detail": refusal.detail})
        await self.close(refusal.status)


class NoSuchSocket(Socket):
    """What answers at addresses where there is no socket."""

    async def admit(self) -> None:
        """Nobody is admitted."""
        raise Refused(4404, "there is no socket at this address")
