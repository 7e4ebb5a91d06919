"""GET /openapi.json and /docs."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from django.test import Client
from django.urls import get_resolver

from buildlogs.asgi import application
from logviewer.doors.routing import http_doors

CONTRACT = {
    "/api/v1/projects": {"get"},
    "/api/v1/projects/{slug}": {"get", "patch"},
    "/api/v1/projects/{slug}/builders": {"get"},
    "/api/v1/projects/{slug}/members": {"get", "post"},
    "/api/v1/projects/{slug}/members/{member_id}": {"delete"},
    "/api/v1/projects/{slug}/tokens": {"get", "post"},
    "/api/v1/projects/{slug}/tokens/{token_id}": {"delete"},
    "/api/v1/projects/{slug}/retention": {"get"},
    "/api/v1/builds": {"get", "post"},
    "/api/v1/builds/{build_id}": {"get", "patch", "delete"},
    "/api/v1/builds/{build_id}/finish": {"post"},
    "/api/v1/builds/{build_id}/heartbeat": {"post"},
    "/api/v1/builds/{build_id}/steps": {"post"},
    "/api/v1/builds/{build_id}/summary": {"get"},
    "/api/v1/steps/{step_id}/finish": {"post"},
    "/api/v1/steps/{step_id}/logs": {"post"},
    "/api/v1/logs/{log_id}": {"get", "delete"},
    "/api/v1/logs/{log_id}/finish": {"post"},
    "/api/v1/logs/{log_id}/redact": {"post"},
    "/api/v1/logs/{log_id}/chunks": {"get", "post"},
    "/api/v1/builds/{build_id}/logs.zip": {"get"},
    "/api/v1/logs.zip": {"get"},
    "/api/v1/audit": {"get"},
    "/api/v1/logs/{log_id}/lines": {"get"},
    "/api/v1/logs/{log_id}/marks": {"get"},
    "/api/v1/logs/{log_id}/progressiveText": {"get"},
    "/api/v1/logs/{log_id}/raw": {"get"},
    "/api/v1/logs/{log_id}/search": {"get"},
    "/api/v1/projects/{slug}/webhooks": {"get", "post"},
    "/api/v1/webhooks/{webhook_id}": {"get", "patch", "delete"},
    "/api/v1/webhooks/{webhook_id}/deliveries": {"get"},
    "/api/v1/webhooks/{webhook_id}/secret": {"post"},
    "/api/v1/deliveries/{delivery_id}/retry": {"post"},
}


def byte_doors() -> set[str]:
    """The addresses below the API that Django never sees, as the document writes them."""
    patterns = [str(route.pattern).strip("^$").replace("\\.", ".") for route in http_doors]
    return {"/" + re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", each) for each in patterns if each.startswith("api/v1/")}


BYTE_DOORS = byte_doors()


def document(client: Client) -> Any:
    response = client.get("/api/v1/openapi.json")
    assert response.status_code == 200
    return response.json()


def test_the_document_is_openapi_3_1_and_names_every_call(client: Client) -> None:
    found = document(client)
    assert found["openapi"].startswith("3.1.")
    assert {path: set(operations) for path, operations in found["paths"].items()} == CONTRACT


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", sorted(BYTE_DOORS))
async def test_what_the_document_says_of_a_byte_door_is_what_the_door_takes(path: str) -> None:
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        answer = await client.request("BREW", path.format(build_id=1, log_id=1))
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].lower().split(", ")) - {"head"} == CONTRACT[path]


def test_every_reference_in_the_document_leads_somewhere(client: Client) -> None:
    found = document(client)

    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    named = references(found)
    assert "#/components/schemas/Problem" in named
    assert {name.rpartition("/")[2] for name in named} <= set(found["components"]["schemas"])
    assert all(name.startswith("#/components/schemas/") for name in named)


def test_every_call_says_how_it_fails_and_that_it_takes_a_token(client: Client) -> None:
    for path, operations in document(client)["paths"].items():
        for operation in operations.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"], path
            assert {"token": []} in operation["security"], path
            assert operation["operationId"], path


def test_bodies_say_that_they_take_no_other_members(client: Client) -> None:
    schemas = document(client)["components"]["schemas"]
    for name in ("BuildToCreate", "BuildChange", "LinesToRedact", "StepToCreate", "LogToCreate", "Ending", "LogEnding"):
        assert schemas[name]["additionalProperties"] is False, name


def test_the_documentation_fetches_nothing_from_elsewhere(client: Client) -> None:
    response = client.get("/api/v1/docs")
    page = response.content.decode()
    assert response.status_code == 200
    addresses = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert addresses
    assert [address for address in addresses if not address.startswith("/static/")] == []
    assert "://" not in page
    assert re.search(r"<script(?![^>]*(src|application/json))", page) is None
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_the_document_names_every_address_below_the_api_and_no_other(client: Client) -> None:
    resolver = next(part for part in get_resolver().url_patterns if str(part.pattern) == "api/v1/")
    served = {"/api/v1/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(part.pattern)) for part in resolver.url_patterns}  # type: ignore[union-attr]
    own = {"/api/v1/", "/api/v1/docs", "/api/v1/openapi.json"}
    assert len(BYTE_DOORS) == 8
    assert served - own | BYTE_DOORS == set(document(client)["paths"])
