"""Django's own handler, with all middleware and the view in one go on one thread.

Nothing that Django serves here is asynchronous: bytes go through doors. On an asynchronous chain each of the
middlewares would be taken to the request's thread and back for each of its halves, and one that is synchronous only
(WhiteNoise's) from there to the event loop: some 20 changes of threads a request, a third of what it costs (ADR 0023).
"""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class SynchronousHandler(ASGIHandler):
    """The ASGI application of Django's pages and resources."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Chain the middlewares as under WSGI, whatever is asked for."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request on the thread that is the request's own."""
        answer: Any = sync_to_async(self.get_response, thread_sensitive=True)
        response: HttpResponseBase = await answer(request)
        return response
