"""`manage.py retention [--dry-run] [--project SLUG] [--json]`: deletes what retention lets go, or says what that is."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils import timezone

from logviewer.management.signals import stopped_by_signals
from logviewer.models import Project
from logviewer.resources.retention import retention_shape
from logviewer.upkeep.retention.expiry import Expiry
from logviewer.upkeep.retention.plan import Plan, plan_retention
from logviewer.upkeep.retention.sentence import bytes_text
from logviewer.upkeep.steadiness import Steadiness

EXIT_USAGE = 2


class Command(BaseCommand):
    help = (
        "Delete the builds that the projects' retention lets go; with --dry-run only say which those are, and what "
        "they take. May be stopped at any time and run again, beside servers too. Ends with exit code 1 where builds "
        "could not be deleted, 2 for wrong arguments."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="delete nothing")
        parser.add_argument("--project", metavar="SLUG", help="only this project")
        parser.add_argument("--json", action="store_true", help="an object for each project instead of words")

    def handle(self, *args: Any, **options: Any) -> None:
        projects = _chosen(options["project"])
        if options["dry_run"]:
            for project in projects.iterator(chunk_size=100):
                self._tell(plan_retention(project, timezone.now()), as_json=options["json"])
            return
        expiry = Expiry()
        with stopped_by_signals() as stopped:
            expiry.complete(stopped)
            found = expiry.run(projects, stopped, Steadiness().note)
        if options["json"]:
            names = ("builds", "logs", "stored_bytes", "failed")
            self.stdout.write(json.dumps({name: getattr(found, name) for name in names}))
        else:
            self.stdout.write(f"deleted: {found.builds} builds, {found.logs} logs, {bytes_text(found.stored_bytes)}")
        if found.failed or found.away:
            raise CommandError(found.away or f"{found.failed} builds could not be deleted, as said above", returncode=1)

    def _tell(self, plan: Plan, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"project": plan.project.slug, **retention_shape(plan)}))
            return
        self.stdout.write(f"{plan.project.slug}: {plan.words}")
        for going in plan.listed:
            build = going.build
            taken = "not added up yet" if build.stored_bytes is None else bytes_text(build.stored_bytes)
            self.stdout.write(
                f"  {build.builder.slug} #{build.number}, {build.finished_at:%Y-%m-%d}: {taken}, {going.why}"
            )
        more = plan.total.builds - len(plan.listed)
        if more > 0:
            self.stdout.write(f"  and {more} more")
        unweighed = f", {plan.total.unweighed} of them not added up yet" if plan.total.unweighed else ""
        self.stdout.write(f"  would go: {plan.total.builds} builds, {bytes_text(plan.total.stored_bytes)}{unweighed}")


def _chosen(slug: str | None) -> QuerySet[Project]:
    """The projects asked for; a wrong name is a usage error."""
    projects = Project.objects.order_by("slug")
    if slug is None:
        return projects
    if not projects.filter(slug=slug).exists():
        raise CommandError(f"--project {slug!r}: there is no such project", returncode=EXIT_USAGE)
    return projects.filter(slug=slug)
