"""One server for all tests that only need some server; tests that kill it start their own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.client import Writer
from tests.acceptance.peers import Place, make_place
from tests.acceptance.server import SEALS_NOTHING, Server, running_server

logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request buries what matters


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Daphne with the embedded defaults: SQLite, in-memory layer, files."""
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="session")
def token(server: Server) -> str:
    return server.token()


@pytest.fixture
def writer(server: Server, token: str) -> Writer:
    return Writer(server.url, token)


@pytest.fixture(scope="session")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Daphne that seals nothing by itself."""
    with running_server(tmp_path_factory.mktemp("plain"), environment=SEALS_NOTHING) as running:
        yield running


@pytest.fixture(scope="session")
def plain_token(plain_server: Server) -> str:
    return plain_server.token()


@pytest.fixture(scope="session")
def plain_writer(plain_server: Server, plain_token: str) -> Writer:
    return Writer(plain_server.url, plain_token)


@pytest.fixture(scope="session")
def daphne_place(plain_server: Server) -> Place:
    """A log on a Daphne whose allocator has reached its working size."""
    return make_place(plain_server)


@pytest.fixture(scope="session")
def uvicorn_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The same on uvicorn."""
    with running_server(tmp_path_factory.mktemp("uvicorn"), kind="uvicorn", environment=SEALS_NOTHING) as running:
        yield make_place(running)


@pytest.fixture(params=["daphne_place", pytest.param("uvicorn_place", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest) -> Place:
    """Both, one after the other."""
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir()
    return directory


@pytest.fixture
def own_server(data_dir: Path) -> Iterator[Server]:
    """A server that nothing else has used: its memory and descriptors are the test's, its files may be damaged."""
    with running_server(data_dir) as running:
        yield running
