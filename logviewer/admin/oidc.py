"""What of allauth stands in the admin, where it is loaded: who signs in elsewhere, and no more."""

from __future__ import annotations

from django.apps import apps
from django.contrib import admin

NOT_HERE = (("account", "EmailAddress"), ("socialaccount", "SocialApp"), ("socialaccount", "SocialToken"))
"""The provider is configured by the environment alone; tokens of it are not kept, addresses are no identity."""


def take_away() -> None:
    """Unregister what allauth has registered before us."""
    for app, model in NOT_HERE:
        if apps.is_installed(f"allauth.{app}") and admin.site.is_registered(apps.get_model(app, model)):
            admin.site.unregister(apps.get_model(app, model))
