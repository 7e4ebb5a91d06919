"""What can go wrong in looking after logs. Each error says what was wrong, with what, and what to do."""

from __future__ import annotations


class UpkeepError(Exception):
    """Any refusal of this room; catch this one to catch them all."""


class TooLarge(UpkeepError):
    """A file unpacks to more than one is ready to store."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"the file unpacks to more than {max_bytes} bytes; --max-size takes another limit")


class SuspiciousRatio(UpkeepError):
    """A file unpacks to so many times its size that it is taken for a decompression bomb."""

    def __init__(self, packed: int, unpacked: int, max_ratio: int) -> None:
        super().__init__(
            f"{packed} bytes unpack to {unpacked} and more, over {max_ratio} times as many: this looks like a "
            "decompression bomb. If it is none, --max-ratio takes another limit"
        )


class DamagedArchive(UpkeepError):
    """A compressed file that its own format's reader refuses."""

    def __init__(self, coding: str, position: int, detail: str) -> None:
        super().__init__(f"the {coding} file is damaged or cut short behind byte {position} of its content: {detail}")


class ImportStopped(UpkeepError):
    """An import that came to an end before the file's; says what is stored by now, and the cause is chained."""

    def __init__(self, cause: Exception, received: int, log_id: int | None) -> None:
        kept = (
            "nothing was stored"
            if log_id is None
            else f"log {log_id} holds {received} bytes of output and stays open: the same import goes on from there"
        )
        super().__init__(f"{cause}; {kept}")
        self.received = received
        self.log_id = log_id


class UnknownLog(UpkeepError):
    """A log was asked for by an id or a key that no row has."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no log {name!r}: give its id, or its storage key as it stands in the data directory"
        )


class NoSuchLines(UpkeepError):
    """Lines were named that a log does not have."""

    def __init__(self, start: int, end: int, lines: int) -> None:
        super().__init__(f"the log has {lines} lines: {start} to {end} are not among them")


class Pinned(UpkeepError):
    """A build that somebody pinned, so that nobody deletes it."""

    def __init__(self) -> None:
        super().__init__("the build is pinned: unpin it first")


class BeingDeleted(UpkeepError):
    """A build whose deletion has begun: there is no way back."""

    def __init__(self) -> None:
        super().__init__("the build is being deleted, and some of its files are gone")


class StillOpen(UpkeepError):
    """What is still being written, or may yet be, is not deleted."""

    def __init__(self, noun: str) -> None:
        super().__init__(f"the {noun} is not finished: finish it, or close it as abandoned, first")


class AlreadySo(UpkeepError):
    """What is asked for is so already, or has no meaning for this log or build; says which of them."""


class NotYet(UpkeepError):
    """Something else has to be done first; says what."""


class WriterHeard(UpkeepError):
    """A build whose writer lives is not closed over its head."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"its writer was heard {seconds:.0f} s ago: stop it, or wait until it has been silent for two minutes"
        )


class NotEmpty(UpkeepError):
    """A project with builders, or a builder with builds: their logs lie on disk."""

    def __init__(self, noun: str, content: str) -> None:
        super().__init__(f"the {noun} still has {content}: delete them first, so that their files go with them")


class TooMany(UpkeepError):
    """More is asked for than one act takes on."""

    def __init__(self, what: str, most: str) -> None:
        super().__init__(f"that is more than {most} {what} at once: choose fewer, or narrow the list down first")


class Unverified(UpkeepError):
    """A log in which verification found something wrong; says what, and what to do."""

    def __init__(self, findings: int, first: str) -> None:
        more = f" and {findings - 1} more" if findings > 1 else ""
        super().__init__(f"{first}{more}; `manage.py verifylogs` says all of it, and --repair puts right what can be")
