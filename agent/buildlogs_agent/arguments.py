"""The command line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from . import __version__
from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = "Run commands and keep their output on a buildlogs server, without ever harming the build."
BUILD_FIELDS = ("title", "branch", "revision", "reason", "origin_url", "external_id", "number")
"""Options of `build` and `run` that go into the body of `POST /builds` under the same name."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The options as a namespace with `verb` and, after `--`, the `command` as a list.

    Raises:
        UsageError: the arguments are wrong, or there is no command.
    """
    own, command = list(arguments), []
    if "--" in own:
        cut = own.index("--")
        own, command = own[:cut], own[cut + 1 :]
    options = _parser().parse_args(own)
    if not command:
        raise UsageError(f"no command: buildlogs {options.verb} ... -- COMMAND [ARGUMENT ...]")
    options.command = command
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="buildlogs", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"buildlogs-agent {__version__}")
    _add_server(parser, None)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="build | step | run", parser_class=_Parser)

    build = verbs.add_parser("build", help="begin a build and run a command in which `buildlogs step` attaches to it")
    _add_build_options(build)

    step = verbs.add_parser("step", help="run a command as a step of the build around it")
    step.add_argument("name", metavar="NAME", help="what the step is called")

    run = verbs.add_parser("run", help="run a command as a build of one step")
    run.add_argument("--name", help="what the step is called (default: the command's name)")
    _add_build_options(run)

    for verb in (build, step, run):
        _add_server(verb, argparse.SUPPRESS)
        verb.usage = f"{verb.prog} [OPTION ...] {'NAME ' if verb is step else ''}-- COMMAND [ARGUMENT ...]"
    return parser


def _add_server(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument("--server", metavar="URL", default=default, help="the server (default: $BUILDLOGS_SERVER)")


def _add_build_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--project", metavar="SLUG", help="the project (default: $BUILDLOGS_PROJECT)")
    parser.add_argument("--builder", metavar="SLUG", required=True, help="the builder within the project")
    parser.add_argument("--title", help="what the build is about")
    parser.add_argument("--branch", help="the branch that is built")
    parser.add_argument("--revision", help="the revision that is built")
    parser.add_argument("--reason", help="why it is built")
    parser.add_argument("--url", dest="origin_url", metavar="URL", help="where the build came from")
    parser.add_argument("--external-id", metavar="ID", help="the build's name elsewhere; known already: that build")
    parser.add_argument("--number", type=int, help="the build's number within the builder")
