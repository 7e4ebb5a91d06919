"""What a page says while the database is away."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.deprecation import MiddlewareMixin

from logviewer.live.database import AWAY_ERRORS
from logviewer.resources.problems import RETRY_DATABASE_SECONDS

logger = logging.getLogger(__name__)


class DatabaseAwayMiddleware(MiddlewareMixin):
    """Answers a page whose view could not reach the database with 503 instead of 500: nothing is broken, it passes."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The page that says so; None for any other exception."""
        if not isinstance(exception, AWAY_ERRORS):
            return None
        logger.warning("a page could not be made: %s", str(exception).strip())
        headers = {"Retry-After": str(RETRY_DATABASE_SECONDS), "Cache-Control": "no-store"}
        return HttpResponse(render_to_string("503.html"), status=503, headers=headers)
