"""Print what stock and guarded Daphne cost, in one run: ``python -m tests.acceptance.guard.measure``."""

import sys
import tempfile
import time
from pathlib import Path

from tests.acceptance.guard.servers import Server, frame_header, push, running

MIB = 1024 * 1024
FRAMES = 800  # of 256 KiB: 200 MiB
ROUNDS = 5


def grown(server: Server, before: int) -> float:
    return (server.until_still("sent")["rss"] - before) / MIB


def warm(server: Server) -> int:
    with server.connect() as sock:
        sock.sendall(b"GET /download/80 HTTP/1.0\r\n\r\n")
        while sock.recv(1 << 20):
            pass
    server.websocket("/send/80/1000").receive_to_the_end()
    return server.state()["rss"]


def stalled_download(server: Server) -> float:
    before = warm(server)
    with server.connect() as sock:
        sock.sendall(f"GET /download/{FRAMES} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        server.until(lambda state: state["sent"] > 0)
        return grown(server, before)


def stalled_websocket(server: Server) -> float:
    before = warm(server)
    socket = server.websocket(f"/send/{FRAMES}/1000")
    server.until(lambda state: state["sent"] > 0)
    result = grown(server, before)
    socket.close()
    return result


def declared_body(server: Server) -> float:
    before = warm(server)
    size = 400 * MIB
    with server.connect() as sock:
        sock.sendall(f"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
        peak = before
        try:
            for _ in range(40):
                push(sock, bytes(MIB), size // 40)
                peak = max(peak, server.state()["rss"])
        except OSError:
            pass
        time.sleep(2)
        return (max(peak, server.state()["rss"]) - before) / MIB


def incoming_frames(server: Server) -> float:
    before = warm(server)
    socket = server.websocket("/stuck")
    piece = frame_header(2, 65536) + bytes(65536)
    push(socket.sock, piece, 300 * MIB)
    result = (server.state()["rss"] - before) / MIB
    socket.close()
    return result


def websocket_speed(server: Server) -> float:
    return max(_websocket_speed(server) for _ in range(ROUNDS))


def _websocket_speed(server: Server) -> float:
    socket = server.websocket(f"/send/{FRAMES}/0")
    started, total = time.monotonic(), len(socket.rest)
    expected = FRAMES * (256 * 1024 + 10)
    buffer = bytearray(1 << 20)
    while total < expected:
        count = socket.sock.recv_into(buffer)
        assert count, "cut off"
        total += count
    result = total / (time.monotonic() - started) / 1e6
    socket.close()
    return result


def download_speed(server: Server) -> float:
    return max(_download_speed(server) for _ in range(ROUNDS))


def _download_speed(server: Server) -> float:
    buffer = bytearray(1 << 20)
    with server.connect() as sock:
        started, total = time.monotonic(), 0
        sock.sendall(f"GET /download/{FRAMES} HTTP/1.0\r\n\r\n".encode())
        while count := sock.recv_into(buffer):
            total += count
        assert total > FRAMES * 256 * 1024
        return total / (time.monotonic() - started) / 1e6


MEASUREMENTS = [
    ("200 MiB to a stalled HTTP client, MiB of RSS", stalled_download),
    ("200 MiB to a stalled WebSocket client, MiB of RSS", stalled_websocket),
    ("400 MiB of declared body, MiB of RSS", declared_body),
    ("300 MiB of frames to an application that does not receive, MiB of RSS", incoming_frames),
    ("256 KiB WebSocket frames to a fast reader, MB/s", websocket_speed),
    ("HTTP download, MB/s", download_speed),
]

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name, measure in MEASUREMENTS:
            figures = []
            for guarded in (False, True):
                with running("daphne", Path(folder, "log"), guarded=guarded) as server:
                    figures.append(measure(server))
            sys.stdout.write(f"{name}: stock {figures[0]:.1f}, guarded {figures[1]:.1f}\n")
            sys.stdout.flush()
