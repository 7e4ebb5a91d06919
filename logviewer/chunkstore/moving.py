"""Moving a sealed log to the archive: copied, read back, compared, and only then removed here.

Readers look for each file here first, then in the archive, so at whatever instant this stops the log is readable, and
moving again goes on from there. The index is removed last: while it is here, so are the log's lock and its form.
"""

import hashlib
from contextlib import ExitStack, suppress
from pathlib import Path

from logviewer.chunkstore.archive import Archive
from logviewer.chunkstore.errors import ArchiveDiffers, CorruptSealed, LogLocked, NoSuchLog, NotSealed
from logviewer.chunkstore.files import delete_files, remove_empty_directories
from logviewer.chunkstore.keys import LogFiles
from logviewer.chunkstore.lock import LOCK_WAIT_SECONDS, locked
from logviewer.chunkstore.opening import archived_name, open_archived
from logviewer.chunkstore.sources import Source

SLAB_BYTES = 1024 * 1024
"""What is read at once to compare; all that moving holds in memory."""


def move_log(root: Path, files: LogFiles, archive: Archive) -> None:
    """Take a sealed log to the archive; one that is there already stays as it is.

    Nothing is removed here before what came back from the archive had the same SHA-256. Several processes may try:
    one moves, for the others the log is locked. Raises NotSealed, NoSuchLog, LogLocked, ArchiveAway, ArchiveDiffers
    (nothing was removed: try again later), CorruptSealed where a file is neither here nor there.
    """
    if files.text.exists():
        raise NotSealed(files.key)
    with ExitStack() as held:
        # While copying not the log's own lock, for that may take minutes; movers and deletion take the sealed file's.
        sealed_is_here = held.enter_context(locked(files.sealed, wait_seconds=0.0))
        if not sealed_is_here:
            held.enter_context(locked(files.index, wait_seconds=0.0))
        copied = [_copy(files, path, archive) for path in _moving(files)]
        if sealed_is_here:
            held.enter_context(locked(files.index, wait_seconds=LOCK_WAIT_SECONDS))
        if _local_sha256(files.index) != copied[-1]:
            raise LogLocked(files.index, 0.0)  # somebody wrote to it meanwhile
        for path, sha256 in zip(_moving(files), copied, strict=True):
            if sha256 is not None:  # else it came here since, with a redaction, and is nowhere else
                with suppress(NotADirectoryError):
                    path.unlink(missing_ok=True)
    remove_empty_directories(root, files.index.parent)


def delete_log(root: Path, files: LogFiles, archive: Archive) -> None:
    """Remove a log's files here, then those in the archive; what is gone already is no error.

    Not while it is moved, or a copy could arrive there after all was deleted. Raises LogLocked, ArchiveAway.
    """
    was_plain = files.text.exists()
    with locked(files.sealed, wait_seconds=LOCK_WAIT_SECONDS):
        delete_files(root, files)
    if not was_plain:  # else it never went anywhere, and no other store need answer
        forget_archived(files, archive)


def forget_archived(files: LogFiles, archive: Archive | None) -> None:
    """Remove a log's files in the archive; what is gone already is no error. Raises ArchiveAway."""
    if archive is not None:
        for path in _moving(files):
            archive.delete(archived_name(files.key, path))


def _moving(files: LogFiles) -> tuple[Path, Path, Path]:
    """The files that move, in the order in which they are copied and removed."""
    return files.sealed, files.marks, files.index


def _copy(files: LogFiles, path: Path, archive: Archive) -> str | None:
    """Have a file in the archive as it is here, and return its SHA-256; None where it is not here but there."""
    here = _local_sha256(path)
    if here is None:
        _check_is_there(files, path, archive)
        return None
    if _archived_sha256(files, path, archive) != here:
        archive.save(archived_name(files.key, path), path)
        if _archived_sha256(files, path, archive) != here:
            raise ArchiveDiffers(archived_name(files.key, path))
    return here


def _check_is_there(files: LogFiles, path: Path, archive: Archive) -> None:
    """Raise what is to be said of a file that is neither here nor in the archive; marks need not be anywhere."""
    if path == files.marks:
        return
    try:
        open_archived(files.key, path, archive).close()
    except FileNotFoundError:
        if not files.index.exists():
            raise NoSuchLog(files.key) from None
        raise CorruptSealed(archived_name(files.key, path), "it is neither here nor in the archive") from None


def _local_sha256(path: Path) -> str | None:
    """Hash a file that may not be here."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while slab := file.read(SLAB_BYTES):
                digest.update(slab)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return digest.hexdigest()


def _archived_sha256(files: LogFiles, path: Path, archive: Archive) -> str | None:
    """Hash what the archive gives back, by range as readers will read it; None where it has no such file."""
    try:
        source = open_archived(files.key, path, archive)
    except FileNotFoundError:
        return None
    try:
        return None if source.size() != path.stat().st_size else _sha256(source)
    finally:
        source.close()


def _sha256(source: Source) -> str:
    digest = hashlib.sha256()
    offset, size = 0, source.size()
    while offset < size and (slab := source.read(offset, min(SLAB_BYTES, size - offset))):
        digest.update(slab)
        offset += len(slab)
    return digest.hexdigest()
