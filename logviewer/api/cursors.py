"""Lists in pages. A cursor says where the next page begins; what it is made of is nobody's business but ours."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from logviewer.resources.access import MAX_ID
from logviewer.resources.errors import Invalid

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
MAX_CURSOR_CHARACTERS = 200

Noun = TypeVar("Noun", bound=Model)
Shape = TypeVar("Shape")


class Page(TypedDict, Generic[Shape]):
    """Some of a list; `next` is the cursor of the page after this one, null where this is the last."""

    items: list[Shape]
    next: str | None


class PageQuery(BaseModel):
    """Which page of a list."""

    cursor: str | None = Field(None, max_length=MAX_CURSOR_CHARACTERS, description="`next` of the page before")
    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="how many items at most")


def encode(kind: str, place: object) -> str:
    """The cursor for a list of that kind whose last item stands at `place`."""
    return base64.urlsafe_b64encode(f"{kind}:{place}".encode()).decode().rstrip("=")


def decode(kind: str, cursor: str) -> str:
    """The place in a list of that kind; Invalid if the cursor is none of such a list."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found, _, place = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").partition(":")
    except (ValueError, binascii.Error):
        found = place = ""
    if found != kind or not place or not place.isprintable():  # PostgreSQL refuses to be asked for NUL
        raise Invalid({"cursor": ["is not a cursor that this list has given"]})
    return place


def decode_id(kind: str, cursor: str) -> int:
    """As `decode`, for a list whose places are ids."""
    place = decode(kind, cursor)
    if not (place.isascii() and place.isdigit() and int(place) <= MAX_ID):
        raise Invalid({"cursor": ["is not a cursor that this list has given"]})
    return int(place)


def page_of(
    nouns: QuerySet[Noun], query: PageQuery, shape: Callable[[Noun], Shape], cursor_of: Callable[[Noun], str]
) -> Page[Shape]:
    """The first `query.limit` of `nouns`, which begin after the cursor already."""
    found = list(nouns[: query.limit + 1])
    items = found[: query.limit]
    following = cursor_of(items[-1]) if len(found) > len(items) else None
    return {"items": [shape(noun) for noun in items], "next": following}


def refuse_unknown(request: HttpRequest, query: type[BaseModel]) -> None:
    """Raise Invalid for parameters that the query does not know: a filter misspelt must not give everything."""
    unknown: dict[str, Any] = {name: ["unknown parameter"] for name in request.GET if name not in query.model_fields}
    if unknown:
        raise Invalid(unknown)
