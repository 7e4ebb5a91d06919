"""Answers that are asked for again and again: not sent where they are known already."""

from __future__ import annotations

import hashlib
from typing import cast

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response


def answer_unless_known(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The response with an ETag of its body; 304 for who has it. No time: what was so may be corrected later.

    Whoever keeps it asks each time: a build may end in any moment, and a project become private.
    """
    response.headers["ETag"] = etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Authorization, Cookie"
    return cast(HttpResponse, get_conditional_response(request, etag, None, response))
