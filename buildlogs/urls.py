"""The addresses of the site. The byte doors' addresses are in asgi.py: they do not pass through Django."""

from django.contrib import admin
from django.urls import include, path

from logviewer.admin import storage
from logviewer.api.health import healthz, readyz
from logviewer.api.root import api

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("api/v1/", api.urls),
    path("admin/storage/", admin.site.admin_view(storage), name="storage"),
    path("admin/", admin.site.urls),
    path("", include("logviewer.pages.urls", namespace="logviewer")),
]
