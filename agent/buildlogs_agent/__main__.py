"""Entry point of the console script `buildlogs` and of `python -m buildlogs_agent`."""

from __future__ import annotations

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
    try:
        options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
        project = getattr(options, "project", None)
        return perform(read_configuration(os.environ, options.server, project), options)
    except UsageError as error:
        report(str(error))
        return USAGE_EXIT_CODE


if __name__ == "__main__":
    sys.exit(main())
