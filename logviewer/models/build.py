"""Builds and their steps."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils import timezone

from logviewer.models.project import Builder
from logviewer.models.states import BuildState, Results, StepState

MAX_NAME_CHARACTERS = 200
MAX_STEP_SLUG_CHARACTERS = 63


class Build(models.Model):
    """One run of a builder.

    `version` counts the events of the build (started, finished, its steps and logs), so that a viewer that missed
    one notices (websocket.md). `heartbeat_at` is when its writer was last heard, at most HEARTBEAT_PRECISION too early;
    `abandoned_at` is when it, or what of it was still open, was given up, null once the writer is heard again and once
    it is over. `ended_by_silence`: no writer finished it, so that its own results may still come.
    `viewed_at` is when somebody last looked at it, at most an hour too early (`live.viewings`). `stored_bytes` is what
    the logs of a finished build take in the store, null until it is added up, and again when one of them changes
    (`upkeep.weighing`). `deletion_began_at`: its files are going or gone, and its row follows.
    """

    builder = models.ForeignKey(Builder, on_delete=models.CASCADE, related_name="builds")
    number = models.PositiveBigIntegerField()
    external_id = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 - NULL is "none": it must not collide
    title = models.CharField(max_length=500, blank=True)
    branch = models.CharField(max_length=200, blank=True)
    revision = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    origin_url = models.URLField(max_length=2000, blank=True)
    properties = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=9, choices=BuildState.choices, default=BuildState.RUNNING)
    results = models.CharField(max_length=9, choices=Results.choices, null=True, blank=True)  # noqa: DJ001 - as in the API
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(default=timezone.now)
    abandoned_at = models.DateTimeField(null=True, blank=True)
    ended_by_silence = models.BooleanField(default=False)
    pinned = models.BooleanField(
        default=False, help_text="Neither retention nor anybody deletes it until it is unpinned."
    )
    viewed_at = models.DateTimeField(null=True, blank=True, editable=False)
    stored_bytes = models.PositiveBigIntegerField(null=True, blank=True, editable=False)
    deletion_began_at = models.DateTimeField(null=True, blank=True, editable=False)
    version = models.PositiveBigIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["builder", "number"], name="build_number_in_builder"),
            models.UniqueConstraint(fields=["builder", "external_id"], name="build_external_id_in_builder"),
        ]
        indexes = [
            models.Index(fields=["builder", "-number"], name="build_newest"),
            models.Index(fields=["state", "-id"], name="build_state"),
            models.Index(fields=["started_at"], name="build_started"),
            models.Index(fields=["builder", "started_at"], name="build_of_time"),
            models.Index(fields=["pinned", "id"], name="build_pinned", condition=models.Q(pinned=True)),
            # A builder's list, filtered: a word that few of its builds have must not cost a look at all of them.
            models.Index(fields=["builder", "state", "-number"], name="build_of_state"),
            models.Index(fields=["builder", "results", "-number"], name="build_of_results"),
            models.Index(fields=["builder", "branch", "-number"], name="build_of_branch"),
            # The API's list over builders, newest first, for filters that few builds fit.
            models.Index(fields=["builder", "-id"], name="build_list"),
            models.Index(fields=["results", "-id"], name="build_list_results"),
            models.Index(fields=["branch", "-id"], name="build_list_branch"),
            # What upkeep asks for every few seconds: few rows, whatever the number of builds.
            models.Index(
                fields=["abandoned_at"], name="build_abandoned", condition=models.Q(abandoned_at__isnull=False)
            ),
            models.Index(
                fields=["id"],
                name="build_to_weigh",
                condition=models.Q(state=BuildState.FINISHED, stored_bytes__isnull=True),
            ),
            models.Index(
                fields=["deletion_began_at"],
                name="build_being_deleted",
                condition=models.Q(deletion_began_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.builder}/{self.number}"

    def get_absolute_url(self) -> str:
        """The build's page."""
        return reverse("logviewer:build", args=[self.builder.project.slug, self.builder.slug, self.number])


class Step(models.Model):
    """One command of a build."""

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=MAX_NAME_CHARACTERS)
    slug = models.CharField(max_length=MAX_STEP_SLUG_CHARACTERS)
    state = models.CharField(max_length=9, choices=StepState.choices, default=StepState.RUNNING)
    results = models.CharField(max_length=9, choices=Results.choices, null=True, blank=True)  # noqa: DJ001 - as in the API
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["build", "number"], name="step_number_in_build"),
            models.UniqueConstraint(fields=["build", "slug"], name="step_slug_in_build"),
        ]

    def __str__(self) -> str:
        return f"{self.build}/{self.number}-{self.slug}"

    def get_absolute_url(self) -> str:
        """The step on its build's page."""
        return f"{self.build.get_absolute_url()}?step={self.number}"
