"""Tokens: how machines say who they are."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from logviewer.models.project import Project

TOKEN_PREFIX = "bl_"  # noqa: S105 (not a secret): lets secret scanners recognise a token that leaked
TOKEN_RANDOM_BYTES = 32


class TokenScope(models.TextChoices):
    """What a token allows."""

    WRITE = "write"
    READ = "read"
    ADMIN = "admin"


def validate_scopes(value: object) -> None:
    """Refuse anything but a non-empty list of known scopes."""
    if not isinstance(value, list) or not value or not set(value) <= set(TokenScope.values):
        raise ValidationError(f"a list of some of {', '.join(TokenScope.values)}", code="scopes")


def digest(text: str) -> str:
    """The form in which a token is kept: SHA-256 in hex. 256 random bits need no slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()


class Token(models.Model):
    """A bearer token: only its hash is kept, so it can be shown once and never again."""

    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    project = models.ForeignKey(
        Project,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="tokens",
        help_text="Empty: all projects, and the right to create them.",
    )
    scopes = models.JSONField(default=list, validators=[validate_scopes])
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def issue(
        cls, name: str, *, project: Project | None, scopes: list[str], expires_at: datetime | None = None
    ) -> tuple[Token, str]:
        """Make a token; returns it and its text, which is not kept anywhere."""
        text = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_RANDOM_BYTES)
        token = cls(name=name, digest=digest(text), project=project, scopes=scopes, expires_at=expires_at)
        token.full_clean()
        token.save(force_insert=True)
        return token, text

    @property
    def is_valid(self) -> bool:
        """Neither expired nor revoked."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())
