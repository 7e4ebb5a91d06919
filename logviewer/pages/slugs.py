"""Lists that go by slug, page after page: `?after=SLUG`."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import QuerySet
from django.http import QueryDict

from logviewer.models import Builder, Project

Row = TypeVar("Row", Builder, Project)


def slug_after(query: QueryDict) -> str:
    """The slug after which the page begins; empty for the first page."""
    return query.get("after", "").replace("\0", "")  # PostgreSQL refuses NUL in text


def page_of(rows: QuerySet[Row], most: int) -> tuple[list[Row], str | None]:
    """The first `most` of the rows, which are ordered by slug, and the query of the next page, if there is one."""
    found = list(rows[: most + 1])
    shown = found[:most]
    if len(found) == len(shown):
        return shown, None
    query = QueryDict(mutable=True)
    query["after"] = shown[-1].slug
    return shown, f"?{query.urlencode()}"
