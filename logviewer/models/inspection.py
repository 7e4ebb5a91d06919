"""What was found in logs: lines that are errors or warnings, folds, and how far a log was looked at."""

from __future__ import annotations

from django.db import models

from logviewer.models.logfile import LogFile
from logviewer.models.states import Level

MAX_MESSAGE_CHARACTERS = 500
MAX_PATH_CHARACTERS = 500
MAX_FOLD_NAME_CHARACTERS = 200


class Annotation(models.Model):
    """A line of a log that is an error or a warning; `path` and `path_line` say of which source file, where told."""

    log = models.ForeignKey(LogFile, on_delete=models.CASCADE, related_name="annotations")
    line = models.PositiveBigIntegerField()
    level = models.CharField(max_length=7, choices=Level.choices)
    message = models.CharField(max_length=MAX_MESSAGE_CHARACTERS)
    path = models.CharField(max_length=MAX_PATH_CHARACTERS, blank=True)
    path_line = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["line"]
        constraints = [models.UniqueConstraint(fields=["log", "line"], name="annotation_line_in_log")]

    def __str__(self) -> str:
        return f"{self.level} in line {self.line} of {self.log}"


class Fold(models.Model):
    """Lines `start` to `end` of a log that belong together, the `number`th from 0; `end` is null while it is open."""

    log = models.ForeignKey(LogFile, on_delete=models.CASCADE, related_name="folds")
    number = models.PositiveIntegerField()
    start = models.PositiveBigIntegerField()
    end = models.PositiveBigIntegerField(null=True, blank=True)
    name = models.CharField(max_length=MAX_FOLD_NAME_CHARACTERS, blank=True)
    level = models.PositiveSmallIntegerField()
    seconds = models.FloatField(null=True, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["log", "number"], name="fold_number_in_log")]

    def __str__(self) -> str:
        return f"{self.name} in {self.log}"


class Inspection(models.Model):
    """What has to be known to go on looking at a log at its `looked_bytes`, and how many folds it has so far."""

    log = models.OneToOneField(LogFile, on_delete=models.CASCADE, primary_key=True, related_name="inspection")
    state = models.JSONField(default=dict)
    folds = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"inspection of {self.log}"
