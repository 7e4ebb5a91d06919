"""Signing in: with a name and a password, or by way of OpenID Connect where the server has a provider."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from logviewer.models import SignInBucket
from logviewer.resources.client import client_address, counted_as

logger = logging.getLogger(__name__)

TOO_MANY = 429


class Throttled(ValidationError):
    """Too many passwords were tried; `wait_seconds` until the next may be."""

    def __init__(self, wait_seconds: int) -> None:
        unit = "second" if wait_seconds == 1 else "seconds"
        super().__init__(f"Too many tries. Wait {wait_seconds} {unit}, then try again.", code="throttled")
        self.wait_seconds = wait_seconds


def counted_address(request: HttpRequest) -> str:
    """The client's address as tries are counted by it."""
    forwarded = request.headers.get("X-Forwarded-For", "")
    return counted_as(client_address(request.META.get("REMOTE_ADDR", ""), forwarded, settings.TRUSTED_PROXIES))


def take_a_try(request: HttpRequest, username: str) -> str:
    """Count one try at the account's password, before it is looked at; returns the address it is counted with.

    Raises:
        Throttled: there were too many, of the account or from the address; this one is not to be made.
    """
    address = counted_address(request)
    wait = SignInBucket.take(username, address)
    if wait:
        logger.warning("too many tries at a password, the last one from %s", address)
        raise Throttled(wait)
    return address


class SignInForm(AuthenticationForm):
    """Name and password. What is wrong is told in the same words whether there is such an account or not."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "Name and password do not belong together. Upper and lower case differ in both.",
    }
    wait_seconds = 0

    def clean(self) -> dict[str, Any]:
        """Look at the password, if one more may be tried."""
        username = self.cleaned_data.get("username")
        if username is None or not self.cleaned_data.get("password"):
            return self.cleaned_data
        assert self.request is not None
        try:
            address = take_a_try(self.request, username)
        except Throttled as error:
            self.wait_seconds = error.wait_seconds
            raise
        cleaned = super().clean()
        SignInBucket.give_back(username, address)
        return cleaned


class SignIn(LoginView):
    """The page; whoever is signed in may do so as somebody else."""

    template_name = "logviewer/sign_in.html"
    authentication_form = SignInForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The form, and the other way in."""
        return {**super().get_context_data(**kwargs), "oidc_name": settings.OIDC_NAME if settings.OIDC else ""}

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Show what was wrong; 429 where it was too much."""
        response = super().form_invalid(form)
        wait = getattr(form, "wait_seconds", 0)
        if wait:
            response.status_code = TOO_MANY
            response.headers["Retry-After"] = str(wait)
        return response


sign_in = SignIn.as_view()


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """What stands at the address of the admin's own form: there is one place for passwords, and it counts them."""
    wanted = request.GET.get("next", "")
    return redirect(f"{reverse('logviewer:login')}?{urlencode({'next': wanted or reverse('admin:index')})}")
