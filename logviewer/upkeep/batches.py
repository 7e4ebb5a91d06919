"""Going through rows a batch at a time: neither memory nor a transaction grows with how many there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)


def in_batches(rows: QuerySet[Row], batch_rows: int) -> Iterator[Row]:
    """Yield rows by id, so many a query; what a row is looked up by may change once it was yielded."""
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:batch_rows]):
        yield from batch
        last = batch[-1].pk
