"""What ninja cannot know of the API for its OpenAPI document: tokens, problems, and the byte doors."""

from __future__ import annotations

from typing import Any

from logviewer.resources.problems import CONTENT_TYPE

DESCRIPTION = """Builds write their output here, and people and programs read it.

Errors are RFC 9457 problem documents. Times are RFC 3339 in UTC; `url` and `links` are path-absolute.
Reading a public project needs nothing; all else needs `Authorization: Bearer TOKEN`.
Watching live: WebSockets at `/ws/logs/{id}/` and `/ws/builds/{id}/`, subprotocol `buildlogs.v1`."""

CHUNKS_TYPE = "application/vnd.buildlogs.chunks"
LOG_ID = {"name": "log_id", "in": "path", "required": True, "schema": {"type": "integer"}}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["offset-gap", "finished", "mismatch", "invalid", "not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "object",
            "description": "each field at fault, with what is wrong with it",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}
ERROR_ANSWER: dict[str, Any] = {
    "description": "An error",
    "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def complete(document: dict[str, Any]) -> None:
    """Add to ninja's document what it lacks."""
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components.setdefault("securitySchemes", {})["token"] = {"type": "http", "scheme": "bearer"}
    document["paths"].update(DOORS)
    for path in document["paths"].values():
        for operation in path.values():
            operation.setdefault("responses", {}).setdefault("default", ERROR_ANSWER)
            # Two alternatives: a token, or nothing, which is enough for what is public.
            operation["security"] = [{"token": []}, {}]


def _query(name: str, description: str, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": kind}}


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "integer", "minimum": 0}}


def _bytes(media_type: str) -> dict[str, Any]:
    return {media_type: {"schema": {"type": "string", "contentEncoding": "binary"}}}


DOORS: dict[str, Any] = {
    "/api/v1/logs/{log_id}/chunks": {
        "post": {
            "operationId": "append_chunks",
            "tags": ["logs"],
            "summary": "Append output: a chunk stream, or plain text on one channel",
            "parameters": [
                LOG_ID,
                _query("channel", "of plain text: stdout, stderr or header"),
                _header("Upload-Offset", "payload bytes that the server had before this body"),
                _header("Upload-Skip", "bytes from there on that the writer has lost"),
            ],
            "requestBody": {"required": True, "content": {**_bytes(CHUNKS_TYPE), **_bytes("text/plain")}},
            "responses": {
                "200": {
                    "description": "Stored",
                    "headers": {"Upload-Offset": {"schema": {"type": "integer"}}},
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["received"],
                                "properties": {"received": {"type": "integer"}},
                            }
                        }
                    },
                }
            },
        },
    },
    "/api/v1/logs/{log_id}/raw": {
        "get": {
            "operationId": "read_raw",
            "tags": ["logs"],
            "summary": "The text; of an open log what there is now, or with follow=1 until it is finished",
            "parameters": [
                LOG_ID,
                _query("channels", "such as stdout,stderr; all where it is not given"),
                _query("follow", "1: go on until the log is finished", "integer"),
                _query("download", "1: as a file to be saved", "integer"),
            ],
            "responses": {
                "200": {"description": "The text", "content": _bytes("text/plain")},
                "206": {"description": "The range asked for", "content": _bytes("text/plain")},
                "304": {"description": "Not changed"},
            },
        }
    },
}
