"""Django's entry to the app."""

from django.apps import AppConfig


class LogviewerConfig(AppConfig):
    """buildlogs' one app."""

    name = "logviewer"
    verbose_name = "buildlogs"
