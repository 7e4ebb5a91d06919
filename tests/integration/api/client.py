"""A client of the REST API that checks what holds for every answer."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

from logviewer.models import Build, Builder, LogFile, Project, Step

BASE = "/api/v1"


class Answer:
    """An answer with its JSON read."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.status: int = response.status_code
        self.headers = response.headers
        self.json: Any = json.loads(response.content) if response.content else None

    def problem(self) -> tuple[int, str]:
        """Status and type of a problem document, after checking that it is one."""
        assert self.headers["Content-Type"] == "application/problem+json", self.response.content[:500]
        assert self.json["status"] == self.status
        assert self.json["title"]
        assert self.json["detail"]
        assert "Traceback" not in self.response.content.decode()
        return self.status, self.json["type"]

    @property
    def errors(self) -> list[str]:
        """The names of the fields at fault."""
        return sorted(self.json["errors"])


class ApiClient:
    """Sends JSON, with a token where there is one."""

    def __init__(self, token: str | None = None, client: Client | None = None) -> None:
        self.client = client or Client()
        self.token = token

    def with_token(self, token: str) -> ApiClient:
        """The same client with a token."""
        return ApiClient(token, self.client)

    def get(self, path: str, **query: Any) -> Answer:
        return self.send("GET", path, query=query)

    def post(self, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str) -> Answer:
        return self.send("POST", path, body, raw=raw, **headers)

    def patch(self, path: str, body: Any = None, *, raw: bytes | None = None) -> Answer:
        return self.send("PATCH", path, body, raw=raw)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        query: dict[str, Any] | None = None,
        **headers: str,
    ) -> Answer:
        """Send a request to a path below the API's base, or, where it begins with /api, to that path."""
        if self.token is not None:
            headers["HTTP_AUTHORIZATION"] = f"Bearer {self.token}"
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        return Answer(
            self.client.generic(
                method,
                path if path.startswith("/api") else BASE + path,
                data,
                content_type="application/json",
                query_params=query or {},
                **headers,
            )
        )


def stored() -> dict[str, list[tuple[Any, ...]]]:
    """All that the database holds of the nouns that the API writes, for comparing before and after."""
    return {
        model.__name__: list(model._default_manager.order_by("pk").values_list())
        for model in (Project, Builder, Build, Step, LogFile)
    }
