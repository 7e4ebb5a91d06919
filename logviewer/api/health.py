"""Whether the server lives, and whether it can work."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable

import redis
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from logviewer.models import Project

logger = logging.getLogger(__name__)

LAYER_TIMEOUT_SECONDS = 2.0


@csrf_exempt
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process lives."""
    return _answer({"status": "ok"}, 200)


@csrf_exempt
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """The database, the channel layer and the data directory answer; 503 where one of them does not."""
    parts = {name: _works(name, check) for name, check in CHECKS.items()}
    ready = all(parts.values())
    words = {name: "ok" if works else "failed" for name, works in parts.items()}
    return _answer({"status": "ok" if ready else "unavailable", **words}, 200 if ready else 503)


def _answer(body: dict[str, str], status: int) -> JsonResponse:
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})


def _works(name: str, check: Callable[[], None]) -> bool:
    """Whether the check goes through; why not goes to the log, not to whoever asks."""
    try:
        check()
    except Exception:
        logger.exception("not ready: %s", name)
        return False
    return True


def check_database() -> None:
    """Raise unless the database answers and has our tables."""
    Project.objects.exists()


def check_layer() -> None:
    """Raise unless the Redis of the channel layer answers; without one the layer is this process's own memory."""
    if settings.REDIS_URL:
        with redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=LAYER_TIMEOUT_SECONDS,
            socket_connect_timeout=LAYER_TIMEOUT_SECONDS,
        ) as client:
            client.ping()


def check_data_directory() -> None:
    """Raise unless a file can be written below the data directory."""
    with tempfile.NamedTemporaryFile(dir=settings.DATA_DIR, prefix=".ready-") as file:
        file.write(b"ready")
        file.flush()


CHECKS: dict[str, Callable[[], None]] = {
    "database": check_database,
    "layer": check_layer,
    "data_directory": check_data_directory,
}
