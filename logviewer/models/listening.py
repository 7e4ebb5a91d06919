"""When there was somebody to hear writers at all."""

from __future__ import annotations

from django.db import models


class ListeningTime(models.Model):
    """A time in which one server process took output without interruption: from `since` to at least `until`.

    The process moves `until` on while it runs; one that was held up begins another row. Silence of writers counts only
    while there is such a time (docs/adr/0014).
    """

    since = models.DateTimeField()
    until = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-until"]

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d %H:%M:%S} to {self.until:%Y-%m-%d %H:%M:%S}"
