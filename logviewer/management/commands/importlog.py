"""`manage.py importlog FILE --project SLUG --builder SLUG --step NAME --log NAME`: takes in a Buildbot 0.8 log file."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, BooleanOptionalAction
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from logviewer.intake.builds import finish_build
from logviewer.intake.errors import IntakeError
from logviewer.intake.steps import finish_step
from logviewer.models import LogFile, LogType, Results
from logviewer.models.build import MAX_NAME_CHARACTERS
from logviewer.models.project import validate_slug
from logviewer.upkeep.errors import UpkeepError
from logviewer.upkeep.importing import Destination, import_log
from logviewer.upkeep.progress import progress_bar
from logviewer.upkeep.unpacking import DEFAULT_MAX_BYTES, DEFAULT_MAX_RATIO, UnpackedFile

MAX_TITLE_CHARACTERS = 500
MAX_BUILD_NUMBER = 10**15
UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


class Command(BaseCommand):
    help = (
        "Take in a log from a file that holds a chunk stream, as Buildbot 0.8's log files do: plain, gzip or bzip2, "
        "told apart by content. Project, builder, build, step and log are made where there are none. "
        "Run again, it goes on where it was stopped."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the file; - is standard input")
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--builder", required=True, metavar="SLUG")
        parser.add_argument("--build", type=int, metavar="N", help="the build's number; made where it is missing")
        parser.add_argument("--title", help="a new build's title; the same title is the same build (default: FILE)")
        parser.add_argument("--step", required=True, metavar="NAME")
        parser.add_argument("--log", required=True, metavar="NAME")
        parser.add_argument("--type", default=LogType.STDIO, choices=LogType.values)
        ending = parser.add_mutually_exclusive_group()
        ending.add_argument("--finish", action="store_true", help="finish the log, verified (default)")
        ending.add_argument("--keep-open", action="store_true", help="leave the log open: more is to come")
        parser.add_argument(
            "--results",
            choices=Results.values,
            help="end step and build with these results; without them the build "
            "waits for its end, and is given up in time",
        )
        parser.add_argument("--max-size", default=str(DEFAULT_MAX_BYTES), metavar="BYTES", help="of content, as in 16G")
        parser.add_argument("--max-ratio", type=int, default=DEFAULT_MAX_RATIO, help="content to file (%(default)s)")
        parser.add_argument("--progress", action=BooleanOptionalAction, default=True, help="show a bar on a terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        destination = _destination(options)
        max_bytes = _bytes(options["max_size"])
        if options["max_ratio"] < 1:
            raise CommandError(f"--max-ratio {options['max_ratio']} is less than 1")
        with ExitStack() as opened:
            stream, size = _open(options["file"], opened)
            bar = opened.enter_context(progress_bar(size, "B", wanted=options["progress"]))
            file = UnpackedFile(stream, max_bytes=max_bytes, max_ratio=options["max_ratio"])
            try:
                log, received = import_log(file, destination, finish=not options["keep_open"], progress=bar.update)
            except UpkeepError as error:
                raise CommandError(f"{options['file']}: {error}") from None
        if options["results"]:
            _end(log, Results(options["results"]))
        said = log.completeness or log.state
        self.stdout.write(f"log {log.pk} {log.get_absolute_url()}: {received} bytes of output, {said}")


def _destination(options: dict[str, Any]) -> Destination:
    """Check the options that name things, as the API checks them."""
    for option in ("project", "builder"):
        try:
            validate_slug(options[option])
        except ValidationError as error:
            raise CommandError(f"--{option} {options[option]!r}: {'; '.join(error.messages)}") from None
    for option in ("step", "log"):
        if not 1 <= len(options[option]) <= MAX_NAME_CHARACTERS or not options[option].isprintable():
            raise CommandError(
                f"--{option} {options[option]!r}: 1 to {MAX_NAME_CHARACTERS} characters, no control characters"
            )
    number = options["build"]
    if number is not None and not 1 <= number <= MAX_BUILD_NUMBER:
        raise CommandError(f"--build {number} is not between 1 and {MAX_BUILD_NUMBER}")
    title = options["title"]
    if number is None and title is None:
        if options["file"] == "-":
            raise CommandError("standard input has no name to call the build after: give --build or --title")
        title = Path(options["file"]).name
    title = title or ""
    if len(title) > MAX_TITLE_CHARACTERS or not title.isprintable():
        raise CommandError(f"--title: at most {MAX_TITLE_CHARACTERS} characters, no control characters")
    return Destination(
        project=options["project"],
        builder=options["builder"],
        step=options["step"],
        log=options["log"],
        number=number,
        title=title,
        type=LogType(options["type"]),
    )


def _bytes(text: str) -> int:
    """Read a number of bytes such as 1000, 64M or 16G."""
    digits = text.rstrip("kKmMgGtT")
    unit = text[len(digits) :].lower()
    if not (digits.isascii() and digits.isdigit()) or unit not in UNITS:
        raise CommandError(f"--max-size {text!r} is not a number of bytes such as 64M or 16G")
    return int(digits) * UNITS[unit]


def _open(name: str, opened: ExitStack) -> tuple[BinaryIO, int | None]:
    """Open the file; its size is None where there is none to know."""
    if name == "-":
        return sys.stdin.buffer, None
    try:
        stream = opened.enter_context(Path(name).open("rb"))  # noqa: SIM115 - the stack closes it
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None
    return stream, Path(name).stat().st_size or None


def _end(log: LogFile, results: Results) -> None:
    try:
        finish_step(log.step_id, results)
        finish_build(log.step.build_id, results)
    except IntakeError as error:
        raise CommandError(f"log {log.pk} is stored, but: {error}") from None
