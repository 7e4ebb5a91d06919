"""One's own account: who one is, what one may, another password, signing out."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import LogoutView, PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from logviewer.models import Role, SignInBucket
from logviewer.pages.sign_in import take_a_try
from logviewer.resources.access import identify

MAX_ROLES_SHOWN = 200


@never_cache
@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Show whose session it is, and in which projects they have a role, by themselves or through a group."""
    caller = identify(None, request.user)
    members = caller.memberships().select_related("project", "group").order_by("project__slug", "id")
    shown = list(members[: MAX_ROLES_SHOWN + 1])
    context = {
        "members": shown[:MAX_ROLES_SHOWN],
        "has_more": len(shown) > MAX_ROLES_SHOWN,
        "may_everything": caller.is_staff,
        "roles": Role,
    }
    return render(request, "logviewer/account.html", context)


class SignOut(LogoutView):
    """Signing out is a POST; whoever follows a link here finds the button."""

    http_method_names = ["get", "head", "post", "options"]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the way to the button."""
        return redirect("logviewer:account")


class NewPasswordForm(PasswordChangeForm):
    """The old password, and the new one twice; the old one is counted as one at the sign-in is."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request

    def clean_old_password(self) -> str:
        """Look at the old password, if one more may be tried."""
        username = self.user.get_username()
        address = take_a_try(self._request, username)
        password = super().clean_old_password()
        SignInBucket.give_back(username, address)
        return password


class NewPassword(PasswordChangeView):
    """The page. All other sessions of the account end with its old password."""

    template_name = "logviewer/password.html"
    form_class = NewPasswordForm
    success_url = reverse_lazy("logviewer:account")

    def get_form_kwargs(self) -> dict[str, Any]:
        """What the form is made from: it wants to know from where it was sent."""
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        """Say that it worked."""
        response = super().form_valid(form)
        messages.success(self.request, "Your password was changed. Everywhere else you are signed out.")
        return response


sign_out = never_cache(SignOut.as_view())
new_password = never_cache(NewPassword.as_view())
