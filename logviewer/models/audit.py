"""The audit log: who did what to which project, build, log, token or member, and why. Entries are only ever added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from logviewer.models.build import Build
from logviewer.models.logfile import LogFile
from logviewer.models.member import Member
from logviewer.models.project import MAX_SLUG_CHARACTERS, Builder, Project
from logviewer.models.token import Token
from logviewer.models.webhook import Webhook

MAX_ACTOR_CHARACTERS = 250
MAX_TARGET_CHARACTERS = 500
MAX_REASON_CHARACTERS = 1000

Noun = Project | Builder | Build | LogFile | Token | Member | Webhook


class Act(models.TextChoices):
    """What was done."""

    SEAL = "seal"
    VERIFY = "verify"
    MOVE = "move"
    PIN = "pin"
    UNPIN = "unpin"
    CLOSE = "close", "close as abandoned"
    DELETE = "delete"
    EXPIRE = "expire", "delete by retention"
    EXPORT = "export"
    REDACT = "redact"
    CREATE = "create"
    CHANGE = "change"
    REVOKE = "revoke"


@dataclass(frozen=True)
class Actor:
    """Who did something: a user, a token, or the server itself; `name` stays readable after they are gone."""

    name: str
    user_id: int | None = None
    token_id: int | None = None


SERVER = Actor("buildlogs")
"""Retention and other upkeep, which nobody asked for at that moment."""


class AuditEntry(models.Model):
    """One act. What it names may be gone, so that it is kept as text; `project` too is null once that was deleted."""

    at = models.DateTimeField(default=timezone.now, editable=False)
    act = models.CharField(max_length=20, choices=Act.choices)
    actor = models.CharField(max_length=MAX_ACTOR_CHARACTERS)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    token = models.ForeignKey(Token, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False)
    project = models.ForeignKey(
        Project, on_delete=models.SET_NULL, null=True, blank=True, related_name="audit_entries", db_index=False
    )
    project_slug = models.CharField(max_length=MAX_SLUG_CHARACTERS, blank=True)
    target = models.CharField(max_length=MAX_TARGET_CHARACTERS)
    build_number = models.PositiveBigIntegerField(null=True, blank=True)
    log_id = models.PositiveBigIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=MAX_REASON_CHARACTERS, blank=True)
    details = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit log"
        indexes = [
            models.Index(fields=["project", "-id"], name="audit_of_project"),
            models.Index(fields=["act", "-id"], name="audit_of_act"),
            models.Index(fields=["project_slug", "-id"], name="audit_of_slug"),  # of projects that are gone as well
            models.Index(fields=["actor", "-id"], name="audit_of_actor"),
            models.Index(fields=["at"], name="audit_at"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.act} {self.target}"

    @classmethod
    def record(cls, actor: Actor, act: Act, noun: Noun, *, reason: str = "", **details: Any) -> AuditEntry:
        """Add an entry, in the transaction of the act; `details` is JSON, of bounded size, without secrets.

        The noun has been fetched with what it belongs to, and may have been deleted a moment ago.
        """
        project = project_of(noun)
        build = noun if isinstance(noun, Build) else noun.step.build if isinstance(noun, LogFile) else None
        return cls.objects.create(
            act=act,
            actor=actor.name[:MAX_ACTOR_CHARACTERS],
            user_id=actor.user_id,
            token_id=actor.token_id,
            project=None if project is noun and act is Act.DELETE else project,
            project_slug="" if project is None else project.slug,
            target=target_text(noun)[:MAX_TARGET_CHARACTERS],
            build_number=None if build is None else build.number,
            log_id=noun.pk if isinstance(noun, LogFile) else None,
            reason=reason[:MAX_REASON_CHARACTERS],
            details=details,
        )


def project_of(noun: Noun) -> Project | None:
    """The project that a noun belongs to; None for a token of all projects."""
    match noun:
        case Project():
            return noun
        case Builder() | Token() | Member() | Webhook():
            return noun.project
        case Build():
            return noun.builder.project
        case LogFile():
            return noun.step.build.builder.project


def target_text(noun: Noun) -> str:
    """How people name it: `demo/linux #42 compile/stdio`."""
    match noun:
        case Project():
            return noun.slug
        case Token():
            return f"token {noun.name}"
        case Webhook():
            return str(noun)
        case Member():
            return f"{noun.project.slug}: member {noun.name}"
        case Builder():
            return f"{noun.project.slug}/{noun.slug}"
        case Build():
            return f"{target_text(noun.builder)} #{noun.number}"
        case LogFile():
            return f"{target_text(noun.step.build)} {noun.step.slug}/{noun.slug}"
