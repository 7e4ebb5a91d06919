"""What verification may find wrong with a log's files."""

from enum import StrEnum
from typing import NamedTuple


class Fault(StrEnum):
    """The kinds of faults, in the words of a report."""

    MISSING = "missing"  # neither an index nor a text
    NO_INDEX = "index-missing"
    NO_TEXT = "text-missing"
    BAD_INDEX = "index-unreadable"  # its header is none, so that nothing in it can be trusted
    SHORT_INDEX = "index-short"  # records that were on stable storage are not there
    DAMAGED = "damaged"  # records or their text contradict each other where they were on stable storage
    TORN = "torn-end"  # behind `synced`: what recovery cuts before the next append
    SEALED = "sealed-damaged"
    SEALED_DIFFERS = "sealed-differs"  # it decodes, to another text than the index speaks of
    SEALED_EARLY = "sealed-unfinished"  # sealed, but the index has no end: the two were copied at different times
    TEXT_LEFT = "text-left"  # beside a whole sealed file
    MARKS = "marks-damaged"  # they are made anew from the rest
    AWAY = "archive-away"
    UNREADABLE = "unreadable"  # the system does not let anybody read a file: its rights, or a broken disk


class Finding(NamedTuple):
    """One fault. `resume_offset` is the byte of the text from which reading can go on, where bytes cannot be read."""

    fault: Fault
    detail: str
    resume_offset: int | None = None
