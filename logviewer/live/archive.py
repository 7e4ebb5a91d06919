"""The other store for sealed logs: the chunk store's Archive over Django's `storages["logs"]`."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages

from logviewer.chunkstore import Archive, check_key
from logviewer.chunkstore.sources import Source
from logviewer.live.outage import Outage
from logviewer.live.revocations import Revocations

ALIAS = "logs"
SUFFIXES = (".log.zst", ".marks", ".idx")


def open_archive() -> Archive | None:
    """The store that STORAGES["logs"] names; None where it names none and sealed logs stay here.

    boto3, which takes long to import, is so only where the logs lie in S3, and then with the first log of there.
    """
    if ALIAS not in settings.STORAGES:
        return None
    storage = storages[ALIAS]
    if any(parent.__module__ == "storages.backends.s3" for parent in type(storage).__mro__):
        from logviewer.live.s3 import S3Archive

        return S3Archive(storage, Revocations(settings.DATA_DIR))
    return StorageArchive(storage)


def checked_name(name: str) -> str:
    """Give the name back if it is a log's key and one of the suffixes, else raise InvalidKey."""
    suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")
    check_key(name.removesuffix(suffix) if suffix else "")
    return name


class StorageArchive:
    """An Archive over any of Django's storages, whose files can be read from anywhere after a `seek`."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        where = getattr(storage, "location", None) or type(storage).__name__
        self._outage = Outage(f"the log store {where}", _explain)

    def open(self, name: str) -> Source:
        """Open a file for reads by range. Raises FileNotFoundError, ArchiveAway."""
        checked_name(name)
        with self._outage.asking(name):
            try:
                file = self._storage.open(name, "rb")
            except FileNotFoundError:
                self._check_root()
                raise
            return StoredFile(name, file, file.size, self._outage)

    def save(self, name: str, path: Path) -> None:
        """Put a file there, in place of an older one: a storage may rename what is in its way, which would hide it.

        Where the storage lies on a disk of this machine the file is on stable storage afterwards.
        """
        checked_name(name)
        with self._outage.asking(name), path.open("rb") as source:
            self._storage.delete(name)
            saved = self._storage.save(name, File(source))
            if saved != name:
                self._storage.delete(saved)
                raise FileExistsError(f"somebody else writes {name} at this moment")
            self._sync(name)

    def delete(self, name: str) -> None:
        """Remove a file; no error if there is none. Raises ArchiveAway."""
        checked_name(name)
        with self._outage.asking(name):
            self._storage.delete(name)

    def revoke(self) -> None:
        """Do nothing: no more is kept of a file than that it is open."""

    def _check_root(self) -> None:
        """Tell a file that is not there from a disk that is not mounted."""
        root = getattr(self._storage, "location", None)
        if isinstance(self._storage, FileSystemStorage) and not Path(str(root)).is_dir():
            raise NotADirectoryError(f"there is no directory {root}; is its disk mounted?")

    def _sync(self, name: str) -> None:
        """Put a file and its names on stable storage, where it lies on a disk of this machine."""
        try:
            path = Path(self._storage.path(name))
        except NotImplementedError:
            return
        for each in (path, *path.parents[: name.count("/") + 1]):
            fd = os.open(each, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


class StoredFile:
    """An open file of a storage as a Source."""

    def __init__(self, name: str, file: File[bytes], size: int, outage: Outage) -> None:
        self._name = name
        self._file = file
        self._size = size
        self._outage = outage

    def size(self) -> int:
        """Return the file's size, which does not change."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the file. Raises ArchiveAway."""
        with self._outage.asking(self._name):
            self._file.seek(offset)
            return bytes(self._file.read(length))

    def read_now(self, offset: int, length: int) -> None:
        """Return None: nobody knows what a storage does."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _explain(error: Exception) -> tuple[str, bool]:
    """Say what is wrong, and whether it is with the whole store."""
    return f"{type(error).__name__}: {error}", isinstance(error, OSError)
