"""A way to a server on which bytes stop, and nobody hears of it: as when a laptop is closed or a router forgets."""

from __future__ import annotations

import contextlib
import select
import socket
import threading

BUFFER_BYTES = 65536


class SilentProxy:
    """Hands bytes on in both directions until `fall_silent`; from then on it neither reads nor closes anything."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._silent = threading.Event()
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def fall_silent(self) -> None:
        """Hand nothing on any more."""
        self._silent.set()
        self._thread.join()

    def close(self) -> None:
        """End all connections."""
        self.fall_silent()
        for connection in (self._listener, *self._pairs):
            connection.close()

    def _run(self) -> None:
        while not self._silent.is_set():
            for ready in select.select([self._listener, *self._pairs], [], [], 0.05)[0]:
                if ready is self._listener:
                    near, _ = self._listener.accept()
                    far = socket.create_connection(("127.0.0.1", self._server_port))
                    self._pairs.update({near: far, far: near})
                    continue
                data = b""
                with contextlib.suppress(OSError):
                    data = ready.recv(BUFFER_BYTES)
                    self._pairs[ready].sendall(data)
                if not data:
                    other = self._pairs.pop(ready)
                    del self._pairs[other]
                    ready.close()
                    other.close()
                    break
