"""`manage.py upkeep [--forever] [--job NAME]`: what a server's thread does, once, or in a process of its own."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from logviewer.management.signals import stopped_by_signals
from logviewer.upkeep.background import BackgroundUpkeep
from logviewer.upkeep.jobs import JOBS
from logviewer.upkeep.progress import progress_bar
from logviewer.upkeep.scheduler import Scheduler
from logviewer.upkeep.sealing import waiting_logs

NAMES = tuple(job.name for job in JOBS)


class Command(BaseCommand):
    help = (
        "Give up builds whose writers went silent, seal all finished logs, move them to the other store where "
        "BUILDLOGS_LOG_STORE names one, and, when they are due, delete what retention lets go, read samples of sealed "
        "logs, and look for files of no log. May be run beside servers, stopped at any time, and run again. Ends with "
        "exit code 1 where something of that failed."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--progress", action=BooleanOptionalAction, default=True, help="show a bar on a terminal")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--forever", action="store_true", help="go on until SIGTERM, as the server's thread does")
        how.add_argument(
            "--job", action="append", choices=NAMES, default=[], help="only this job, now; may be given several times"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["forever"]:
            upkeep = BackgroundUpkeep()
            with stopped_by_signals(upkeep.tell_to_stop):
                upkeep.run()
        else:
            self._do_once(options["job"], progress=options["progress"])

    def _do_once(self, names: list[str], *, progress: bool) -> None:
        """Do the jobs and say what they came to."""
        said: list[str] = []
        problems: list[str] = []
        with stopped_by_signals() as stopped, progress_bar(waiting_logs().count(), " logs", wanted=progress) as bar:
            for job, report in Scheduler(stopped).do_once(names, progress=bar.update):
                if report is None:
                    said.append(f"{job.name}: another process is at it")
                    continue
                said += filter(None, [report.words])
                problems += filter(None, [report.problem])
        if problems:
            raise CommandError("; ".join([*said, *problems]), returncode=1)
        self.stdout.write("; ".join(said))
