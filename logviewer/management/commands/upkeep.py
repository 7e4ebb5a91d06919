"""`manage.py upkeep`: does once what the server's background thread does all the time, then ends."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from logviewer.live.retries import Retries
from logviewer.upkeep.moving import Moved, Mover
from logviewer.upkeep.progress import progress_bar
from logviewer.upkeep.redacting import redact_waiting
from logviewer.upkeep.sealing import seal_waiting, waiting_logs
from logviewer.upkeep.silence import give_up_silent
from logviewer.upkeep.survey import Surveyor
from logviewer.upkeep.unrecorded import record_finishes

MB = 1_000_000


class Command(BaseCommand):
    help = (
        "Give up builds whose writers went silent, seal all finished logs: their text becomes a compressed file; and "
        "move them to the other store, where BUILDLOGS_LOG_STORE names one. May be run beside servers, stopped at any "
        "time, and run again. Ends with exit code 1 where something of that failed."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--progress", action=BooleanOptionalAction, default=True, help="show a bar on a terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        looked_at_id = record_finishes()
        while looked_at_id:
            looked_at_id = record_finishes(looked_at_id)
        silences = give_up_silent(Retries())
        redactions = redact_waiting(Retries())
        with progress_bar(waiting_logs().count(), " logs", wanted=options["progress"]) as bar:
            done = seal_waiting(Retries(), progress=bar.update)
        left = f", {done.locked} left to another process" if done.locked else ""
        report = (
            f"{done.sealed} logs sealed, {done.text_bytes / MB:.1f} MB of text in {done.sealed_bytes / MB:.1f} MB{left}"
        )
        if silences.abandoned or silences.ended:
            report += f"; {silences.abandoned} silent builds given up, {silences.ended} finished"
        if redactions.done:
            report += f"; {redactions.done} redactions completed"
        mover = Mover()
        moved = mover.run() if mover.is_due else Moved()
        Surveyor().run(None)
        if moved.moved:
            report += f"; {moved.moved} logs moved to the other store"
        if moved.away:
            raise CommandError(
                f"{report}; sealed logs stay here, as the other store is away: {moved.away}", returncode=1
            )
        if done.failed or moved.failed or silences.failed or redactions.failed:
            raise CommandError(
                f"{report}; {done.failed} could not be sealed, {moved.failed} not moved, {silences.failed} silent "
                f"builds not dealt with, {redactions.failed} redactions not done, as said above",
                returncode=1,
            )
        self.stdout.write(report)
