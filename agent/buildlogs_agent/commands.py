"""The commands `build`, `step` and `run`: they put the rooms together and answer an exit code."""

from __future__ import annotations

import os
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

from .api import ID_FORM, Api
from .arguments import BUILD_FIELDS
from .builds import BuildKeeper, begin_build, new_build
from .errors import CommandNotStarted, SpoolUnavailable, UsageError
from .ledger import PENDING, open_ledger
from .patience import Patience
from .process import Ending, PassThrough, ending_of, start
from .signals import SignalGate
from .steps import RecordedStep, results_of

if TYPE_CHECKING:
    import argparse
    import subprocess
    from collections.abc import Sequence

    from .configuration import Configuration

KEPT_PATIENCE_SECONDS = 2.0
"""A step whose `buildlogs build` lives leaves an undelivered log to it, instead of keeping the next step waiting."""

JOIN_SECONDS = 0.2
ABANDON_GRACE_SECONDS = 1.0
"""How long an interrupted or overdue request may still take before the agent leaves."""


def report(message: str) -> None:
    """Say something to the people at the terminal, in one write, so that threads do not mix their lines."""
    PassThrough(2).write(f"buildlogs: {message}\n".encode(errors="replace"))


def perform(configuration: Configuration, options: argparse.Namespace) -> int:
    """Run the command as `options.verb` says; answers its exit code.

    Raises:
        UsageError: before the command has been started.
    """
    if options.verb != "step" and not configuration.project:
        raise UsageError("which project? Use --project or BUILDLOGS_PROJECT")
    if options.verb == "step":
        _check_reference(configuration.build)
    try:
        session = Session(configuration)
    except SpoolUnavailable as error:
        report(f"{error}: the command runs without a log on the server")
        return PlainCommand(options.command, dict(os.environ), SignalGate(), lambda: None).follow().exit_code
    if options.verb == "build":
        return session.build(session.begin_build(options, str(configuration.project)), options.command)
    if options.verb == "run":
        name = options.name or Path(options.command[0]).name
        return session.run(session.begin_build(options, str(configuration.project)), name, options.command)
    return session.step(str(configuration.build), options.name, options.command)


def _check_reference(reference: Optional[str]) -> None:
    if reference is None:
        raise UsageError("not inside a build: BUILDLOGS_BUILD is not set (see `buildlogs build` and `buildlogs run`)")
    identity = reference[len(PENDING) :] if reference.startswith(PENDING) else reference
    if not ID_FORM.fullmatch(identity):
        raise UsageError("BUILDLOGS_BUILD does not name a build: it holds what `buildlogs build` sets, or a build's id")


class Session:
    """One call of the agent: the server, the spool, the signals, and the wait at the end."""

    def __init__(self, configuration: Configuration) -> None:
        """Raises SpoolUnavailable where there is no place for a spool."""
        self._ledger = open_ledger(configuration.spool_directory)
        self._api = Api(configuration.server, configuration.token)
        self._limit_bytes = configuration.spool_limit_bytes
        self._environment = dict(os.environ)
        self._patience = Patience(configuration.patience_seconds, self._tell_away)
        self._gate = SignalGate()

    def begin_build(self, options: argparse.Namespace, project: str) -> str:
        """What `BUILDLOGS_BUILD` is for the command, which also gets what it needs to reach server and spool."""
        given = {name: getattr(options, name) for name in BUILD_FIELDS if getattr(options, name) is not None}
        request = {"project": project, "builder": options.builder, **given}
        reference = begin_build(self._api, self._ledger, new_build(request, str(uuid.uuid4())), report)
        self._environment["BUILDLOGS_BUILD"] = reference
        self._environment["BUILDLOGS_SERVER"] = self._api.server
        self._environment["BUILDLOGS_SPOOL"] = str(self._ledger.directory)
        return reference

    def build(self, reference: str, argv: Sequence[str]) -> int:
        """Run a build's command, whose output stays its own: the steps inside send theirs."""
        keeper = BuildKeeper(self._api, self._ledger, reference, self._patience, report)
        command = PlainCommand(argv, self._environment, self._gate, self._patience.abandon)
        keeping = _start_thread(keeper.run)
        ending = command.follow()
        self._finish_build(keeper, keeping, ending)
        return ending.exit_code

    def step(self, reference: str, name: str, argv: Sequence[str]) -> int:
        """Run a command as a step of a build that has begun."""
        if self._ledger.is_kept(reference):
            self._patience.limit(KEPT_PATIENCE_SECONDS)
        step = self._launch(reference, name, argv)
        if step is None:
            return PlainCommand(argv, self._environment, self._gate, self._patience.abandon).follow().exit_code
        sending = _start_thread(step.deliver)
        ending = step.follow(self._gate.received)
        self._wait(sending)
        return ending.exit_code

    def run(self, reference: str, name: str, argv: Sequence[str]) -> int:
        """Run a command as the one step of a build."""
        step = self._launch(reference, name, argv)
        if step is None:
            return self.build(reference, argv)
        keeper = BuildKeeper(self._api, self._ledger, reference, self._patience, report)
        sending, keeping = _start_thread(step.deliver), _start_thread(keeper.run)
        ending = step.follow(self._gate.received)
        if self._wait(sending):
            self._finish_build(keeper, keeping, ending)
        return ending.exit_code

    def _launch(self, reference: str, name: str, argv: Sequence[str]) -> Optional[RecordedStep]:
        """A step whose command has been started; None, and nothing started, where the spool cannot be written."""
        try:
            step = RecordedStep(self._api, self._ledger, reference, name, self._limit_bytes, self._patience, report)
        except OSError as error:
            report(f"the spool cannot be written ({error}): {argv[0]} runs without a log on the server")
            return None
        step.launch(argv, self._environment, self._gate)
        return step

    def _finish_build(self, keeper: BuildKeeper, keeping: threading.Thread, ending: Ending) -> None:
        keeper.end(results_of(ending, self._gate.received))
        self._patience.command_ended()
        self._wait(keeping)

    def _wait(self, work: threading.Thread) -> bool:
        """Wait until it is done, the patience is exhausted, or somebody interrupts; whether it was done."""
        self._gate.command_ended = True
        leave_at = float("inf")
        while work.is_alive() and time.monotonic() < leave_at:
            work.join(JOIN_SECONDS)
            if self._patience.exhausted:
                leave_at = min(leave_at, time.monotonic() + ABANDON_GRACE_SECONDS)
            else:
                leave_at = float("inf")
        if work.is_alive():
            report(f"not all is delivered; what is not is kept in {self._ledger.directory}")
        return not work.is_alive()

    def _tell_away(self, reason: str) -> None:
        report(f"{self._api.server} is away ({reason}); output is kept in {self._ledger.directory} until it is back")


class PlainCommand:
    """A running command whose output is its own."""

    def __init__(
        self,
        argv: Sequence[str],
        environment: dict[str, str],
        gate: SignalGate,
        end_the_wait: Callable[[], None],
    ) -> None:
        """Start it. What cannot be started is told to the people at the terminal, and by `follow`."""
        self._started = time.monotonic()
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._exit_code = 0
        try:
            self._process = start(argv, environment, gate, piped=False)
        except CommandNotStarted as error:
            report(str(error))
            self._exit_code = error.exit_code
        else:
            gate.pass_on_to(self._process, end_the_wait)
            PassThrough(1).close()  # the command has it now

    def follow(self) -> Ending:
        """Wait for its end."""
        if self._process is None:
            return Ending(self._exit_code, None, time.monotonic() - self._started)
        return ending_of(self._process, self._started)


def _start_thread(work: Callable[[], None]) -> threading.Thread:
    def tell_its_end() -> None:
        try:
            work()
        except Exception as error:  # a fault of the agent's own: said in a line, and the command runs on
            report(f"delivery ended: {type(error).__name__}: {error}; what is not delivered stays in the spool")

    thread = threading.Thread(target=tell_its_end, name="delivery", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # the limit of processes is reached; a thread that has not begun is not waited for
        report(f"nothing can be delivered: {error}; output stays in the spool")
    return thread
