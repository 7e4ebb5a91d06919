"""Checking a log's files from end to end, in bounded memory, while it may be written. Nothing here changes a file.

Every record's fields are checked as recovery checks them, every extent against its CRC, and the text is hashed on the
way. Damage is passed over to the next record that is whole by itself, so that a report names all of it.
"""

import hashlib
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress

from logviewer.chunkstore.archive import Archive
from logviewer.chunkstore.digest import Digests
from logviewer.chunkstore.errors import ArchiveAway, CorruptIndex, CorruptSealed, LogLocked
from logviewer.chunkstore.findings import Fault, Finding
from logviewer.chunkstore.index import Index
from logviewer.chunkstore.keys import LogFiles
from logviewer.chunkstore.lock import lock, unlock
from logviewer.chunkstore.marks_file import MarksFile
from logviewer.chunkstore.record import RECORD_BYTES, Flags, Record, crc_of_fields, unpack_record
from logviewer.chunkstore.sealed import SealedText
from logviewer.chunkstore.shapes import Form, LogEnd
from logviewer.chunkstore.sources import LocalFile, Source
from logviewer.chunkstore.state import State, advance
from logviewer.chunkstore.window import WINDOW_BYTES, Window

LOCK_WAIT_SECONDS = 1.0
"""For a look at the end of a log that does not end with its last record: an append under way, or a torn one."""

READ = os.O_RDONLY | os.O_CLOEXEC


class Verification:
    """One log's check. Afterwards `form`, `end`, `digests` and `stored_bytes` say what was found.

    `end` and `digests` are None where damage leaves them unknown; `form` is None where there is no text.
    """

    def __init__(self, files: LogFiles, archive: Archive | None = None) -> None:
        self.files = files
        self.form: Form | None = None
        self.end: LogEnd | None = None
        self.digests: Digests | None = None
        self.stored_bytes = 0
        self._archive = archive
        self._state = State()
        self._whole = True
        self._text_hash = hashlib.sha256()
        self._payload_hash = self._text_hash  # the same until a notice comes

    def findings(self) -> Iterator[Finding]:
        """Check everything, and yield what is wrong."""
        with ExitStack() as opened:
            try:
                yield from self._check(opened)
            except ArchiveAway as error:
                self._whole = False
                yield Finding(Fault.AWAY, str(error))
            except OSError as error:
                self._whole = False
                yield Finding(Fault.UNREADABLE, f"{error.filename or self.files.key}: {error.strerror}")
        if self._whole:
            self.end = self._state.end()
            lacks = self._state.omitted or self._state.truncated  # as digest_log has it
            payload = None if lacks else self._payload_hash.hexdigest()
            self.digests = Digests(payload, self._text_hash.hexdigest())

    def _check(self, opened: ExitStack) -> Iterator[Finding]:
        index_source = self._open_index(opened)
        text, text_fault = self._open_text(opened)
        if self.form is Form.PLAIN and not isinstance(index_source, LocalFile):
            index_source = None  # one in the archive belongs to a sealed text
        if index_source is None or text is None:
            self._whole = False
            yield text_fault or _missing(self.files, index_source, text)
            return
        index = Index(self.files.index, index_source)
        try:
            synced = index.synced()
        except CorruptIndex as error:
            self._whole = False
            yield Finding(Fault.BAD_INDEX, error.detail)
            return
        count = index.count()
        if count < synced:
            self._whole = False
            yield Finding(Fault.SHORT_INDEX, f"it has {count} records, of which {synced} were on stable storage")
        stable = synced if self.form is Form.PLAIN else count
        yield from self._check_records(index, Window(text), count, stable)
        if isinstance(index_source, LocalFile) and self.form is Form.PLAIN:
            yield from self._check_plain_end(index, index_source, text)
            yield from self._check_sealed_beside(index, opened)
        yield from self._check_marks(index, opened)
        if self.form is Form.PLAIN:
            return
        if not self._state.finished:
            yield Finding(Fault.SEALED_EARLY, "it is sealed, but its index has no end record")
        elif self._whole and text.size() != self._state.size:
            self._whole = False
            yield Finding(
                Fault.SEALED_DIFFERS, f"it holds {text.size()} bytes of text, the index says {self._state.size}"
            )

    def _check_records(self, index: Index, text: Window, count: int, stable: int) -> Iterator[Finding]:
        """Advance over all records, and over damage to what was on stable storage; stop at a torn end."""
        damage: tuple[int, int, str] | None = None  # the record it begins with, the offset, and what is wrong
        for first, slab in index.slabs(0, count):
            for place in range(0, len(slab), RECORD_BYTES):
                packed = slab[place : place + RECORD_BYTES]
                record = unpack_record(packed)
                extent, unreadable = text.extent(record)
                fault = ""
                if damage is None:
                    fault = self._take(packed, record, extent)
                    if not fault:
                        continue
                number = first + place // RECORD_BYTES
                if damage is None:
                    if number >= stable:
                        return
                    damage = (number, self._state.size, unreadable or fault)
                    self._whole = False
                if self._start_again(number, packed, record, extent):
                    yield _damaged(damage, number, record.offset)
                    damage = None
        if damage is not None:
            yield _damaged(damage, count, None)

    def _take(self, packed: bytes, record: Record, extent: bytes) -> str:
        """Go on over one record; say what is wrong with it, empty if nothing is."""
        self._state, fault = advance(self._state, packed, extent)
        if not fault:
            if record.flags & Flags.NOTICE and self._payload_hash is self._text_hash:
                self._payload_hash = self._text_hash.copy()
            self._text_hash.update(extent)
            if not record.flags & Flags.NOTICE and self._payload_hash is not self._text_hash:
                self._payload_hash.update(extent)
        return fault

    def _start_again(self, number: int, packed: bytes, record: Record, extent: bytes) -> bool:
        """Go on behind damage with a record that is whole by itself; its own fields say where the log stands there."""
        whole = len(extent) == record.length and zlib.crc32(extent, crc_of_fields(packed)) == record.crc32
        if not whole or record.offset < self._state.size:
            return False
        counted = 0 if record.flags & (Flags.NOTICE | Flags.DROPPED) else record.length
        before = State(
            records=number, size=record.offset, newlines=record.line, received=max(0, record.received - counted)
        )
        state, fault = advance(before, packed, extent)
        if not fault:
            self._state = state
        return not fault

    def _check_plain_end(self, index: Index, index_file: LocalFile, text: Source) -> Iterator[Finding]:
        """See that nothing lies behind the last whole record, unless an append is under way that will end well."""
        if self._ends_with_state(index, text):
            return
        if not self._whole and (self._state.records < index.synced() or text.size() < self._state.size):
            return  # what is missing was on stable storage, and was named
        with suppress(LogLocked):  # somebody is at it all the time: the log lives
            lock(index_file.fd, self.files.index, time.monotonic() + LOCK_WAIT_SECONDS)
            try:
                fault = self._follow(index, text)
                if self._ends_with_state(index, text):
                    return
                index_size, text_size = index.source.size(), text.size()
                behind = index_size - self._state.index_size, text_size - self._state.size
            finally:
                unlock(index_file.fd)
            yield Finding(
                Fault.TORN,
                f"{behind[0]} bytes of index and {behind[1]} of text do not belong to the log's "
                f"{self._state.records} whole records ({fault or 'an append was torn'})",
            )

    def _follow(self, index: Index, text: Source) -> str:
        """Go on over records that came since the look at the count; the caller holds the log's lock."""
        window = Window(text)
        for _first, slab in index.slabs(self._state.records, index.count()):
            for place in range(0, len(slab), RECORD_BYTES):
                packed = slab[place : place + RECORD_BYTES]
                record = unpack_record(packed)
                if fault := self._take(packed, record, window.extent(record)[0]):
                    return fault
        return ""

    def _ends_with_state(self, index: Index, text: Source) -> bool:
        return index.source.size() == self._state.index_size and text.size() == self._state.size

    def _check_sealed_beside(self, index: Index, opened: ExitStack) -> Iterator[Finding]:
        """Look at a sealed file that lies beside the text: whole, it makes the text superfluous; else it goes."""
        with suppress(FileNotFoundError):
            source = LocalFile(os.open(self.files.sealed, READ))
            opened.callback(source.close)
            try:
                digest = _sha256(SealedText(source, self.files.sealed.name))
            except CorruptSealed as error:
                yield Finding(Fault.SEALED, f"{error}; the text itself is there")
                return
            if not self.files.text.exists() or index.count() > self._state.records:
                return  # finished and sealed this moment
            if not self._state.finished:
                yield Finding(Fault.SEALED_EARLY, "there is a sealed file beside the text, but no end record")
            elif self._whole and digest == self._text_hash.hexdigest():
                yield Finding(Fault.TEXT_LEFT, "the text still lies beside its sealed file, which is whole")
            else:
                yield Finding(Fault.SEALED_DIFFERS, "the sealed file beside the text holds another text")

    def _check_marks(self, index: Index, opened: ExitStack) -> Iterator[Finding]:
        """Look at the checkpoints that lie here, all but the last, which may be under way."""
        with suppress(FileNotFoundError):
            source = LocalFile(os.open(self.files.marks, READ))
            opened.callback(source.close)
            if not self._state.records or source.size() == 0:
                return
            marks = MarksFile(source, index)
            for number in range(marks.count() - 1):
                if marks.read(number) is None and number < marks.count() - 1:  # else it was cut meanwhile
                    yield Finding(Fault.MARKS, f"checkpoint {number} of {marks.count()} is damaged")
                    return

    def _open_index(self, opened: ExitStack) -> Source | None:
        with suppress(FileNotFoundError, NotADirectoryError):
            source = LocalFile(os.open(self.files.index, READ))
            opened.callback(source.close)
            return source
        return self._open_archived(".idx", opened)

    def _open_text(self, opened: ExitStack) -> tuple[Source | None, Finding | None]:
        """Open the text in the form it lies in; None, and the fault if there is more to say than that it is missing."""
        sealed: Source | None = None
        for path, form in (
            (self.files.text, Form.PLAIN),
            (self.files.sealed, Form.SEALED),
            (self.files.text, Form.PLAIN),
        ):
            with suppress(FileNotFoundError, NotADirectoryError):  # again: it may have been sealed in between
                source = LocalFile(os.open(path, READ))
                opened.callback(source.close)
                self.form = form
                if form is Form.PLAIN:
                    return source, None
                sealed = source
                break
        if sealed is None:
            sealed = self._open_archived(".log.zst", opened)
            if sealed is None:
                return None, None
            self.form = Form.ARCHIVED
        self.stored_bytes = sealed.size()
        try:
            return SealedText(sealed, self.files.sealed.name), None
        except CorruptSealed as error:
            return None, Finding(Fault.SEALED, str(error))

    def _open_archived(self, suffix: str, opened: ExitStack) -> Source | None:
        if self._archive is None:
            return None
        try:
            source = self._archive.open(f"{self.files.key}{suffix}")
        except FileNotFoundError:
            return None
        opened.callback(source.close)
        return Window(source)


def _missing(files: LogFiles, index: Source | None, text: Source | None) -> Finding:
    if index is None and text is None:
        return Finding(Fault.MISSING, f"{files.index.name} and its text are not there")
    if index is None:
        return Finding(Fault.NO_INDEX, f"{files.index.name} is not there; the text is, and can be read as a file")
    return Finding(Fault.NO_TEXT, f"neither {files.text.name} nor {files.sealed.name} is there")


def _damaged(damage: tuple[int, int, str], number: int, resume_offset: int | None) -> Finding:
    first, offset, reason = damage
    records = f"records {first} to {number - 1}" if number > first + 1 else f"record {first}"
    goes_on = "nothing behind can be read" if resume_offset is None else f"reading goes on from byte {resume_offset}"
    return Finding(Fault.DAMAGED, f"{records}, from byte {offset} of the text: {reason}; {goes_on}", resume_offset)


def _sha256(text: Source) -> str:
    digest = hashlib.sha256()
    offset = 0
    while piece := text.read(offset, WINDOW_BYTES):
        digest.update(piece)
        offset += len(piece)
    return digest.hexdigest()
