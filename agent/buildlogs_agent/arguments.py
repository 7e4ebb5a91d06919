"""The command line."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, NoReturn

from . import __version__
from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = "Run commands and keep their output on a buildlogs server, without ever harming the build."
BUILD_FIELDS = ("title", "branch", "revision", "reason", "origin_url", "external_id", "number")
"""Options of `build` and `run` that go into the body of `POST /builds` under the same name."""

MASKED_BUILD_FIELDS = ("title", "branch", "revision", "reason", "origin_url")
"""Those that are for people. The others are names: masked, one would be another's."""

COMMAND_VERBS = ("build", "step", "run")
VERBS = (*COMMAND_VERBS, "pipe", "log", "flush")
RESULTS = ("success", "warnings", "failure", "skipped", "exception", "retry", "cancelled")
"""Buildbot's words."""

UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
"""As timeout(1) has them."""

TOKEN_OPTION = re.compile(r"--token(=.*)?", re.DOTALL)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{_without_values(message)} (see {self.prog} --help)")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The options as a namespace with `verb` and, for the verbs that run one, the `command` after `--` as a list.

    Raises:
        UsageError: the arguments are wrong, or there is no command. The message quotes no value: it may be a token.
    """
    own, command = list(arguments), []
    cut = own.index("--") if "--" in own else len(own)
    if any(TOKEN_OPTION.fullmatch(argument) for argument in own[:cut]):
        raise UsageError(
            "there is no option --token, command lines are seen by all users of the machine: "
            "use BUILDLOGS_TOKEN or the configuration file"
        )
    verb = next((argument for argument in own[:cut] if argument in VERBS), None)
    if verb is None or verb in COMMAND_VERBS:
        own, command = own[:cut], own[cut + 1 :]
    options = _parser().parse_args(own)
    if options.verb in COMMAND_VERBS and not command:
        raise UsageError(f"no command: buildlogs {options.verb} ... -- COMMAND [ARGUMENT ...]")
    options.command = command
    return options


def _without_values(message: str) -> str:
    """What argparse has to say, but not what was given."""
    kind, _, given = message.partition("unrecognized arguments:")
    if not kind and given:
        names = re.findall(r"(?<!\S)--?[A-Za-z][a-z-]*(?=[=\s]|$)", given)
        return f"unrecognized arguments: {' '.join(names)}" if names else "unrecognized arguments"
    return re.sub(
        r"(invalid (?:\S+ )?(?:choice|value)|ignored explicit argument):? .*?( \(choose from [^)]*\))?$",
        r"\1\2",
        message,
        flags=re.DOTALL,
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="buildlogs", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"buildlogs-agent {__version__}")
    _add_server(parser, None)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar=" | ".join(VERBS), parser_class=_Parser)

    def add(verb: str, usage: str, help_text: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(verb, help=help_text, description=help_text, allow_abbrev=False)
        added.usage = f"buildlogs {verb} [OPTION ...] {usage}".rstrip()
        _add_server(added, argparse.SUPPRESS)
        return added

    command = "-- COMMAND [ARGUMENT ...]"
    build = add("build", command, "begin a build and run a command in which `buildlogs step` attaches to it")
    _add_build_options(build)
    _add_timeout(build)

    step = add("step", f"NAME {command}", "run a command as a step of the build around it")
    step.add_argument("name", metavar="NAME", help="what the step is called")

    run = add("run", command, "run a command as a build of one step")
    run.add_argument("--name", help="what the step is called (default: the command's name)")
    _add_build_options(run)
    for verb in (step, run):
        _add_timeout(verb)
        _add_step_options(verb)

    pipe = add("pipe", "NAME", "a step from a pipe: keep standard input, and pass it through to standard output")
    pipe.add_argument("name", metavar="NAME", help="what the step is called")
    pipe.add_argument("--results", choices=RESULTS, default="success", help="how the step ends (default: success)")

    log = add("log", "STEP FILE", "a file as a log of a step, which is created where there is none")
    log.add_argument("name", metavar="STEP", help="the step: the last of that name in the build around")
    log.add_argument("file", metavar="FILE", help="the file; - for standard input")
    log.add_argument("--name", dest="log_name", metavar="LOG", help="what the log is called (default: the file's name)")
    log.add_argument("--type", dest="log_type", choices=("text", "html"), default="text", help="default: text")

    add("flush", "", "upload what earlier calls could not, of all builds")
    for verb in (build, step, run, pipe, log):
        _add_masks(verb)
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
    parser.add_argument("--number", type=_number, help="the build's number within the builder")


def _add_timeout(parser: argparse.ArgumentParser) -> None:
    text = "terminate, then kill, the command and its process group after so long (seconds, or 90s, 10m, 2h)"
    parser.add_argument("--timeout", type=_duration, metavar="TIME", help=text)


def _add_step_options(parser: argparse.ArgumentParser) -> None:
    text = "the same when there was no output for so long"
    parser.add_argument("--idle-timeout", type=_duration, metavar="TIME", help=text)
    parser.add_argument("--pty", action="store_true", help="give the command a terminal instead of two pipes")
    text = "write the environment's values into the log too, secrets masked"
    parser.add_argument("--env-values", action="store_true", help=text)


def _add_masks(parser: argparse.ArgumentParser) -> None:
    text = "hide the value of this variable in all that is sent; may be given several times"
    parser.add_argument("--mask", action="append", default=[], metavar="NAME", help=text)
    text = "do not hide the values of variables whose names look like secrets"
    parser.add_argument("--no-default-masks", action="store_true", help=text)


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError("not a number")
    return int(text)


def _duration(text: str) -> float:
    """Seconds; as timeout(1) takes them, except that 0 is none."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhd]?)", text)
    if match is None or not float(match.group(1)):
        raise argparse.ArgumentTypeError("not a time: use seconds, or e.g. 90s, 10m, 2h")
    return float(match.group(1)) * UNIT_SECONDS[match.group(2)]
