"""The verbs of the command line: they put the rooms together and answer an exit code."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

from .api import ID_FORM, Api
from .arguments import BUILD_FIELDS, MASKED_BUILD_FIELDS
from .builds import BuildKeeper, begin_build, new_build
from .errors import SpoolUnavailable, UsageError
from .files import FileLog, log_name, open_file
from .heartbeat import Heartbeat
from .ledger import PENDING, open_ledger
from .leftovers import deliver_all
from .masking import DEFAULTS_VARIABLE, NAMES_VARIABLE, Mask, mask_of, masked_names
from .output import PassThrough
from .patience import Patience
from .plain import PlainCommand, pass_through
from .process import Ending, Manner
from .signals import SignalGate
from .steps import PipedStep, RecordedLog, RecordedStep, Services, new_step_log, results_of

if TYPE_CHECKING:
    import argparse

    from .configuration import Configuration

KEPT_PATIENCE_SECONDS = 2.0
"""A step whose `buildlogs build` lives leaves an undelivered log to it, instead of keeping the next step waiting."""

JOIN_SECONDS = 0.2
ABANDON_GRACE_SECONDS = 1.0
"""How long an interrupted or overdue request may still take before the agent leaves."""

UNDELIVERED_EXIT_CODE = 1
"""Of `flush` alone: no build waits for it, and whoever calls it wants to know."""


def report(message: str) -> None:
    """Say something to the people at the terminal, in one write, so that threads do not mix their lines."""
    PassThrough(2).write(f"buildlogs: {message}\n".encode(errors="replace"))


def perform(configuration: Configuration, options: argparse.Namespace) -> int:
    """Do as `options.verb` says; answers the exit code.

    Raises:
        UsageError: before anything has been started.
    """
    if options.verb in ("build", "run"):
        if not configuration.project:
            raise UsageError("which project? Use --project or BUILDLOGS_PROJECT")
    elif options.verb != "flush":
        _check_reference(configuration.build)
    if options.verb in ("log", "flush"):
        return _perform_alone(configuration, options)
    gate = SignalGate()
    try:
        session = Session(configuration, options, gate)
    except SpoolUnavailable as error:
        report(f"{error}: it runs without a log on the server")
        if options.verb == "pipe":
            return _pass_through(gate)
        manner, environment = _manner(options), dict(os.environ)
        return PlainCommand(options.command, environment, gate, manner, lambda: None, report).follow().exit_code
    if options.verb == "build":
        return session.build(session.begin_build(str(configuration.project)))
    if options.verb == "run":
        name = options.name or Path(options.command[0]).name
        return session.run(session.begin_build(str(configuration.project)), name)
    if options.verb == "pipe":
        return session.pipe(str(configuration.build))
    return session.step(str(configuration.build))


def _perform_alone(configuration: Configuration, options: argparse.Namespace) -> int:
    """`log` and `flush`, which run no command: signals end them, and what is not delivered stays in the spool."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if options.verb == "flush":
        try:
            return 0 if deliver_all(_services(configuration, Mask(), in_haste=True)) else UNDELIVERED_EXIT_CODE
        except SpoolUnavailable as error:
            raise UsageError(str(error)) from None
    name, descriptor = log_name(options.file, options.log_name), open_file(options.file)
    try:
        services = _services(configuration, _mask(configuration, options), in_haste=True)
        if services.ledger.is_kept(str(configuration.build)):
            services.patience.limit(KEPT_PATIENCE_SECONDS)
        log = FileLog(services, str(configuration.build), options.name, name, options.log_type)
    except (SpoolUnavailable, OSError) as error:
        report(f"the spool cannot be written ({error}): the file is not kept")
        return 0
    sending = _start_thread(log.deliver)
    log.read(descriptor, sending)
    _wait(sending, services)
    return 0


def _check_reference(reference: Optional[str]) -> None:
    if reference is None:
        raise UsageError("not inside a build: BUILDLOGS_BUILD is not set (see `buildlogs build` and `buildlogs run`)")
    identity = reference[len(PENDING) :] if reference.startswith(PENDING) else reference
    if not ID_FORM.fullmatch(identity):
        raise UsageError("BUILDLOGS_BUILD does not name a build: it holds what `buildlogs build` sets, or a build's id")


def _mask(configuration: Configuration, options: argparse.Namespace) -> Mask:
    names = masked_names(os.environ, options.mask)
    by_default = not options.no_default_masks and os.environ.get(DEFAULTS_VARIABLE) != "0"
    return mask_of(os.environ, names, by_default, configuration.token, report)


def _manner(options: argparse.Namespace) -> Manner:
    return Manner(getattr(options, "pty", False), options.timeout, getattr(options, "idle_timeout", None))


def _services(configuration: Configuration, mask: Mask, in_haste: bool = False) -> Services:
    """Raises SpoolUnavailable. With `in_haste` somebody waits from the beginning, not from a command's end on."""
    ledger = open_ledger(configuration.spool_directory)
    api = Api(configuration.server, configuration.token)

    def tell_away(reason: str) -> None:
        report(f"{api.server} is away ({reason}); output is kept in {ledger.directory} until it is back")

    patience = Patience(configuration.patience_seconds, tell_away)
    if in_haste:
        patience.command_ended()
    return Services(api, ledger, configuration.spool_limit_bytes, patience, mask, report)


class Session:
    """One call of the agent that runs or keeps something: the server, the spool, the signals, the wait at the end."""

    def __init__(self, configuration: Configuration, options: argparse.Namespace, gate: SignalGate) -> None:
        """Raises SpoolUnavailable where there is no place for a spool."""
        self._services = _services(configuration, _mask(configuration, options))
        self._ledger, self._patience = self._services.ledger, self._services.patience
        self._options = options
        self._gate = gate
        self._environment = dict(os.environ)
        names = masked_names(os.environ, options.mask)
        if names:
            self._environment[NAMES_VARIABLE] = ",".join(names)
        if options.no_default_masks:
            self._environment[DEFAULTS_VARIABLE] = "0"

    def begin_build(self, project: str) -> str:
        """What `BUILDLOGS_BUILD` is for the command, which also gets what it needs to reach server and spool."""
        options, api = self._options, self._services.api
        given = {name: getattr(options, name) for name in BUILD_FIELDS if getattr(options, name) is not None}
        masked = {name: self._services.mask.text(given[name]) for name in MASKED_BUILD_FIELDS if name in given}
        request = {"project": project, "builder": options.builder, **given, **masked}
        reference = begin_build(api, self._ledger, new_build(request, str(uuid.uuid4())), report)
        self._environment["BUILDLOGS_BUILD"] = reference
        self._environment["BUILDLOGS_SERVER"] = api.server
        self._environment["BUILDLOGS_SPOOL"] = str(self._ledger.directory)
        return reference

    def build(self, reference: str) -> int:
        """Run a build's command, whose output stays its own: the steps inside send theirs."""
        keeper = BuildKeeper(self._services, reference)
        command = self._plain_command()
        keeping = _start_thread(keeper.run)
        ending = command.follow()
        self._finish_build(keeper, keeping, ending)
        return ending.exit_code

    def step(self, reference: str) -> int:
        """Run a command as a step of a build that has begun."""
        step = self._launch(reference, self._options.name)
        if step is None:
            return self._plain_command().follow().exit_code
        return self._keep(reference, step.deliver, lambda: step.follow(self._gate.received).exit_code)

    def pipe(self, reference: str) -> int:
        """Keep what comes from a pipe as a step of a build that has begun."""
        log = self._new_log(reference, self._options.name)
        if log is None:
            return _pass_through(self._gate)
        step = PipedStep(log, self._options.name)
        self._gate.pass_on_to(step.send_signal, self._patience.abandon)
        return self._keep(reference, log.deliver, lambda: step.follow(self._options.results))

    def run(self, reference: str, name: str) -> int:
        """Run a command as the one step of a build."""
        step = self._launch(reference, name)
        if step is None:
            return self.build(reference)
        keeper = BuildKeeper(self._services, reference)
        sending, keeping = _start_thread(step.deliver), _start_thread(keeper.run)
        ending = step.follow(self._gate.received)
        if self._wait(sending) and step.settled:
            self._finish_build(keeper, keeping, ending)
        else:  # a finished build would not take the log any more
            keeper.leave(results_of(ending, self._gate.received))
        return ending.exit_code

    def _keep(self, reference: str, deliver: Callable[[], None], follow: Callable[[], int]) -> int:
        """Record, deliver, and wait, as a guest in somebody's build; answers what `follow` does."""
        heartbeat = Heartbeat(self._services.api, self._ledger, reference)
        if self._ledger.is_kept(reference):
            self._patience.limit(KEPT_PATIENCE_SECONDS)
        else:
            _start_thread(heartbeat.run)
        sending = _start_thread(deliver)
        exit_code = follow()
        self._wait(sending)
        heartbeat.end()
        return exit_code

    def _launch(self, reference: str, name: str) -> Optional[RecordedStep]:
        """A step whose command has been started; None, and nothing started, where the spool cannot be written."""
        log = self._new_log(reference, name)
        if log is None:
            return None
        step = RecordedStep(log)
        options = self._options
        step.launch(options.command, self._environment, self._gate, _manner(options), options.env_values)
        return step

    def _new_log(self, reference: str, name: str) -> Optional[RecordedLog]:
        try:
            return new_step_log(self._services, reference, name)
        except OSError as error:
            report(f"the spool cannot be written ({error}): step {name!r} runs without a log on the server")
            return None

    def _plain_command(self) -> PlainCommand:
        end_the_wait = self._patience.abandon
        command, manner = self._options.command, _manner(self._options)
        return PlainCommand(command, self._environment, self._gate, manner, end_the_wait, report)

    def _finish_build(self, keeper: BuildKeeper, keeping: threading.Thread, ending: Ending) -> None:
        results = results_of(ending, self._gate.received)
        keeper.end(results)
        self._patience.command_ended()
        self._wait(keeping)
        if not keeper.finished:
            keeper.leave(results)

    def _wait(self, work: threading.Thread) -> bool:
        self._gate.command_ended = True
        return _wait(work, self._services)


def _wait(work: threading.Thread, services: Services) -> bool:
    """Wait until it is done, the patience is exhausted, or somebody interrupts; whether it was done."""
    leave_at = float("inf")
    while work.is_alive() and time.monotonic() < leave_at:
        work.join(JOIN_SECONDS)
        if services.patience.exhausted:
            leave_at = min(leave_at, time.monotonic() + ABANDON_GRACE_SECONDS)
        else:
            leave_at = float("inf")
    if work.is_alive():
        report(f"not all is delivered; what is not is kept in {services.ledger.directory}")
    return not work.is_alive()


def _pass_through(gate: SignalGate) -> int:
    """`pipe` without a spool is cat(1), which signals end."""
    gate.open_in_child()
    return pass_through()


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
