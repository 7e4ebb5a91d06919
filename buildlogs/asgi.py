"""The ASGI application: `daphne buildlogs.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "buildlogs.settings")
django_application = get_asgi_application()

# These need the app registry, which the line above has filled.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import re_path  # noqa: E402

from logviewer.doors.guard import guard  # noqa: E402
from logviewer.doors.routing import http_doors, websockets  # noqa: E402

# Channels' router takes ASGI applications where Django's stubs expect views.
whatever_else = re_path(r"", django_application)  # type: ignore[arg-type]
application = guard(
    ProtocolTypeRouter(
        {
            "http": URLRouter([*http_doors, whatever_else]),
            "websocket": websockets,
        }
    )
)
