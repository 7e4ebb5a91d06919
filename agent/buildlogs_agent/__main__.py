"""Entry point of the console script `buildlogs` and of `python -m buildlogs_agent`."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from typing import TYPE_CHECKING, Optional

from .arguments import parse_arguments
from .commands import perform, report
from .configuration import read_configuration
from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE_EXIT_CODE = 125
"""The agent's own errors, as with `env` and `docker run`; all other codes are the command's."""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the agent with the given arguments, by default the process's own; answers the exit code."""
    _hold_standard_descriptors()
    try:
        options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
        project = getattr(options, "project", None)
        return perform(read_configuration(os.environ, options.server, project), options)
    except UsageError as error:
        report(str(error))
        return USAGE_EXIT_CODE


def run() -> None:
    """Run the agent and end the process, without taking the interpreter apart: that is 15 ms of a build's time."""
    code = main()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # it was closed from the beginning
            with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                stream.flush()
    os._exit(code)


def _hold_standard_descriptors() -> None:
    """Where one of 0, 1, 2 was closed (`>&-`), a spool file would get its number, and the output would go there."""
    with contextlib.suppress(OSError):
        descriptor = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        while descriptor <= 2:
            descriptor = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.close(descriptor)


if __name__ == "__main__":
    run()
