"""Small JSON files beside the spooled bytes: which build, step and log they belong to, and how it ended.

    builds/<key>.json        a build that this machine began: the request that creates it, its id, its results
    builds/<key>.steps       a line for each step that began in a build: number, name, id if a log that joins it knows
    builds/<key>.keeper      held (flock) by the `buildlogs build` that will deliver what its steps leave behind
    logs/<uuid>/state.json   a log: where it belongs, and once the command has ended the results, byte count and hash
    logs/<uuid>/lock         held (flock) by the process that sends this log
    logs/<uuid>/*.chunks     its bytes (see `spool`)

Nothing here holds the token.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import tempfile
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Optional

from .api import Id
from .errors import SpoolUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .upload import Report

PENDING = "pending:"
"""`BUILDLOGS_BUILD` of a build whose id the server has not told yet: this, and the name of its file here."""


@dataclass
class BuildEntry:
    """A build: known by its id, or by the request that creates it.

    Attributes:
        reference: what `BUILDLOGS_BUILD` holds: the id, or `pending:` and a uuid.
        request: body of `POST /builds`, or None where only the id is known.
        refused: why the server will not have this build, or None.
        results: Buildbot's word, once the build has ended and the server is still to be told.
        server: whose build it is; empty where nobody has written that down.
    """

    reference: str
    id: Optional[Id] = None
    request: Optional[dict[str, Any]] = None
    refused: Optional[str] = None
    results: Optional[str] = None
    server: str = ""

    @property
    def names(self) -> set[str]:
        """What its logs may call it."""
        return {self.reference} if self.id is None else {self.reference, str(self.id)}


class StepEntry(NamedTuple):
    """A step that an agent of this machine began; `id` where a log that joined it came first and created it."""

    number: int
    name: Optional[str]
    id: Optional[Id]


@dataclass
class LogEntry:
    """A log of a step, and what is still to be told to the server about it.

    Attributes:
        results: the step's, once the command has ended; Buildbot's word.
        received: payload bytes of the log, once it is complete.
        sha256: of all payload; None while the command runs, and where bytes were dropped.
        log_type: `stdio`, `text` or `html`.
        attached: whether the step is another process's, which also finishes it.
        failed: why the process that sends it will not deliver it; None while it may.
    """

    server: str
    build: str
    step_name: str
    step_number: Optional[int]
    log_name: str = "stdio"
    step: Optional[Id] = None
    log: Optional[Id] = None
    results: Optional[str] = None
    received: Optional[int] = None
    sha256: Optional[str] = None
    log_type: str = "stdio"
    attached: bool = False
    failed: Optional[str] = None


class LeftLogs(NamedTuple):
    """What lies in the spool directory.

    Attributes:
        logs: directories and entries of those that are to be delivered by whoever asked.
        in_work: those that a living process delivers.
        elsewhere: those for another server.
        unreadable: directories of which nobody knows what they hold.
    """

    logs: list[tuple[Path, LogEntry]]
    in_work: list[tuple[Path, LogEntry]]
    elsewhere: list[LogEntry]
    unreadable: list[Path]


@dataclass
class Ledger:
    """The spool directory."""

    directory: Path
    _locks: list[int] = field(default_factory=list)

    def save_build(self, build: BuildEntry) -> None:
        """Write the build's file."""
        _write_json(self._build_path(build.reference), asdict(build))

    def load_build(self, reference: str) -> BuildEntry:
        """The build that `BUILDLOGS_BUILD` names; with its id or `refused` as far as this machine knows them."""
        if not reference.startswith(PENDING):
            return BuildEntry(reference, id=reference)
        try:
            return BuildEntry(**json.loads(self._build_path(reference).read_text()))
        except (OSError, ValueError, TypeError):
            return BuildEntry(reference, refused=f"{self._build_path(reference)} cannot be read")

    def forget_build(self, reference: str) -> bool:
        """Delete the files of a build that has finished; False, and they stay, where a log that is left needs them."""
        for path in (self.directory / "logs").glob("*"):
            with contextlib.suppress(OSError, ValueError, TypeError):
                if _read_log(path).build == reference:
                    return False
        for kind in ("json", "steps", "keeper"):
            self._build_path(reference, kind).unlink(missing_ok=True)
        builds = self.directory / "builds"
        for unfinished in builds.glob(f".{_file_name(reference)}.*"):  # of agents that ended in the middle of writing
            unfinished.unlink(missing_ok=True)
        return True

    def keep_build(self, reference: str) -> None:
        """Say that this process will deliver what the build's steps leave behind."""
        self._lock_file(self._build_path(reference, "keeper"))

    def is_kept(self, reference: str) -> bool:
        """Whether a living process has said so."""
        path = self._build_path(reference, "keeper")
        try:
            if not path.exists():
                return False
            if not self._lock_file(path):
                return True
        except OSError:  # a file that cannot be opened: whoever asks must see to its log itself
            return False
        os.close(self._locks.pop())  # held on, it would pass for a keeper in the eyes of the steps beside this one
        return False

    def next_step_number(self, reference: str, name: Optional[str] = None) -> int:
        """A number that no other step of this build on this machine has got, from 1; `name` is what it is for."""
        with self._steps(reference) as register:
            number = max((step.number for step in _read_steps(register)), default=0) + 1
            _write_step(register, StepEntry(number, name, None))
        return number

    def note_step(self, reference: str, step: StepEntry) -> None:
        """Remember the id of a step that its own agent has not brought to the server yet."""
        with self._steps(reference) as register:
            _write_step(register, step)

    def find_step(
        self, reference: str, name: Optional[str] = None, number: Optional[int] = None
    ) -> Optional[StepEntry]:
        """The last step that began on this machine with that name, or the one with that number."""
        with self._steps(reference) as register:
            found = {step.number: step for step in _read_steps(register)}  # what was noted last counts
        wanted = [step for step in found.values() if number in (None, step.number) and name in (None, step.name)]
        return max(wanted, key=lambda step: step.number, default=None)

    @contextlib.contextmanager
    def _steps(self, reference: str) -> Iterator[IO[str]]:
        """The build's file of steps, locked."""
        path = self._build_path(reference, "steps")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+", encoding="latin-1") as register:
            fcntl.flock(register, fcntl.LOCK_EX)
            yield register

    def new_log(self) -> Path:
        """A new directory for a log, locked by this process."""
        path = self.directory / "logs" / str(uuid.uuid4())
        path.mkdir(mode=0o700)
        self.lock(path)
        return path

    def lock(self, path: Path) -> bool:
        """Take a log for this process until it ends; False where another process has it."""
        return self._lock_file(path / "lock")

    @contextlib.contextmanager
    def locked(self, path: Path) -> Iterator[bool]:
        """Hold a log for as long as the block lasts; whether it could be had: another process may, or have sent it."""
        try:
            descriptor = _lock(path / "lock")
        except FileNotFoundError:
            descriptor = None
        try:
            yield descriptor is not None
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _lock_file(self, path: Path) -> bool:
        descriptor = _lock(path)
        if descriptor is not None:
            self._locks.append(descriptor)
        return descriptor is not None

    def load_log(self, path: Path) -> LogEntry:
        """A log's state; raises OSError, or ValueError or TypeError where its file is malformed."""
        return _read_log(path)

    def is_owed(self, path: Path) -> bool:
        """Whether the server is still to be told that there is this log; it takes none of a finished build."""
        try:
            log = _read_log(path)
        except (OSError, ValueError, TypeError):  # delivered and deleted just now, or beyond help
            return False
        return log.log is None and log.failed is None

    def save_log(self, path: Path, log: LogEntry) -> None:
        """Write a log's state."""
        _write_json(path / "state.json", asdict(log))

    def left_logs(self, server: str, report: Report, references: Optional[set[str]] = None) -> LeftLogs:
        """Logs for `server` whose own process has ended without delivering them.

        They are not held: a machine may have more of them than a process may have descriptors. All of them, or those
        of one build. Logs that join a step come after the steps. One that cannot be read is
        reported and left where it is: nobody can know which build it belongs to.
        """
        left = LeftLogs([], [], [], [])
        for path in self._log_directories(report):
            try:
                log = _read_log(path)
                if references is not None and log.build not in references:
                    continue
                if log.server != server:
                    left.elsewhere.append(log)
                    continue
                with self.locked(path) as free:
                    if free:
                        left.logs.append((path, log))
                    else:
                        left.in_work.append((path, log))
            except FileNotFoundError:
                continue  # being created, or delivered and deleted just now
            except (OSError, ValueError, TypeError) as error:
                report(f"the spool {path} cannot be read, and is left as it is: {error}")
                left.unreadable.append(path)
        left.logs.sort(key=lambda found: (found[1].attached, found[1].step_number or 0))
        return left

    def reconsider_builds(self) -> None:
        """Forget that builds were refused: whatever the reason was, somebody thinks it is gone."""
        for build in self._builds_of_nobody():
            if build.refused is not None:
                build.refused = None
                self.save_build(build)

    def left_builds(self) -> list[BuildEntry]:
        """Builds that have ended without the server being told, and that no living process has."""
        return [build for build in self._builds_of_nobody() if build.results is not None]

    def _builds_of_nobody(self) -> Iterator[BuildEntry]:
        for path in sorted((self.directory / "builds").glob("*.json")):
            with contextlib.suppress(OSError, ValueError, TypeError):  # finished just now; or torn by a crash
                build = BuildEntry(**json.loads(path.read_text()))
                if not self.is_kept(build.reference):
                    yield build

    def _log_directories(self, report: Report) -> list[Path]:
        try:
            return sorted((self.directory / "logs").iterdir())
        except OSError as error:
            report(f"the spool directory cannot be read, what steps left there is not delivered: {error}")
            return []

    def _build_path(self, reference: str, kind: str = "json") -> Path:
        return self.directory / "builds" / f"{_file_name(reference)}.{kind}"


def open_ledger(wanted: Path | None) -> Ledger:
    """The first place that can be written: `wanted`, or the user's cache, or a directory in the temporary one.

    Raises:
        SpoolUnavailable: none can.
    """
    temporary = _temporary_place()
    places = [place for place in (wanted or _cache_place(), temporary) if place is not None]
    for place in places:
        try:
            for room in ("logs", "builds"):
                (place / room).mkdir(mode=0o700, parents=True, exist_ok=True)
            foreign = place == temporary and place.stat().st_uid != os.getuid()
            if not foreign and os.access(place / "logs", os.W_OK | os.X_OK):
                return Ledger(place)
        except OSError:
            continue
    raise SpoolUnavailable(f"no spool directory can be written: tried {', '.join(map(str, places)) or 'none'}")


def _cache_place() -> Optional[Path]:
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "buildlogs" / "spool"
    except (RuntimeError, KeyError):  # no HOME, and a user on no list (containers with any uid); 3.9 has the KeyError
        return None


def _temporary_place() -> Optional[Path]:
    try:
        return Path(tempfile.gettempdir()) / f"buildlogs-spool-{os.getuid()}"
    except OSError:  # nothing can be written anywhere
        return None


def _lock(path: Path) -> Optional[int]:
    """A descriptor that holds the lock until it is closed, or None where another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _read_steps(register: IO[str]) -> Iterator[StepEntry]:
    """The steps in a build's file; lines that a crash tore are passed over, and so are numbers that are taken."""
    for line in register:
        with contextlib.suppress(ValueError, TypeError):
            step = StepEntry(*json.loads(line))
            if isinstance(step.number, int):
                yield step


def _write_step(register: IO[str], step: StepEntry) -> None:
    register.seek(0, os.SEEK_END)
    register.write(f"\n{json.dumps(step)}\n")  # begins on a line of its own, also after a torn one


def _read_log(path: Path) -> LogEntry:
    """The log in `path`; raises OSError, or ValueError or TypeError where its file is malformed."""
    log = LogEntry(**json.loads((path / "state.json").read_text()))
    if not isinstance(log.build, str) or not isinstance(log.results, (str, type(None))):
        raise ValueError("state.json holds values of wrong types")
    return log


def _file_name(reference: str) -> str:
    """A reference as a file name, different for different references whatever they hold."""
    readable = re.sub(r"[^A-Za-z0-9-]", "-", reference)[:60]
    return f"{readable}-{hashlib.sha256(reference.encode(errors='surrogateescape')).hexdigest()[:8]}"


def _write_json(path: Path, content: dict[str, Any]) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as stream:
            json.dump(content, stream)
        Path(name).replace(path)
    except OSError:  # a full disk is not to be filled with attempts
        Path(name).unlink(missing_ok=True)
        raise
