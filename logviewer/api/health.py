"""Whether the server lives, and whether it can work."""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable

import redis
from django.conf import settings
from django.db import connections
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from logviewer.models import Project

logger = logging.getLogger(__name__)

LAYER_TIMEOUT_SECONDS = 2.0

CHECK_SECONDS = 4.0
"""What all parts together may take: those who ask this way give up after 5 or 10 s."""


@csrf_exempt
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process lives."""
    return _answer({"status": "ok"}, 200)


@csrf_exempt
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """The database, the channel layer and the data directory answer; 503 where one of them does not."""
    with _looking:
        deadline = time.monotonic() + CHECK_SECONDS
        for checking in _checkings.values():
            checking.begin()
        parts = {name: part.works(max(0.0, deadline - time.monotonic())) for name, part in _checkings.items()}
    ready = all(parts.values())
    words = {name: "ok" if works else "failed" for name, works in parts.items()}
    return _answer({"status": "ok" if ready else "unavailable", **words}, 200 if ready else 503)


def _answer(body: dict[str, str], status: int) -> JsonResponse:
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})


class _Checking:
    """One part of the server, looked at on a thread of its own: what hangs must not make the answer wait.

    A part that still hangs since it was asked before is not asked again, so that hanging threads do not add up.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._works = False
        self._begun = False

    def begin(self) -> None:
        """Start to look, unless the last look is not over yet."""
        self._begun = self._thread is None or not self._thread.is_alive()
        if self._begun:
            self._works = False
            self._thread = threading.Thread(target=self._look, name=f"ready {self._name}", daemon=True)
            self._thread.start()

    def works(self, seconds: float) -> bool:
        """Whether it answers within `seconds`; why not goes to the log, not to whoever asks."""
        if self._begun and self._thread is not None:
            self._thread.join(seconds)
            if not self._thread.is_alive():
                return self._works
        logger.warning("not ready: %s does not answer", self._name)
        return False

    def _look(self) -> None:
        try:
            CHECKS[self._name]()
            self._works = True
        except Exception as error:
            logger.warning("not ready: %s: %s: %s", self._name, type(error).__name__, " ".join(str(error).split()))
        finally:
            connections.close_all()


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

_checkings = {name: _Checking(name) for name in CHECKS}
_looking = threading.Lock()
