"""`manage.py createtoken NAME [--project SLUG] [--scopes write,read] [--expires DAYS]`: prints a new token."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from logviewer.models import SERVER, Project
from logviewer.models.project import validate_slug
from logviewer.upkeep.membership import issue_token

MAX_EXPIRES_DAYS = 36_500


class Command(BaseCommand):
    """Standard output gets the token and nothing else, so that a script can keep it."""

    help = (
        "Create a token and print it; it is kept nowhere and cannot be shown again. "
        "Without --project it is for all projects, and may create them."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what the token is for: shown in the admin")
        parser.add_argument(
            "--project", metavar="SLUG", help="the only project it is for; made, private, where there is none"
        )
        parser.add_argument("--scopes", default="write,read", help="some of write,read,admin (default: %(default)s)")
        parser.add_argument("--expires", type=int, metavar="DAYS", help="days it is valid for (default: no end)")

    def handle(self, *args: Any, **options: Any) -> None:
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        try:
            with transaction.atomic():
                _, text = issue_token(
                    SERVER,
                    options["name"],
                    project=_project(options["project"]),
                    scopes=list(dict.fromkeys(scopes)),
                    expires_at=_expiry(options["expires"]),
                )
        except ValidationError as error:
            raise CommandError("; ".join(_described(error))) from None
        self.stdout.write(text)


def _project(slug: str | None) -> Project | None:
    """The project, made where it is missing: a build machine is prepared before its first build."""
    if slug is None:
        return None
    try:
        validate_slug(slug)
    except ValidationError as error:
        raise CommandError(f"--project {slug!r}: {'; '.join(error.messages)}") from None
    project, _ = Project.objects.get_or_create(slug=slug, defaults={"name": slug})
    return project


def _expiry(days: int | None) -> datetime | None:
    if days is None:
        return None
    if not 1 <= days <= MAX_EXPIRES_DAYS:
        raise CommandError(f"--expires {days} is not between 1 and {MAX_EXPIRES_DAYS} days")
    return timezone.now() + timedelta(days=days)


def _described(error: ValidationError) -> list[str]:
    return [f"{field}: {' '.join(messages)}" for field, messages in error.message_dict.items()]
