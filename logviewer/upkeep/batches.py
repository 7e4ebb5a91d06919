"""Going through logs a batch at a time: neither memory nor a transaction grows with how many there are."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet

from logviewer.models import LogFile


def in_batches(logs: QuerySet[LogFile], batch_logs: int) -> Iterator[LogFile]:
    """Yield rows by id, so many a query; what a row is looked up by may change once it was yielded."""
    last = 0
    while batch := list(logs.filter(pk__gt=last).order_by("pk")[:batch_logs]):
        yield from batch
        last = batch[-1].pk
