"""How long the channel layer waits for a Redis that does not answer."""

from __future__ import annotations

import socket
from typing import Any

CONNECT_SECONDS = 2

KEEPALIVE = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 3, socket.TCP_KEEPCNT: 3}
"""A subscriber only listens: of a host that vanished it hears nothing, for ever, unless the kernel asks."""


def redis_patience(url: str) -> dict[str, Any]:
    """redis-py's options for the connections to `url`; a Unix socket knows none of them."""
    if url.startswith("unix:"):
        return {}
    return {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_keepalive": True,
        "socket_keepalive_options": KEEPALIVE,
    }
