"""Problems as Django responses, and the middleware that sees to it that below /api/ no error looks otherwise."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja.errors import HttpError, ValidationError

from logviewer.api.authentication import check_token
from logviewer.resources.errors import Invalid
from logviewer.resources.problems import CONTENT_TYPE, Problem, internal, of_status, problem_from

logger = logging.getLogger(__name__)

API_PREFIX = "/api/"
FIRST_ERROR_STATUS = 400


def response_of(problem: Problem) -> HttpResponse:
    """The response that carries `problem`."""
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", **problem.headers}
    return HttpResponse(problem.body(), content_type=CONTENT_TYPE, status=problem.status, headers=headers)


def answer_error(error: Exception) -> HttpResponse:
    """The response for an error of a view; what no client can act on goes to the log and is a plain 500."""
    problem = _problem_of_ninja(error) or problem_from(error)
    if problem is None:
        logger.error("a request to the API failed", exc_info=error)
        problem = internal()
    return response_of(problem)


def _problem_of_ninja(error: Exception) -> Problem | None:
    """The problem for an error that ninja wraps or makes."""
    if isinstance(error, ValidationError):
        return problem_from(Invalid(_fields_at_fault(error)))
    if isinstance(error, HttpError):
        # An error of the parser comes wrapped in one of these.
        cause = error.__cause__
        return (problem_from(cause) if isinstance(cause, Exception) else None) or of_status(error.status_code)
    return None


def _fields_at_fault(error: ValidationError) -> dict[str, list[str]]:
    """Each field with its messages. A location is (source, name of the view's argument, field, …)."""
    fields: dict[str, list[str]] = {}
    for fault in error.errors:
        source, *path = fault["loc"]
        if source == "body" or len(path) > 1:
            path = path[1:]
        name = ".".join(str(part) for part in path) or str(source)
        message = "unknown field" if fault["type"] == "extra_forbidden" else str(fault["msg"])
        fields.setdefault(name, []).append(message.removeprefix("Value error, "))
    return fields


class ProblemMiddleware:
    """Keeps the promises that hold for every address below /api/, whether there is anything at it or not.

    A wrong token is refused before anything else is looked at; HEAD is GET without the body; and every error, also one
    that Django itself answers with HTML (no such address, wrong host, a fault), leaves as a problem document. It
    stands first in MIDDLEWARE, so that the others' errors pass through it as well.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request."""
        if not request.path_info.startswith(API_PREFIX):
            return self._get_response(request)
        return _refusal(request) or _finished(request, self._get_response(request))


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """The answer to a request whose token is wrong; otherwise None, and the request made ready."""
    try:
        check_token(request)
    except Exception as error:
        return answer_error(error)
    if request.method == "HEAD":
        request.method = "GET"
        request.META["buildlogs.head"] = True
    return None


def _finished(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """The response as it leaves: errors as problems, HEAD without a body."""
    if isinstance(response, HttpResponse):
        is_problem = response.headers.get("Content-Type", "").startswith(CONTENT_TYPE)
        if response.status_code >= FIRST_ERROR_STATUS and not is_problem:
            response.content = of_status(response.status_code).body()
            response.headers["Content-Type"] = CONTENT_TYPE
            response.headers.pop("Content-Length", None)
        if request.META.get("buildlogs.head"):
            response.headers["Content-Length"] = str(len(response.content))
            response.content = b""
    return response
