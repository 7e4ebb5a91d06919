"""GET /builds/{id}/logs.zip: all logs of a build, as any program unpacks them."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server
from tests.acceptance.test_descriptors import wait_until_few
from tests.acceptance.test_stalled import MIB, stalled, write

MAX_GROWTH_BYTES = 16 * MIB


def get(writer: Writer, build: int, method: str = "GET") -> httpx.Response:
    return writer.http.request(method, f"/builds/{build}/logs.zip")


def new_log(writer: Writer, step: dict[str, Any], name: str, text: bytes) -> dict[str, Any]:
    log = writer.post(f"/steps/{step['id']}/logs", {"name": name})
    for start in range(0, len(text), MIB):
        assert writer.chunks(log["id"], entry(start % 2, text[start : start + MIB]), start).status_code == 200
    return log


@pytest.fixture(scope="module")
def texts() -> dict[str, bytes]:
    """What the build's logs say, by the names that they have in the zip."""
    noise = random.Random(7).randbytes(3_000_000)
    return {
        "01-compile/stdio.log": b"line\n" * 300_000 + noise,
        "01-compile/config-log.log": b"checking for gcc\n",
        "02-unit-tests/stdio.log": "größer als 日本\n".encode(),
        "02-unit-tests/stdio_2.log": b"",
    }


@pytest.fixture(scope="module")
def build(server: Server, token: str, texts: dict[str, bytes]) -> dict[str, Any]:
    """A build of two steps with two logs each; one log is still open."""
    writer = Writer(server.url, token)
    build = writer.post("/builds", {"project": "demo", "builder": "zip"})
    compiling = writer.post(f"/builds/{build['id']}/steps", {"name": "compile"})
    testing = writer.post(f"/builds/{build['id']}/steps", {"name": "unit tests"})
    contents = iter(texts.values())
    names = ((compiling, "stdio"), (compiling, "config.log"), (testing, "stdio"), (testing, "stdio!"))
    logs = [new_log(writer, step, name, next(contents)) for step, name in names]
    assert writer.finish(logs[0]["id"]).status_code == 200
    return build


def test_the_zip_holds_every_log_under_a_name_of_its_own(
    writer: Writer, build: dict[str, Any], texts: dict[str, bytes]
) -> None:
    answer = get(writer, build["id"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    name = f"demo-zip-{build['number']}-logs.zip"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    by_size = sorted(texts.values(), key=len)
    assert sorted(found.values(), key=len) == by_size
    assert len(found) == len(texts)
    assert found["01-compile/stdio.log"] == texts["01-compile/stdio.log"]
    assert all(name.startswith(("01-compile/", "02-unit-tests/")) and name.endswith(".log") for name in found)
    assert len(answer.content) < len(b"".join(texts.values()))


@pytest.mark.skipif(shutil.which("unzip") is None, reason="there is no unzip here")
def test_unzip_finds_no_fault_with_it(writer: Writer, build: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "logs.zip"
    path.write_bytes(get(writer, build["id"]).content)
    done = subprocess.run(["unzip", "-t", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_head_has_the_headers_without_the_zip(writer: Writer, build: dict[str, Any]) -> None:
    answer = get(writer, build["id"], "HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert "attachment" in answer.headers["content-disposition"]


def test_a_build_without_logs_is_an_empty_zip(writer: Writer) -> None:
    build = writer.post("/builds", {"project": "demo", "builder": "zip"})
    with zipfile.ZipFile(io.BytesIO(get(writer, build["id"]).content)) as archive:
        assert archive.namelist() == []


@pytest.mark.bad_input("a damaged log")
def test_a_log_that_cannot_be_read_does_not_keep_the_others_from_the_reader(
    own_server: Server, texts: dict[str, bytes]
) -> None:
    writer = Writer(own_server.url, own_server.token())
    damaged = writer.new_log("damaged")
    step = {"id": damaged["step"]}
    gone, whole = new_log(writer, step, "gone", b"gone\n"), new_log(writer, step, "whole", b"whole\n")
    next(own_server.data_dir.glob(f"logs/**/*-{damaged['id']}.idx")).write_bytes(b"garbage!" * 16)
    for path in own_server.data_dir.glob(f"logs/**/*-{gone['id']}.*"):
        path.unlink()
    answer = get(writer, damaged["build"])
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert set(found) == {
        "01-compile/damaged.error.txt",
        "01-compile/gone.error.txt",
        "01-compile/whole.log",
    }
    assert found["01-compile/whole.log"] == b"whole\n"
    assert b"damaged" in found["01-compile/damaged.error.txt"]
    assert str(own_server.data_dir).encode() not in b"".join(found.values())
    assert whole["id"]


def test_logs_of_several_builds_come_in_one_zip(writer: Writer, build: dict[str, Any]) -> None:
    other = writer.new_log()
    writer.chunks(other["id"], entry(0, b"other\n"), 0)
    first = writer.http.get(f"/builds/{build['id']}").json()["steps"][0]["logs"][1]["id"]
    answer = writer.http.get(f"/logs.zip?ids={first},{other['id']},{first}")
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert sorted(found.values()) == [b"checking for gcc\n", b"other\n"]
    assert f"demo/zip/{build['number']}/01-compile/configlog.log" in found


@pytest.mark.bad_input("ids that are none")
@pytest.mark.parametrize("ids", ["", "1,", "x", "-1", ",".join(["1"] * 101)])
def test_ids_that_are_none_or_too_many_are_400(writer: Writer, ids: str) -> None:
    answer = writer.http.get(f"/logs.zip?ids={ids}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["ids"])


def test_of_chosen_logs_each_has_to_be_one_that_the_caller_may_read(server: Server, writer: Writer) -> None:
    log = writer.new_log()["id"]
    assert writer.http.get(f"/logs.zip?ids={log},{2**63}").status_code == 404
    assert httpx.get(f"{server.url}/api/v1/logs.zip?ids={log}").status_code == 404


def test_a_private_build_is_404_to_others(server: Server, build: dict[str, Any]) -> None:
    answer = httpx.get(f"{server.url}/api/v1/builds/{build['id']}/logs.zip")
    assert (answer.status_code, answer.json()["type"]) == (404, "not-found")


def test_an_unknown_parameter_is_400(writer: Writer, build: dict[str, Any]) -> None:
    answer = writer.http.get(f"/builds/{build['id']}/logs.zip?level=9")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["level"])


def test_clients_that_stall_or_leave_cost_neither_memory_nor_descriptors(own_server: Server) -> None:
    token = own_server.token()
    writer = Writer(own_server.url, token)
    log = writer.new_log()
    write(writer, log["id"], 60_000_000)
    assert get(writer, log["build"]).status_code == 200
    open_before, before = 2, own_server.rss_bytes()
    path = f"/api/v1/builds/{log['build']}/logs.zip"
    request = f"GET {path} HTTP/1.1\nHost: 127.0.0.1\nAuthorization: Bearer {token}\n\n"
    connections = [stalled(own_server, request) for _ in range(4)]
    for connection in connections:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    growth = own_server.rss_bytes() - before
    for connection in connections:
        connection.close()
    assert growth <= MAX_GROWTH_BYTES
    assert wait_until_few(own_server, f"-{log['id']}.log", open_before)
