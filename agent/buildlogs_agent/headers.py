"""What the agent itself writes into a log, on the header channel, in Buildbot's words."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .process import Ending


def beginning(argv: Sequence[str], directory: str, variables: Iterable[str]) -> str:
    """Command, directory, and the names (never the values) of the environment's variables."""
    names = " ".join(sorted(variables))
    return f"{shlex.join(argv)}\n in dir {directory}\n argv: {list(argv)!r}\n environment: {names}\n"


def not_started(reason: str) -> str:
    """The command could not be executed at all."""
    return f"{reason}\n"


def pipe_held_open() -> str:
    """The command has ended, but something it started still has its output open."""
    return "the command has ended; a process it started still holds its output, which is not read any more\n"


def ending(ending: Ending) -> str:
    """Exit code or signal, and the seconds it took."""
    killed = f"process killed by signal {ending.signal}\n" if ending.signal else ""
    return f"{killed}program finished with exit code {ending.exit_code}\nelapsedTime={ending.elapsed_seconds:.6f}\n"
