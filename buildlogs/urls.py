"""The addresses of the site. The byte doors' addresses are in asgi.py: they do not pass through Django."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from logviewer.admin import storage
from logviewer.api.health import healthz, readyz
from logviewer.api.root import api
from logviewer.pages.sign_in import to_sign_in

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("api/v1/", api.urls),
    # Passwords are taken where they are counted, and nowhere else.
    path("admin/login/", to_sign_in),
    path("admin/password_change/", RedirectView.as_view(pattern_name="logviewer:password")),
    path("admin/storage/", admin.site.admin_view(storage), name="storage"),
    path("admin/", admin.site.urls),
    path("", include("logviewer.pages.urls", namespace="logviewer")),
]

if settings.OIDC:
    from logviewer.pages.oidc import oidc_callback, oidc_login  # imports allauth, whose models are not always there

    # allauth looks for these names, with this argument.
    urlpatterns += [
        path("login/oidc/", oidc_login, {"provider_id": "oidc"}, name="openid_connect_login"),
        path("login/oidc/callback/", oidc_callback, {"provider_id": "oidc"}, name="openid_connect_callback"),
    ]
