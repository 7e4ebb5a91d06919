"""Django's entry to the app."""

from django.apps import AppConfig


class LogviewerConfig(AppConfig):
    """buildlogs' one app."""

    name = "logviewer"
    verbose_name = "buildlogs"

    def ready(self) -> None:
        """Have what happens to builds and logs written into the outbox of webhooks."""
        from logviewer.webhooks.outbox import listen

        listen()
