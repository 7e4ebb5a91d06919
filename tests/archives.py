"""The other store in its two kinds: a directory, and S3. One suite for each contract runs over both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from logviewer.chunkstore import Archive
from logviewer.live.archive import open_archive
from tests.object_store import ObjectStore


@pytest.fixture
def archive_directory(tmp_path: Path) -> Path:
    """Where the archive of files lies."""
    path = tmp_path / "other"
    path.mkdir()
    return path


@pytest.fixture
def file_archive(settings: Any, archive_directory: Path) -> Archive:
    """An archive in a directory."""
    backend = "django.core.files.storage.FileSystemStorage"
    return archive_with(settings, {"BACKEND": backend, "OPTIONS": {"location": str(archive_directory)}})


@pytest.fixture
def s3_archive(settings: Any, object_store: ObjectStore) -> Archive:
    """An archive in a bucket."""
    return archive_with(settings, object_store.storages())


@pytest.fixture(params=["file_archive", "s3_archive"])
def archive(request: pytest.FixtureRequest) -> Archive:
    """Each of the two, one after the other."""
    found: Archive = request.getfixturevalue(request.param)
    return found


def ask_again(archive: Any) -> None:
    """Let the seconds pass in which nobody asks a store that did not answer."""
    archive.outage._until = 0.0


def archive_with(settings: Any, logs: dict[str, Any]) -> Archive:
    """The archive that `STORAGES["logs"]` names; the settings have it from now on."""
    settings.STORAGES = {**settings.STORAGES, "logs": logs}
    archive = open_archive()
    assert archive is not None
    return archive
