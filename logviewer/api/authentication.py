"""Who is asking the REST API."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from ninja.utils import check_csrf

from logviewer.resources.access import Caller, check_may_write_at_all, identify
from logviewer.resources.errors import Forbidden

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class ApiRequest(HttpRequest):
    """A request as the API's views get it: `auth` says who is asking."""

    auth: Caller


def check_token(request: HttpRequest) -> None:
    """Look at the request's token before anything else is done, and remember whose it is.

    Raises:
        Unauthenticated: there is an Authorization header, but it holds no valid token.
    """
    authorization = request.headers.get("Authorization")
    if authorization is not None:
        request.META["buildlogs.caller"] = identify(authorization, AnonymousUser())


def authenticate(request: HttpRequest) -> Caller:
    """The caller: the token that `check_token` found, else the session's user.

    Raises:
        Unauthenticated: nobody is asking, and wants to write.
        Forbidden: a session's user wants to write, without the CSRF token that shows it was meant (a Bearer token is
            never sent by a browser on its own, and needs none).
    """
    known = request.META.get("buildlogs.caller")
    if isinstance(known, Caller):
        return known
    caller = identify(None, request.user)
    if request.method not in SAFE_METHODS:
        check_may_write_at_all(caller)
        if check_csrf(request) is not None:
            raise Forbidden(
                "the CSRF token is missing or wrong: send the cookie's value as X-CSRFToken, or use a token"
            )
    return caller
