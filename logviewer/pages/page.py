"""What all pages have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from logviewer.resources.errors import Unauthenticated

Arguments = ParamSpec("Arguments")


def page(
    view: Callable[Concatenate[HttpRequest, Arguments], HttpResponse], /
) -> Callable[Concatenate[HttpRequest, Arguments], HttpResponse]:
    """Take GET and HEAD alone, and answer a token that is no good with a page that says so (RFC 6750, section 3)."""

    @wraps(view)
    def answer(request: HttpRequest, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Unauthenticated as error:
            response = render(request, "401.html", {"reason": str(error)}, status=401)
            response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
            return response

    return require_safe(answer)
