"""`manage.py exportlog LOG [-o FILE] [--times] [--compress gz|bz2|none] [--text]`: a log as a Buildbot 0.8 log file."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, BooleanOptionalAction
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from logviewer.chunkstore import ChunkStoreError
from logviewer.live.store import chunk_store
from logviewer.upkeep.choosing import find_log
from logviewer.upkeep.errors import UpkeepError
from logviewer.upkeep.exporting import Coding, compressed, export_log, replaced_file
from logviewer.upkeep.progress import progress_bar


class Command(BaseCommand):
    help = (
        "Write a log as a chunk stream to standard output or a file. Without times, the default, it is a log file that "
        "Buildbot 0.8 reads. Of a log that is still open, what there is now."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("log", metavar="LOG", help="the log's id or storage key")
        parser.add_argument(
            "-o", "--output", metavar="FILE", help="replaced once it is whole (default: standard output)"
        )
        parser.add_argument(
            "--times",
            action=BooleanOptionalAction,
            default=False,
            help="with `t` entries, which Buildbot does not know",
        )
        parser.add_argument("--compress", default=Coding.NONE.value, choices=[coding.value for coding in Coding])
        parser.add_argument("--text", action="store_true", help="the text alone: no channels, no times")
        parser.add_argument("--progress", action=BooleanOptionalAction, default=True, help="show a bar on a terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["text"] and options["times"]:
            raise CommandError("--text has no room for --times")
        try:
            self._export(options)
        except (UpkeepError, ChunkStoreError, EOFError) as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{options['output'] or 'standard output'}: {error.strerror}") from None

    def _export(self, options: dict[str, Any]) -> None:
        log = find_log(options["log"])
        with ExitStack() as opened:
            reader = opened.enter_context(chunk_store().reader(log.key))
            end = reader.end()
            path = options["output"]
            file = opened.enter_context(replaced_file(Path(path))) if path else sys.stdout.buffer
            out = opened.enter_context(compressed(file, Coding(options["compress"])))
            bar = opened.enter_context(progress_bar(end.size, "B", wanted=options["progress"]))
            size = export_log(reader, out, times=options["times"], text=options["text"], progress=bar.update)
        if not path:
            sys.stdout.buffer.flush()
        state = "" if end.finished else ", and the log is still open"
        self.stderr.write(f"log {log.pk}: {size} bytes of text{state}")
