"""The site's address for whoever is not looking at it now: readers of feeds, and pages elsewhere that show a badge."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def origin_of(request: HttpRequest) -> str:
    """`https://logs.example.org`: BUILDLOGS_PUBLIC_URL, else as the request came in."""
    known: str | None = settings.PUBLIC_URL
    return known or request.build_absolute_uri("/").rstrip("/")
