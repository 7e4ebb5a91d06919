"""Answers that are asked for again and again: not sent where they are known already."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import cast

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import http_date


def answer_unless_known(request: HttpRequest, response: HttpResponse, changed_at: datetime | None) -> HttpResponse:
    """The response with an ETag of its body and, where it is known, its time; 304 for who has it.

    Whoever keeps it asks each time: a build may end in any moment, and a project become private.
    """
    response.headers["ETag"] = etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Authorization, Cookie"
    seconds = None
    if changed_at is not None:
        seconds = int(changed_at.timestamp())
        response.headers["Last-Modified"] = http_date(seconds)
    return cast(HttpResponse, get_conditional_response(request, etag, seconds, response))
