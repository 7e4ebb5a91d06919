"""Projects and their builders."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone

from logviewer.models.retention import RetentionFields
from logviewer.models.states import Visibility

SLUG_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}\Z"
MAX_SLUG_CHARACTERS = 63

MAX_TAIL_BYTES = 64 * 1024 * 1024
"""The most that a project's `max_tail_bytes` may be: a finish holds the tail in memory."""

validate_slug = RegexValidator(
    SLUG_PATTERN, "1 to 63 of a-z, 0-9, '.', '_', '-', the first a letter or a digit", code="slug"
)


class Project(RetentionFields):
    """What is built, and who may see it.

    `version` counts the starts and ends of its builds, so that a viewer that missed one notices (websocket.md).
    """

    slug = models.CharField(max_length=MAX_SLUG_CHARACTERS, unique=True, validators=[validate_slug])
    name = models.CharField(max_length=200)
    visibility = models.CharField(max_length=7, choices=Visibility.choices, default=Visibility.PRIVATE)
    max_log_bytes = models.PositiveBigIntegerField(
        "bytes of a log",
        null=True,
        blank=True,
        help_text="How much output each log keeps from its beginning: 0 for all of it, empty for the server's limit "
        "(BUILDLOGS_MAX_LOG_BYTES). What comes later is omitted, and the log says so.",
    )
    max_tail_bytes = models.PositiveBigIntegerField(
        "bytes of its end",
        null=True,
        blank=True,
        validators=[MaxValueValidator(MAX_TAIL_BYTES)],
        help_text="How much of the end of such a log is kept as well: 0 for nothing, empty for the server's limit "
        "(BUILDLOGS_MAX_TAIL_BYTES).",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    version = models.PositiveBigIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug

    def get_absolute_url(self) -> str:
        """The project's page."""
        return reverse("logviewer:project", args=[self.slug])


class Builder(RetentionFields):
    """One way of building a project; its builds are numbered from 1."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="builders")
    slug = models.CharField(max_length=MAX_SLUG_CHARACTERS, validators=[validate_slug])
    next_number = models.PositiveBigIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["project__slug", "slug"]
        constraints = [models.UniqueConstraint(fields=["project", "slug"], name="builder_slug_in_project")]

    def __str__(self) -> str:
        return f"{self.project.slug}/{self.slug}"

    def get_absolute_url(self) -> str:
        """The builder's page."""
        return reverse("logviewer:builder", args=[self.project.slug, self.slug])
