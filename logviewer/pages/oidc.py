"""Signing in by OpenID Connect, with allauth: its two addresses and what we do otherwise than it (ADR 29).

Imported only where a provider is configured. Of allauth's pages none is used: no sign-up, no mail, no passwords.
"""

from __future__ import annotations

import logging
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.providers.base import ProviderException
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from logviewer.models import SignInBucket
from logviewer.pages.sign_in import TOO_MANY, SignInForm, Throttled, counted_address

logger = logging.getLogger(__name__)

CANCELLED = "cancelled"
TROUBLE = "Signing in there did not work. Try again; if it stays so, the server's log says why."
LEFT = "You left before you were signed in."
LOCKED = "This account is locked here. Whoever runs this server can say why."


def _page(request: HttpRequest, trouble: str, status: int) -> HttpResponse:
    """The sign-in page, which says what went wrong."""
    context = {"form": SignInForm(request), "oidc_name": settings.OIDC_NAME, "trouble": trouble, "next": ""}
    return render(request, "logviewer/sign_in.html", context, status=status)


class Accounts(DefaultAccountAdapter):
    """Accounts come from the provider or from a keeper; allauth itself opens none, writes to nobody, says nothing."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody makes an account by a form."""
        return False

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Say nothing: the page's corner says who is signed in."""

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send nothing: this server has no mail."""

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        """Tell the owner of a locked account, whom the provider knows, that it is."""
        return _page(request, LOCKED, 403)


class OidcAccounts(DefaultSocialAccountAdapter):
    """Whoever the provider lets in has an account from then on: of theirs alone, whatever the name or address."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """The provider decides."""
        return True

    def is_auto_signup_allowed(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Ask nobody anything; a name that is taken gets a number."""
        return True

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        """Show our page instead of allauth's; why it went wrong goes to the log, the secrets in it do not."""
        if error == CANCELLED:
            raise ImmediateHttpResponse(_page(request, LEFT, 200))
        why = "no such sign-in was begun in this browser" if exception is None else type(exception).__name__
        logger.warning("signing in by OpenID Connect failed: %s", why)
        raise ImmediateHttpResponse(_page(request, TROUBLE, 401))


class CheckingAdapter(OpenIDConnectOAuth2Adapter):
    """Looks at the ID token's signature also where TLS would do, and that both answers speak of the same person."""

    def get_access_token_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What the token endpoint answers."""
        data: dict[str, Any] = super().get_access_token_data(*args, **kwargs)
        self.did_fetch_access_token = False  # true would have allauth skip the signature
        return data

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        """Who it is. ProviderException where the answers are not those of OpenID Connect Core, 3.1.3 and 5.3."""
        id_token = kwargs["response"].get("id_token")
        if not id_token:
            raise ProviderException("the provider sent no ID token")
        claims = self._decode_id_token(app, id_token)
        userinfo = self._fetch_user_info(token.token)
        if not claims.get("sub") or not isinstance(userinfo, dict) or userinfo.get("sub") != claims["sub"]:
            raise ProviderException("the ID token and the userinfo endpoint do not speak of the same person")
        return self.get_provider().sociallogin_from_response(request, {"userinfo": userinfo, "id_token": claims})


def _answer(view: type[OAuth2LoginView] | type[OAuth2CallbackView], request: HttpRequest, provider_id: str) -> Any:
    adapter = CheckingAdapter(request, provider_id)
    try:
        return view.adapter_view(adapter)(request)
    except ImmediateHttpResponse as answer:
        return answer.response
    except (KeyError, TypeError, ValueError, OSError) as error:
        # An answer that is none of OpenID Connect, or none at all; allauth expects what is well-formed.
        logger.warning("signing in by OpenID Connect failed: %s", type(error).__name__)
        return _page(request, TROUBLE, 401)


@never_cache
@require_safe
def oidc_login(request: HttpRequest, provider_id: str) -> Any:
    """Send the browser to the provider, if from its address one more sign-in may be begun: each makes a session.

    Of the address nothing but `next` counts: `process=connect`, which allauth knows too, would have whoever the
    provider names sign in as the user of this session from then on.
    """
    if set(request.GET) - {"next"}:
        return _page(request, TROUBLE, 400)
    address = counted_address(request)
    wait = SignInBucket.take_elsewhere(address)
    if wait:
        logger.warning("too many sign-ins by OpenID Connect were begun, the last one from %s", address)
        response = _page(request, str(Throttled(wait).message), TOO_MANY)
        response.headers["Retry-After"] = str(wait)
        return response
    return _answer(OAuth2LoginView, request, provider_id)


@never_cache
@require_safe
def oidc_callback(request: HttpRequest, provider_id: str) -> Any:
    """Take what the provider says of the browser's user; a sign-in that comes of it costs the address none."""
    before = request.session.session_key
    response = _answer(OAuth2CallbackView, request, provider_id)
    if request.user.is_authenticated and request.session.session_key != before:
        SignInBucket.give_back_elsewhere(counted_address(request))
    return response
