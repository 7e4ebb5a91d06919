"""BUILDLOGS_LOG_STORE: what it becomes, and what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buildlogs.env import Environment


def log_store(value: str, logs: Path = Path("/var/lib/buildlogs/logs"), endpoint: str | None = None) -> Any:
    environment = Environment({"BUILDLOGS_LOG_STORE": value})
    found = environment.log_store("BUILDLOGS_LOG_STORE", logs, endpoint, "eu-central-1")
    return environment.problems or found


def test_unset_or_empty_it_names_no_other_store() -> None:
    assert Environment({}).log_store("BUILDLOGS_LOG_STORE", Path("/logs"), None, None) is None
    assert log_store("") is None


def test_a_bucket_becomes_a_storage() -> None:
    assert log_store("s3://my-logs/ten/years/", endpoint="http://127.0.0.1:9000") == {
        "BACKEND": "logviewer.live.s3.S3Logs",
        "OPTIONS": {
            "bucket_name": "my-logs",
            "location": "ten/years",
            "endpoint_url": "http://127.0.0.1:9000",
            "region_name": "eu-central-1",
        },
    }
    assert log_store("s3://my-logs")["OPTIONS"]["location"] == ""


def test_a_directory_becomes_a_storage(tmp_path: Path) -> None:
    directory = tmp_path / "a b"
    directory.mkdir()
    found = log_store(f"file://{tmp_path}/a%20b")
    assert found["BACKEND"] == "django.core.files.storage.FileSystemStorage"
    assert found["OPTIONS"]["location"] == str(directory)


@pytest.mark.bad_input("another store that cannot be one")
@pytest.mark.parametrize(
    "value",
    [
        "s3://",
        "s3://Bad_Bucket",
        "s3://bucket/../other",
        "s3://bucket/a//b",
        "s3://key:secret@bucket",
        "s3://bucket?key=secret",
        "ftp://bucket",
        "/just/a/path",
        "file://host/path",
        "file:relative",
        "file:///no/such/directory/secret",
        "s3://[",
        "file:///a%00b",
    ],
)
def test_what_cannot_be_one_is_said_in_one_line_without_secrets(value: str) -> None:
    (problem,) = log_store(value)
    assert problem.startswith("BUILDLOGS_LOG_STORE: ")
    assert "\n" not in problem
    assert "key:secret" not in problem
    assert "key=secret" not in problem


@pytest.mark.bad_input("another store that cannot be one")
@pytest.mark.parametrize("where", ["logs", "logs/inside", "."])
def test_it_must_lie_apart_from_the_logs_of_the_server(tmp_path: Path, where: str) -> None:
    logs = tmp_path / "logs"
    (logs / "inside").mkdir(parents=True)
    (problem,) = log_store(f"file://{(tmp_path / where).resolve()}", logs)
    assert "apart" in problem


@pytest.mark.parametrize(("value", "found"), [("", None), ("https://s3.example.org/", "https://s3.example.org")])
def test_an_endpoint_is_an_address(value: str, found: str | None) -> None:
    assert Environment({"E": value}).address("E") == found


@pytest.mark.parametrize(
    "value", ["s3.example.org", "http://", "ftp://x", "http://key:secret@host", "http://host:99999"]
)
def test_an_endpoint_that_is_none_is_refused(value: str) -> None:
    environment = Environment({"E": value})
    assert environment.address("E") is None
    (problem,) = environment.problems
    assert "secret" not in problem
