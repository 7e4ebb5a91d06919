"""`manage.py deliverwebhooks`: tells webhooks once what is due, then ends; the server's thread does it all the time."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from logviewer.webhooks.background import Deliverer, results
from logviewer.webhooks.tidying import give_up_late, tidy

DEFAULT_SECONDS = 600


class Command(BaseCommand):
    help = (
        "Tell webhooks what is due, and delete what has been over for long. May be run beside servers, stopped at any "
        "time, and run again. Ends with exit code 1 where it was not through in time."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seconds", type=int, default=DEFAULT_SECONDS, help="how long at most (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        through = Deliverer().settle(options["seconds"])
        results["given-up"] += give_up_late(timezone.now())
        tidy(timezone.now(), lambda: False)
        report = f"{results['delivered']} delivered, {results['failed']} to be tried again, "
        report += f"{results['given-up']} given up"
        if not through:
            raise CommandError(f"{report}; there is more", returncode=1)
        self.stdout.write(report)
