"""The browser's session of an HTTP request or a WebSocket, looked up before the door is called."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from channels.auth import AuthMiddlewareStack

from logviewer.doors.http import Receive, Send, send_problem
from logviewer.doors.identity import Scope, header
from logviewer.doors.rates import Application
from logviewer.doors.refusals import TRY_LATER, refuse_socket
from logviewer.live.database import AWAY_ERRORS
from logviewer.resources.problems import database_away


def with_session(application: Application) -> Application:
    """Look up the session where there can be one: a machine that sends no cookie does not wait for it.

    The lookup asks the database before any door can answer, so that it is answered here where that is away: with a
    problem, or with 1013.
    """
    looked_up = AuthMiddlewareStack(application)

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        if header(scope, b"cookie") is None:
            await application(scope, receive, send)
            return
        started = False

        async def send_noted(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await looked_up(scope, receive, send_noted)
        except AWAY_ERRORS:
            if started:
                raise
            await _refuse(scope, receive, send)

    return door


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    problem = database_away()
    if scope["type"] == "http":
        await send_problem(send, problem)
    else:
        await refuse_socket(receive, send, TRY_LATER, problem.detail)
