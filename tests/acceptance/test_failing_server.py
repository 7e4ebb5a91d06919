"""What a server's own troubles look like from outside: said, without saying more than is anybody's business."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server
from tests.acceptance.test_watch_build import next_event, next_message, watching
from tests.acceptance.test_watch_log import opened, refused


async def test_a_damaged_log_is_1013_and_says_nothing_of_the_servers_files(own_server: Server) -> None:
    token = own_server.token("--scopes", "read,write")
    log = Writer(own_server.url, token).new_log()
    damage(own_server, log["id"])
    viewer = await opened(own_server, token, log)
    error = await viewer.step()
    assert error is not None
    assert error["status"] == 1013
    assert str(own_server.data_dir) not in error["detail"]
    assert (await viewer.drain()).close_code == 1013


async def test_a_damaged_log_does_not_end_the_watching_of_its_build(own_server: Server) -> None:
    token = own_server.token("--scopes", "read,write")
    writer = Writer(own_server.url, token)
    damaged = writer.new_log()
    damage(own_server, damaged["id"])
    whole = writer.post(f"/steps/{damaged['step']}/logs", {"name": "whole"})
    async with watching(own_server, token, damaged["build"]) as watcher:
        await next_event(watcher)
        writer.chunks(whole["id"], entry(0, b"a line\n"))
        progress = await next_message(watcher)
        assert progress["type"] == "progress"
        assert progress["logs"] == [{"id": whole["id"], "size": 7, "lines": 1}]


def damage(server: Server, log_id: int) -> None:
    """Overwrite a log's index."""
    next(server.data_dir.glob(f"logs/**/*-{log_id}.idx")).write_bytes(b"garbage!" * 8)


async def test_a_viewer_is_told_to_come_back_when_the_database_fails(own_server: Server) -> None:
    token = own_server.token("--scopes", "read,write")
    log = Writer(own_server.url, token).new_log()
    with closing(sqlite3.connect(own_server.data_dir / "buildlogs.sqlite3")) as database:
        database.execute("ALTER TABLE logviewer_logfile RENAME TO away")
        database.commit()
    await refused(own_server, f"/ws/logs/{log['id']}/", 1013, token)
