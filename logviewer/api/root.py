"""The API as a whole, mounted at /api/v1."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI, Swagger
from ninja.errors import HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema

from logviewer.api import audit, builds, logs, members, projects, steps, webhooks
from logviewer.api.answers import answer_error
from logviewer.api.authentication import authenticate
from logviewer.api.description import DESCRIPTION, complete
from logviewer.api.parser import StrictParser


class BuildlogsAPI(NinjaAPI):
    """ninja's API with a complete OpenAPI document: errors, tokens and the byte doors included."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, object] | None = None
    ) -> OpenAPISchema:
        """The OpenAPI 3.1 document."""
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        complete(schema)
        return schema


def _answer(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    assert isinstance(error, Exception)
    return answer_error(error)


# validatorUrl: Swagger UI would ask a server of its makers whether the document is valid.
api = BuildlogsAPI(
    title="buildlogs",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    auth=authenticate,
    parser=StrictParser(),
    docs=Swagger(settings={"validatorUrl": None, "docExpansion": "list"}),
)
api.add_router("/projects", projects.router)
api.add_router("/projects", members.router)
api.add_router("/builds", builds.router)
api.add_router("/steps", steps.router)
api.add_router("/logs", logs.router)
api.add_router("/projects", webhooks.of_project)
api.add_router("/webhooks", webhooks.router)
api.add_router("/deliveries", webhooks.deliveries)
api.add_router("/audit", audit.router)
for kind in (Exception, Http404, HttpError, ValidationError):
    api.add_exception_handler(kind, _answer)
