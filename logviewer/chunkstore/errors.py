"""What can go wrong in the chunk store. Each error says what was wrong, with what, and what to do."""

from pathlib import Path


class ChunkStoreError(Exception):
    """Any error of the chunk store; catch this one to catch them all."""


class InvalidKey(ChunkStoreError):
    """A storage key that could name a file outside the store, or none."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"storage key {key[:200]!r} is refused: {reason}")
        self.key = key
        self.reason = reason


class InvalidAppend(ChunkStoreError, ValueError):
    """Arguments that contradict each other: a programmer's error, not a writer's."""


class NoSuchLog(ChunkStoreError):
    """There is no log under this key: it was never created, or has been deleted."""

    def __init__(self, key: str) -> None:
        super().__init__(f"there is no log {key!r}")
        self.key = key


class CorruptIndex(ChunkStoreError):
    """Text and index contradict each other in a part that was already on stable storage.

    Nothing is changed on disk. `resume_offset` is the next byte offset from which reading is known to be
    possible, where there is one.
    """

    def __init__(self, path: Path, detail: str, resume_offset: int | None = None) -> None:
        resume = "" if resume_offset is None else f"; reading can go on from byte {resume_offset}"
        super().__init__(f"{path}: {detail}{resume}")
        self.path = path
        self.detail = detail
        self.resume_offset = resume_offset


class TextMissing(CorruptIndex):
    """An index whose text does not lie beside it: it was sealed, or is gone."""


class CorruptSealed(ChunkStoreError):
    """A sealed file that is not what sealing wrote: cut short, damaged, or something else under its name.

    Nothing is changed on disk. `name` is the file's, here or in the archive.
    """

    def __init__(self, name: str, detail: str, advice: str = "restore this file from a backup") -> None:
        super().__init__(f"{name}: {detail}; {advice}")
        self.name = name
        self.detail = detail


class ArchiveAway(ChunkStoreError):
    """The other store, where sealed logs lie, does not answer; nothing is lost: try again later."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name} lies in the archive, which does not answer ({detail}): try again later")
        self.name = name
        self.detail = detail


class ArchiveDiffers(ChunkStoreError):
    """What the other store gives back is not what was sent; the files here are kept, and moving sends them again."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} comes back from the archive with other bytes than were sent: it is kept here; try again"
        )
        self.name = name


class NoSuchLine(ChunkStoreError, ValueError):
    """A line was named that the log does not have."""

    def __init__(self, key: str, line: int, lines: int) -> None:
        super().__init__(f"there is no line {line}: the log {key!r} has {lines}")
        self.line = line
        self.lines = lines


class NotSealed(ChunkStoreError):
    """Only sealed logs move to another store; this one has to be finished and sealed first."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the log {key!r} is not sealed: seal it before it is moved")
        self.key = key


class MalformedChunks(ChunkStoreError):
    """A body that is not a chunk stream; `position` is the offset of the byte at fault in the body."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"malformed chunk stream at byte {position}: {reason}")
        self.position = position
        self.reason = reason


class OffsetGap(ChunkStoreError):
    """The writer goes on further than the log has come; it must send again from `received`."""

    def __init__(self, offset: int, received: int) -> None:
        super().__init__(f"offset {offset} is beyond the {received} bytes received: go on from {received}")
        self.offset = offset
        self.received = received


class OverlapDiffers(ChunkStoreError):
    """Bytes that were sent again are not those that are stored; nothing of the body was stored."""

    def __init__(self, position: int, received: int) -> None:
        super().__init__(f"byte {position} was sent again with other content than is stored ({received} received)")
        self.position = position
        self.received = received


class LogFinished(ChunkStoreError):
    """The log is finished and takes no more bytes."""

    def __init__(self, received: int) -> None:
        super().__init__(f"the log is finished, with {received} bytes received; it takes no more")
        self.received = received


class LogOpen(ChunkStoreError):
    """The log may still grow, so it can be neither sealed nor redacted: finish it first."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} is not finished: what may still grow can be neither sealed nor redacted")
        self.key = key


class TextDiffers(ChunkStoreError):
    """The text is not the one that was there at the finish; it stays as it is, and is not sealed."""

    def __init__(self, path: Path, expected_sha256: str, sha256: str) -> None:
        super().__init__(
            f"{path} has SHA-256 {sha256}, at its finish it had {expected_sha256}: it was damaged or changed since; "
            "restore it from a backup"
        )
        self.path = path
        self.expected_sha256 = expected_sha256
        self.sha256 = sha256


class LogLocked(ChunkStoreError):
    """Another writer held the log for longer than one waits; send again."""

    def __init__(self, path: Path, waited_seconds: float) -> None:
        super().__init__(f"{path} was locked by another writer for {waited_seconds:g} s: try again")
        self.path = path


class Mismatch(ChunkStoreError):
    """What the writer says it sent is not what was received; the log stays as it was."""

    def __init__(
        self, expected_received: int | None, received: int, expected_sha256: str | None, sha256: str | None
    ) -> None:
        super().__init__(
            f"the writer says {_count_and_hash(expected_received, expected_sha256)}, "
            f"received were {_count_and_hash(received, sha256)}"
        )
        self.expected_received = expected_received
        self.received = received
        self.expected_sha256 = expected_sha256
        self.sha256 = sha256


class StorageDenied(ChunkStoreError, PermissionError):
    """The process may not read or write a log's files; nothing was stored, and nothing is lost."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(
            f"{path}: {detail}; nothing was stored: the server's user must be able to read and write there"
        )
        self.path = path


class StorageFull(ChunkStoreError):
    """The disk, the quota or the largest file size is reached; nothing was stored."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"{path}: {detail}; nothing was stored")
        self.path = path


def _count_and_hash(count: int | None, sha256: str | None) -> str:
    """Return what is known of a payload in words."""
    known = [f"{count} bytes"] if count is not None else []
    return " with ".join([*known, f"SHA-256 {sha256}" if sha256 is not None else "no SHA-256"])
