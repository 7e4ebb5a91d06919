"""What else `many_builds.py` finds: accounts, members, tokens, webhooks, deliveries, jobs, damaged logs, errors.

As many as a site with a million builds may have: of deliveries and of runs those that tidying leaves, of all else what
fifty projects with their people come to.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import Any

from benchmarks.many_rows import analyse, timed

USERS = 500
GROUPS = 50
MEMBERS_A_PROJECT = 100
TOKENS_A_PROJECT = 40
WEBHOOKS_A_PROJECT = 4
DELIVERIES_A_WEBHOOK = 1000  # more are tidied away
JOBS = 10
RUNS_A_JOB = 50  # older ones are tidied away
DAMAGED_LOGS = 2000
ERRORS_A_LOG = 3
FAILED_BUILDS = 100_000  # the newest have errors
BATCH_ROWS = 5000

MEMBER = "vera"
"""A viewer of two projects, and nothing else."""

TOKEN = "of-no-use-outside-of-this-measurement"
"""The text of the idle project's token."""


def fill_others() -> None:
    """Make all of it, unless it is there."""
    from logviewer.models import Token
    from logviewer.models.token import digest

    if Token.objects.filter(digest=digest(TOKEN)).exists():
        return
    for make in (make_people, make_tokens, make_deliveries, make_jobs, make_damage, make_errors):
        timed(make.__name__.removeprefix("make_"), make)
    analyse()


def insert(rows: Any) -> None:
    """Insert unsaved rows of one model, some thousand at a time."""
    rows = iter(rows)
    while batch := list(islice(rows, BATCH_ROWS)):
        type(batch[0]).objects.bulk_create(batch)


def make_people() -> None:
    """Accounts, groups, and who is a member of what."""
    from django.contrib.auth.models import Group, User

    from logviewer.models import Member, Project, Role

    insert(User(username=f"user{number}") for number in range(USERS))
    insert(Group(name=f"group{number}") for number in range(GROUPS))
    users, groups = list(User.objects.order_by("pk")), list(Group.objects.order_by("pk"))
    for place, project in enumerate(Project.objects.order_by("pk")):
        chosen = [users[(place * 7 + number) % len(users)] for number in range(MEMBERS_A_PROJECT - 1)]
        insert(Member(project=project, user=user, role=Role.WRITER) for user in chosen)
        Member.objects.create(project=project, group=groups[place % GROUPS], role=Role.ADMIN)
    vera = User.objects.create(username=MEMBER)
    insert(Member(project=Project.objects.get(slug=slug), user=vera) for slug in ("project1", "idle"))


def make_tokens() -> None:
    """Tokens of each project; that of the idle one whose text is known."""
    from django.utils import timezone

    from logviewer.models import Project, Token
    from logviewer.models.token import digest

    now = timezone.now()
    insert(
        Token(
            name=f"token {number} of {project}",
            digest=digest(f"{project.pk}/{number}"),
            project=project,
            scopes=["write"],
            revoked_at=now if number % 5 == 0 else None,
        )
        for project in Project.objects.all()
        for number in range(TOKENS_A_PROJECT)
    )
    idle = Project.objects.get(slug="idle")
    Token.objects.create(name="known", digest=digest(TOKEN), project=idle, scopes=["read", "admin"])


def make_deliveries() -> None:
    """Webhooks of each project, with what became of their deliveries, in the order of time."""
    from django.utils import timezone

    from logviewer.models import Delivery, DeliveryState, Project, Webhook

    urls = [f"https://receiver{number}.example/hook" for number in range(WEBHOOKS_A_PROJECT)]
    insert(Webhook(project=each, url=url, events=["buildFinished"]) for each in Project.objects.all() for url in urls)
    webhooks = list(Webhook.objects.all())
    now, payload = timezone.now(), '{"type":"buildFinished"' + "," * 1000 + "}"
    insert(
        Delivery(
            webhook=webhook,
            event="buildFinished" if number % 10 else "logFinished",
            subject_id=number,
            payload=payload,
            state=DeliveryState.DELIVERED if number % 50 else DeliveryState.GIVEN_UP,
            attempts=1,
            created_at=now - timedelta(minutes=30 * (DELIVERIES_A_WEBHOOK - number)),
            next_try_at=None,
            tried_at=now,
            status=200 if number % 50 else 500,
        )
        for number in range(DELIVERIES_A_WEBHOOK)
        for webhook in webhooks
    )


def make_jobs() -> None:
    """Jobs of upkeep with their runs."""
    from django.utils import timezone

    from logviewer.models import Job, JobRun

    names = [f"job {number}" for number in range(JOBS)]
    insert(Job(name=name) for name in names)
    now = timezone.now()
    insert(
        JobRun(job_id=name, outcome="done", holder="host 1", started_at=now, seconds=1.0, counts={"sealed": number})
        for number in range(RUNS_A_JOB)
        for name in names
    )


def make_damage() -> None:
    """Logs that a check found damaged, all over the table."""
    from django.utils import timezone

    from logviewer.models import DamagedLog, LogFile

    last = LogFile.objects.latest("pk").pk
    ids = sorted({1 + number * last // DAMAGED_LOGS for number in range(DAMAGED_LOGS)})
    insert(DamagedLog(log_id=log_id, found_at=timezone.now(), detail="the text is shorter") for log_id in ids)


def make_errors() -> None:
    """Errors of the newest builds that failed, in one log of each."""
    from logviewer.models import Annotation, Build, LogFile

    failed = Build.objects.filter(results="failure").order_by("-pk").values_list("pk", flat=True)
    ids = list(failed[:FAILED_BUILDS])
    for start in range(0, len(ids), BATCH_ROWS):
        some = ids[start : start + BATCH_ROWS]
        logs = list(LogFile.objects.filter(step__build__in=some, slug="log-1").order_by().values_list("pk", flat=True))
        LogFile.objects.filter(pk__in=logs).update(errors=ERRORS_A_LOG)
        insert(
            Annotation(log_id=log_id, line=line + 1, level="error", message="error: no such file")
            for log_id in logs
            for line in range(ERRORS_A_LOG)
        )
