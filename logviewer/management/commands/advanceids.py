"""`manage.py advanceids [--by N]`: after a restore, give out no id that was given out after the copy."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from logviewer.upkeep.ids import advance_ids

DEFAULT_IDS = 1_000_000
"""More than a site gives out of one kind between a backup and its end."""

MAX_IDS = 10**12
"""A thousand of these lie below what JavaScript can count (2^53)."""


class Command(BaseCommand):
    help = (
        "Skip ids of builds, steps, logs and all else, so that none that was given out after a backup is given "
        "out again. To be run once after a restore, before the server starts."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--by", type=int, default=DEFAULT_IDS, metavar="N", help="how many (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        by = options["by"]
        if not 1 <= by <= MAX_IDS:
            raise CommandError(f"--by {by} is not between 1 and {MAX_IDS}", returncode=2)
        self.stdout.write(f"{by} ids skipped in each of {advance_ids(by)} tables")
