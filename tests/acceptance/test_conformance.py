"""The OpenAPI document against a server that runs: all of Schemathesis' checks, every operation, each kind of caller.

What of a run is chance has a seed. A longer one, of other cases each time, against a server that is there:
`st --config-file tests/acceptance/schemathesis.toml run --checks all -n 100 -H "Authorization: Bearer …" URL`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server, running_server

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = 4
"""An operation, beside those that its bounds give: some 1400 requests in all for each caller."""

TIMEOUT_SECONDS = 300


@pytest.fixture(scope="module")
def crowded_server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server with builds and logs of small ids, which guesses meet, some open and some finished."""
    with running_server(tmp_path_factory.mktemp("conformance")) as server:
        writer = Writer(server.url, server.token())
        for number in range(4):
            log = writer.new_log()
            writer.chunks(log["id"], entry(0, b"hello\n") + entry(1, b"error: none\n"))
            if number % 2:
                writer.finish(log["id"])
                writer.post(f"/builds/{log['build']}/finish", {"results": "success"})
        publish = "from logviewer.models import Project; Project.objects.update(visibility='public')"
        server.manage("shell", "-c", publish)
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("scopes", [None, "write,read", "write,read,admin"], ids=["anonymous", "member", "admin"])
def test_every_answer_is_as_the_document_says(crowded_server: Server, tmp_path: Path, scopes: str | None) -> None:
    caller = [] if scopes is None else ["-H", f"Authorization: Bearer {crowded_server.token('--scopes', scopes)}"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "run"),
            *("--checks", "all", "--max-examples", str(EXAMPLES), "--seed", "2026", "--no-color", *caller),
            f"{crowded_server.url}/api/v1/openapi.json",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    selected = next(line for line in done.stdout.splitlines() if "Selected:" in line).split()[-1]
    assert len(set(selected.split("/"))) == 1, "no operation is left out"
    assert "Traceback" not in crowded_server.log_path.read_text()
