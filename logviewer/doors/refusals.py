"""How a socket is sent away before any door has it: accepted, told why, closed (websocket.md)."""

from __future__ import annotations

import json

from logviewer.doors.http import Receive, Send

TRY_LATER = 1013


async def refuse_socket(receive: Receive, send: Send, code: int, detail: str) -> None:
    """Close with `code` after a frame that says why: Daphne drops a close frame's reason, and a 403 has none."""
    if (await receive())["type"] == "websocket.connect":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": json.dumps({"type": "error", "status": code, "detail": detail})})
        await send({"type": "websocket.close", "code": code})
