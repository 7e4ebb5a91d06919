"""What all logs take up: counted now and then, because adding up millions of rows takes longer than a page may."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class StorageSurvey(models.Model):
    """The last survey that was finished, in the one row there is, and when the next one is due.

    `figures` is `{"builders": {ID: [logs, text, here, elsewhere]}, "days": {"2026-11-20": [logs, text, stored]}}`, all
    but the logs in bytes; a day's are those of the logs that were begun on it, in UTC. `due_at` is put off by whoever
    begins a survey, so that of several processes one does it.
    """

    finished_at = models.DateTimeField(null=True, blank=True)
    seconds = models.FloatField(default=0.0)
    due_at = models.DateTimeField(default=timezone.now)
    figures = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"storage survey of {self.finished_at:%Y-%m-%d %H:%M:%S}" if self.finished_at else "storage survey"
