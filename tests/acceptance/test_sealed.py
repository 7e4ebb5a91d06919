"""A real server seals what is finished, and nobody who reads notices."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import httpx

from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.server import Server
from tests.acceptance.test_chunks import assert_problem
from tests.acceptance.test_descriptors import wait_until_few

WAIT_SECONDS = 30
WINDOW_BYTES = 64 * 1024
LINES = [b"%06d \x1b[32mgcc\x1b[0m -O2 -c file_%d.c -o file_%d.o\n" % (n, n, n) for n in range(60_000)]
TEXT = b"".join(LINES)
"""Over 3 MiB: several frames."""


def write(writer: Writer, log_id: int) -> None:
    """Two channels in turn, then the finish with count and hash."""
    offset = 0
    for number, start in enumerate(range(0, len(TEXT), 500_000)):
        part = TEXT[start : start + 500_000]
        assert writer.chunks(log_id, entry(number % 2, part), offset).status_code == 200
        offset += len(part)
    finished = writer.finish(log_id, received=len(TEXT), sha256=hashlib.sha256(TEXT).hexdigest())
    assert finished.json()["completeness"] == "verified", finished.text


async def sealed(writer: Writer, log_id: int) -> dict[str, object]:
    """Ask until the log is sealed."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not (log := (await asyncio.to_thread(writer.http.get, f"/logs/{log_id}")).json())["sealed"]:
            await asyncio.sleep(0.05)
    return dict(log)


def files(server: Server) -> set[str]:
    return {path.name for path in (server.data_dir / "logs").rglob("*") if path.is_file()}


def test_a_finished_log_is_sealed_and_every_way_of_reading_gives_the_same(own_server: Server) -> None:
    writer = Writer(own_server.url, own_server.token())
    log = writer.new_log()
    path = f"{own_server.url}/api/v1/logs/{log['id']}/raw"
    authorization = dict(writer.http.headers)

    async def watch_all() -> Viewer:
        viewer = Viewer(own_server.websocket_url, log["id"], headers={"Authorization": authorization["authorization"]})
        await viewer.watch()
        return viewer

    async def scenario() -> tuple[Viewer, Viewer]:
        """One viewer is in the middle of the text when it is sealed, the other comes afterwards."""
        slow = Viewer(
            own_server.websocket_url,
            log["id"],
            window=WINDOW_BYTES,
            headers={"Authorization": authorization["authorization"]},
        )
        await asyncio.to_thread(write, writer, log["id"])
        await slow.open()
        while not slow.data:
            await slow.step()
        await sealed(writer, log["id"])
        assert 0 < len(slow.data) < len(TEXT)
        while len(slow.data) < len(TEXT):
            await slow.ack()
            await slow.step()
        return slow, await watch_all()

    slow, late = asyncio.run(scenario())
    names = files(own_server)
    assert f"stdio-{log['id']}.log.zst" in names
    assert f"stdio-{log['id']}.log" not in names
    assert bytes(slow.data) == bytes(late.data) == TEXT
    assert late.close_code == 1000
    assert late.runs[0][0] == 0
    assert {run[0] for run in late.runs} == {0, 1}

    plain = httpx.get(path, headers={**authorization, "accept-encoding": "identity"})
    assert plain.content == TEXT
    part = httpx.get(path, headers={**authorization, "accept-encoding": "identity", "range": "bytes=1048570-1048580"})
    assert (part.status_code, part.content) == (206, TEXT[1048570:1048581])
    shown = writer.http.get(f"/logs/{log['id']}").json()
    assert (shown["size"], shown["lines"], shown["completeness"]) == (len(TEXT), len(LINES), "verified")


def test_what_the_writer_repeats_after_sealing_is_answered_as_before(own_server: Server) -> None:
    writer = Writer(own_server.url, own_server.token())
    log = writer.new_log()
    write(writer, log["id"])
    asyncio.run(sealed(writer, log["id"]))
    again = writer.chunks(log["id"], entry(0, TEXT[:500_000]), 0)
    assert (again.status_code, again.headers["Upload-Offset"]) == (200, str(len(TEXT)))
    assert_problem(writer.chunks(log["id"], entry(0, b"more"), len(TEXT)), 409, "finished")
    assert_problem(writer.chunks(log["id"], entry(0, b"?" + TEXT[1:500_000]), 0), 409, "overlap-differs")
    finished = writer.finish(log["id"], received=len(TEXT), sha256=hashlib.sha256(TEXT).hexdigest()).json()
    assert (finished["completeness"], finished["sealed"]) == ("verified", True)
    assert_problem(writer.finish(log["id"], received=1), 409, "mismatch")


def test_the_servers_descriptors_and_the_texts_bytes_are_given_back(own_server: Server) -> None:
    writer = Writer(own_server.url, own_server.token())
    for name in ("one", "two", "three"):
        log = writer.new_log(name)
        write(writer, log["id"])
        asyncio.run(sealed(writer, log["id"]))
    assert wait_until_few(own_server, ".log (deleted)", 0)
    assert wait_until_few(own_server, ".log.zst", 0)
    assert wait_until_few(own_server, ".tmp", 0)


def test_what_a_killed_server_left_is_sealed_by_the_command(own_server: Server) -> None:
    writer = Writer(own_server.url, own_server.token())
    log = writer.new_log()
    write(writer, log["id"])
    own_server.kill()
    text = next((own_server.data_dir / "logs").rglob(f"stdio-{log['id']}.log*"))
    leftover = Path(f"{str(text).removesuffix('.zst')}.zst.tmp")
    leftover.write_bytes(b"half of a sealed file")
    own_server.manage("upkeep")
    own_server.start()
    assert leftover.name not in files(own_server)
    assert f"stdio-{log['id']}.log.zst" in files(own_server)
    answer = writer.http.get(f"/logs/{log['id']}/raw", headers={"accept-encoding": "gzip"})
    assert answer.content == TEXT
    assert json.loads(writer.http.get(f"/logs/{log['id']}").content)["sealed"] is True
