"""What the agent itself writes into a log, on the header channel, in Buildbot's words."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .process import Ending


def beginning(argv: Sequence[str], directory: str, environment: str) -> str:
    """Command, directory, and environment, which is what `names` or `values` answered."""
    return f"{shlex.join(argv)}\n in dir {directory}\n argv: {list(argv)!r}\n environment:{environment}\n"


def names(variables: Iterable[str]) -> str:
    """The environment's variables without their values."""
    return " " + " ".join(sorted(variables))


def values(variables: Mapping[str, str]) -> str:
    """The environment's variables with their values, one a line."""
    return "".join(f"\n  {name}={value}" for name, value in sorted(variables.items()))


def piped(name: str, directory: str) -> str:
    """What comes from a pipe, whose writer is not known."""
    return f"standard input of buildlogs pipe {shlex.quote(name)}\n in dir {directory}\n"


def not_started(reason: str) -> str:
    """The command could not be executed at all."""
    return f"{reason}\n"


def pipe_held_open() -> str:
    """The command has ended, but something it started still has its output open."""
    return "the command has ended; a process it started still holds its output, which is not read any more\n"


def reader_gone() -> str:
    """What the agent passed through was not read any more, so that the command was told, with SIGPIPE."""
    return "nobody reads the output that is passed through any more; the writer is told so, as it would have been\n"


def agent_died() -> str:
    """The agent was killed before its command ended; another one delivers what it left."""
    return "the agent was killed before the end; what follows is not known\n"


def ending(ending: Ending) -> str:
    """Exit code or signal, and the seconds it took."""
    killed = f"process killed by signal {ending.signal}\n" if ending.signal else ""
    return f"{killed}program finished with exit code {ending.exit_code}\nelapsedTime={ending.elapsed_seconds:.6f}\n"


def piped_ending(elapsed_seconds: float) -> str:
    """The pipe's end, and the seconds it took."""
    return f"end of input\nelapsedTime={elapsed_seconds:.6f}\n"
