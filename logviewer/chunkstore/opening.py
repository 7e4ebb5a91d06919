"""Opening a log for reading, in whatever form it lies."""

import os
from contextlib import ExitStack, closing
from pathlib import Path

from logviewer.chunkstore.archive import Archive
from logviewer.chunkstore.errors import NoSuchLog, StorageDenied
from logviewer.chunkstore.index import Index
from logviewer.chunkstore.keys import LogFiles
from logviewer.chunkstore.reader import LogReader
from logviewer.chunkstore.record import HEADER_BYTES
from logviewer.chunkstore.sealed import SealedText
from logviewer.chunkstore.shapes import Form
from logviewer.chunkstore.sources import LocalFile, Source

READ = os.O_RDONLY | os.O_CLOEXEC


def open_log(files: LogFiles, archive: Archive | None = None) -> LogReader:
    """Open a log for reading. Raises NoSuchLog, CorruptIndex, CorruptSealed, StorageDenied, ArchiveAway."""
    index, text = open_sources(files, archive)
    if isinstance(index, LocalFile):
        return LogReader(files, index, text)
    return LogReader(files, index, text, lambda: open_archived(files.key, files.marks, archive))


def open_sources(files: LogFiles, archive: Archive | None = None) -> tuple[Source, Source]:
    """Open a log's index and text; errors as of `open_log`.

    A log goes from form to form while others read it: plain, sealed, archived, and each file is there in its new form
    before the old one goes. Looked for in the same order, it is therefore found. Who has them open keeps them.
    """
    with ExitStack() as opened:
        try:
            index = _open_index(files, archive)
            opened.callback(index.close)
            text = _open_text(files, archive, index)
            opened.callback(text.close)
        except (FileNotFoundError, NotADirectoryError):
            raise NoSuchLog(files.key) from None
        except PermissionError as error:
            raise StorageDenied(files.index, error.strerror or "permission denied") from None
        if index.size() < HEADER_BYTES and not text.size():
            raise NoSuchLog(files.key)  # being created this moment
        Index(files.index, index).synced()
        opened.pop_all()
        return index, text


def form_of(files: LogFiles, archive: Archive | None = None) -> Form:
    """Say how a log lies; archived is one whose text does, also while its index is still here.

    Raises NoSuchLog, ArchiveAway.
    """
    if files.index.exists():
        if files.text.exists():
            return Form.PLAIN
        if files.sealed.exists():
            return Form.SEALED
    try:
        open_archived(files.key, files.sealed, archive).close()
    except FileNotFoundError:
        raise NoSuchLog(files.key) from None
    return Form.ARCHIVED


def sealed_size(files: LogFiles, archive: Archive | None = None) -> int:
    """Return the bytes of a log's sealed file, here or in the archive. Raises NoSuchLog, ArchiveAway."""
    try:
        return files.sealed.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        pass
    try:
        with closing(open_archived(files.key, files.sealed, archive)) as source:
            return source.size()
    except FileNotFoundError:
        raise NoSuchLog(files.key) from None


def open_archived(key: str, path: Path, archive: Archive | None) -> Source:
    """Open in the archive what would be at `path` if it were here. Raises FileNotFoundError, ArchiveAway."""
    if archive is None:
        raise FileNotFoundError(path)
    return archive.open(archived_name(key, path))


def archived_name(key: str, path: Path) -> str:
    """Return the archive's name for one of the files of a log: the key and what follows it in the file's name."""
    return key + path.name.removeprefix(key.rpartition("/")[2])


def _open_index(files: LogFiles, archive: Archive | None) -> Source:
    try:
        return LocalFile(os.open(files.index, READ))
    except (FileNotFoundError, NotADirectoryError):
        return open_archived(files.key, files.index, archive)


def _open_text(files: LogFiles, archive: Archive | None, index: Source) -> Source:
    for path in (files.text, files.sealed):
        try:
            source: Source = LocalFile(os.open(path, READ))
        except FileNotFoundError:
            continue
        return source if path is files.text else _sealed_text(source, str(path))
    if index.size() < HEADER_BYTES:  # being created this moment: no need to ask another store
        raise FileNotFoundError(files.text)
    return _sealed_text(open_archived(files.key, files.sealed, archive), archived_name(files.key, files.sealed))


def _sealed_text(source: Source, name: str) -> SealedText:
    """Return the text of a sealed file, which is closed where it cannot be read."""
    try:
        return SealedText(source, name)
    except BaseException:
        source.close()
        raise
