"""`manage.py verifylogs [LOG …] [--project SLUG] [--repair] [--json]`: are all logs what they should be?"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, BooleanOptionalAction
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from logviewer.live.store import chunk_store
from logviewer.models import LogFile, Project
from logviewer.upkeep.batches import in_batches
from logviewer.upkeep.choosing import all_logs, find_log
from logviewer.upkeep.errors import UpkeepError
from logviewer.upkeep.lost import find_lost
from logviewer.upkeep.progress import progress_bar
from logviewer.upkeep.repair import repair_log
from logviewer.upkeep.verification import BATCH_LOGS, LogFinding, check_log, total_bytes

EXIT_FINDINGS = 1
EXIT_USAGE = 2


class Command(BaseCommand):
    help = (
        "Check every log's files from end to end, and its row against them; a line for each finding. The exit code is "
        "0 when nothing is wrong (any more), 1 when something is, 2 for wrong arguments. Logs may be written meanwhile."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("logs", metavar="LOG", nargs="*", help="ids or storage keys (default: all logs)")
        parser.add_argument("--project", metavar="SLUG", help="only this project's logs")
        parser.add_argument("--repair", action="store_true", help="put right what can be; bytes are never thrown away")
        parser.add_argument("--json", action="store_true", help="an object for each line instead of words")
        parser.add_argument("--progress", action=BooleanOptionalAction, default=True, help="show a bar on a terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        logs = _chosen(options)
        everything = not options["logs"] and not options["project"]
        found = repaired = 0
        self._checked = 0
        for finding in self._findings(logs, everything=everything, options=options):
            found += 1
            repaired += finding.repaired
            self._tell(finding, as_json=options["json"])
        summary = {"logs": self._checked, "findings": found, "repaired": repaired, "remaining": found - repaired}
        if options["json"]:
            self.stdout.write(json.dumps(summary))
        else:
            told = ", ".join(f"{count} {name}" for name, count in summary.items())
            self.stdout.write(f"checked: {told}")
        if found > repaired:
            sys.exit(EXIT_FINDINGS)

    def _findings(self, logs: QuerySet[LogFile], *, everything: bool, options: dict[str, Any]) -> Iterator[LogFinding]:
        """Check the logs one by one, and what lies beside all of them."""
        store = chunk_store()
        with progress_bar(total_bytes(logs), "B", wanted=options["progress"]) as bar:
            for row in in_batches(logs, BATCH_LOGS):
                checked = check_log(row, store)
                self._checked += 1
                if checked is not None and checked.findings:
                    yield from repair_log(checked, store) if options["repair"] else checked.findings
                bar.update(row.size)
        if everything:
            yield from find_lost(store.root, repair=options["repair"])

    def _tell(self, finding: LogFinding, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(asdict(finding)))
            return
        name = f"log {finding.log_id} {finding.key}" if finding.log_id is not None else finding.key
        self.stdout.write(f"{name}: {finding.fault}: {finding.detail}{' (repaired)' if finding.repaired else ''}")


def _chosen(options: dict[str, Any]) -> QuerySet[LogFile]:
    """The logs asked for; a wrong name is a usage error."""
    logs = all_logs()
    slug = options["project"]
    if slug is not None:
        if not Project.objects.filter(slug=slug).exists():
            raise CommandError(f"--project {slug!r}: there is no such project", returncode=EXIT_USAGE)
        logs = logs.filter(step__build__builder__project__slug=slug)
    if options["logs"]:
        try:
            logs = logs.filter(pk__in=[find_log(name).pk for name in options["logs"]])
        except UpkeepError as error:
            raise CommandError(str(error), returncode=EXIT_USAGE) from None
    return logs
