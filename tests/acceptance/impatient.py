"""The application with less patience than is right for people: `daphne tests.acceptance.impatient:application`.

BUILDLOGS_TEST_PATIENCE is in seconds: what a request's head may take, and its body beyond what its bytes give it, how
long a closing socket waits for its peer, how long a pong may be out, how long a peer may take nothing while bytes wait
for it.
"""

from __future__ import annotations

import os
from typing import Any

from logviewer.doors.guard import channel, transport, websocket

PATIENCE_SECONDS = float(os.environ["BUILDLOGS_TEST_PATIENCE"])

for module in (channel, transport, websocket):
    for name in ("CLOSE_PATIENCE_SECONDS", "PONG_PATIENCE_SECONDS", "STALLED_SECONDS", "LINGER_IDLE_SECONDS"):
        if hasattr(module, name):
            setattr(module, name, PATIENCE_SECONDS)
websocket.GuardedWebSocketProtocol.closeHandshakeTimeout = PATIENCE_SECONDS
_connection_made = channel.GuardedChannel.connectionMade


def connection_made(self: Any) -> None:
    self.timeOut = PATIENCE_SECONDS
    _connection_made(self)


channel.GuardedChannel.connectionMade = connection_made

from buildlogs.asgi import application  # noqa: E402, F401  # what the server serves
