"""Redactions that were asked for and are not done yet: whatever instant the server died at, upkeep finds them here."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from logviewer.models.logfile import LogFile


class Redaction(models.Model):
    """Lines `start` to `end` of a log, both included, that are to be overwritten; the row goes when they are.

    Who asked, and why, is in the audit log.
    """

    log = models.ForeignKey(LogFile, on_delete=models.CASCADE, related_name="redactions_to_do", db_index=False)
    start = models.PositiveBigIntegerField()
    end = models.PositiveBigIntegerField()
    asked_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["log", "start", "end"], name="redaction_once")]

    def __str__(self) -> str:
        return f"lines {self.start} to {self.end} of {self.log}"
