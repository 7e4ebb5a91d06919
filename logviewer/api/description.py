"""What ninja cannot know of the API for its OpenAPI document: tokens, problems, and the byte doors."""

from __future__ import annotations

from typing import Any

from logviewer.resources.access import MAX_ID
from logviewer.resources.problems import CONTENT_TYPE

DESCRIPTION = """Builds write their output here, and people and programs read it.

Errors are RFC 9457 problem documents. Times are RFC 3339 in UTC; `url` and `links` are path-absolute.
Reading a public project needs nothing; all else needs `Authorization: Bearer TOKEN`.
Watching live: WebSockets at `/ws/logs/{id}/`, `/ws/builds/{id}/` and `/ws/projects/{slug}/`, subprotocol
`buildlogs.v1`; writing over one socket: `/ws/intake/`.
A build whose writer sends nothing for an hour, no heartbeat either, is `abandoned`, with its open steps and logs. Any
write brings it back. A day later it is finished with the results `exception`, and its logs have the completeness
`abandoned`; the writer's own results, if they come after all, take their place."""

CHUNKS_TYPE = "application/vnd.buildlogs.chunks"
BUILD_ID = {"name": "build_id", "in": "path", "required": True, "schema": {"type": "integer"}}
LOG_ID = {"name": "log_id", "in": "path", "required": True, "schema": {"type": "integer"}}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "examples": [
                "offset-gap",
                "finished",
                "mismatch",
                "locked",
                "pinned",
                "not-finished",
                "invalid",
                "not-found",
            ],
        },
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
FOUND: dict[str, Any] = {
    "type": "object",
    "required": ["total", "exact", "hits", "next"],
    "properties": {
        "total": {"type": "integer", "description": "matching lines in the whole log"},
        "exact": {"type": "boolean", "description": "false: there are at least so many"},
        "hits": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["n", "spans", "text"],
                "properties": {
                    "n": {"type": "integer", "description": "number of the line"},
                    "spans": {
                        "type": "array",
                        "description": "[from, to) in UTF-16 units of text; at most 1000; none for empty matches",
                        "items": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
                    },
                    "text": {"type": "string", "description": "the line as it is shown, cut after 20000 bytes"},
                    "bytes": {"type": "integer", "description": "length of the whole line, where it was cut"},
                },
            },
        },
        "next": {"type": ["integer", "null"], "description": "start of the next page; null at the end"},
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


def _query(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _number(name: str, description: str, least: int = 0, most: int = MAX_ID) -> dict[str, Any]:
    return _query(name, description, type="integer", minimum=least, maximum=most)


def _flag(name: str, description: str) -> dict[str, Any]:
    return _query(name, description, type="integer", enum=[0, 1])


def _channels(description: str) -> dict[str, Any]:
    channel = "(stdout|stderr|header)"
    return _query("channels", description, type="string", pattern=f"^{channel}(,{channel})*$")


def _header(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 0, "maximum": MAX_ID}
    return {"name": name, "in": "header", "description": description, "schema": schema}


def _bytes(media_type: str) -> dict[str, Any]:
    return {media_type: {"schema": {"type": "string", "contentEncoding": "binary"}}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


INTEGER = {"type": "integer"}
LINE = _object(
    {
        "n": {**INTEGER, "description": "its number in the log"},
        "t": {**INTEGER, "description": "ms since the epoch"},
        "runs": {
            "type": "array",
            "description": "channel and text, one after the other",
            "items": {"type": "array", "items": {"type": ["integer", "string"]}, "minItems": 2, "maxItems": 2},
        },
    },
    {"bytes": {**INTEGER, "description": "the line's length, where it is cut"}},
)
LINES = _object(
    {
        "start": INTEGER,
        "total": INTEGER,
        "complete": {"type": "boolean", "description": "whether the log is finished"},
        "sgr": {"type": "string", "description": "SGR parameters in force at the first line, such as 1;31"},
        "lines": {"type": "array", "items": LINE},
    }
)
GAP = _object({"n": {**INTEGER, "description": "the line before which it was silent"}, "seconds": {"type": "number"}})
ERROR = _object(
    {
        "n": {**INTEGER, "description": "number of the line"},
        "level": {"type": "string", "enum": ["error", "warning"]},
        "text": {"type": "string", "description": "what it says, at most 500 characters"},
    },
    {
        "file": {"type": "string", "description": "the source file that it names"},
        "line": {**INTEGER, "description": "and the line there"},
    },
)
FOLD = _object(
    {
        "start": {**INTEGER, "description": "its first line, the one with the marker"},
        "end": {"type": ["integer", "null"], "description": "its last line; null while it is open"},
        "name": {"type": "string"},
        "level": {**INTEGER, "description": "1: in no other"},
    },
    {"seconds": {"type": "number", "description": "how long it took, where that is known"}},
)
MARKS = _object(
    {
        "errors": {"type": "array", "description": "the first 1000 errors and 500 warnings", "items": ERROR},
        "folds": {"type": "array", "description": "the first 2000", "items": FOLD},
        "gaps": {"type": "array", "items": GAP},
        "counts": {
            **_object({"errors": INTEGER, "warnings": INTEGER, "folds": INTEGER, "gaps": INTEGER}),
            "description": "of all there are, where not all are told",
        },
        "complete": {"type": "boolean", "description": "all of a finished log was looked at: no more errors will come"},
    }
)

DOORS: dict[str, Any] = {
    "/api/v1/builds/{build_id}/logs.zip": {
        "get": {
            "operationId": "read_logs_zip",
            "tags": ["builds"],
            "summary": "All logs of the build, open ones as far as they are",
            "parameters": [BUILD_ID],
            "responses": {"200": {"description": "A zip", "content": _bytes("application/zip")}},
        }
    },
    "/api/v1/logs.zip": {
        "get": {
            "operationId": "read_chosen_logs_zip",
            "tags": ["logs"],
            "summary": "Some logs, of any builds, open ones as far as they are",
            "parameters": [{**_query("ids", "1 to 100 ids, such as 7,12"), "required": True}],
            "responses": {"200": {"description": "A zip", "content": _bytes("application/zip")}},
        }
    },
    "/api/v1/logs/{log_id}/chunks": {
        "get": {
            "operationId": "read_chunks",
            "tags": ["logs"],
            "summary": "A page of the log as a chunk stream, which may be sent in again",
            "parameters": [
                LOG_ID,
                _number("offset", "the byte of the text that the page begins with; 0 where it is not given"),
                _number("limit", "bytes of text, at most and by default 1 MiB", 1, 1_048_576),
                _flag("times", "0: without the entries that give the time"),
            ],
            "responses": {
                "200": {
                    "description": "The page, perhaps of fewer bytes",
                    "headers": {
                        "Next-Offset": {
                            "description": "where the next page begins; absent at the end of a finished log",
                            "schema": {"type": "integer"},
                        }
                    },
                    "content": _bytes(CHUNKS_TYPE),
                }
            },
        },
        "post": {
            "operationId": "append_chunks",
            "tags": ["logs"],
            "summary": "Append output: a chunk stream, or plain text on one channel",
            "parameters": [
                LOG_ID,
                _query("channel", "of plain text", type="string", enum=["stdout", "stderr", "header"]),
                _header("Upload-Offset", "payload bytes that the server had before this body"),
                _header("Upload-Skip", "bytes from there on that the writer has lost"),
            ],
            "requestBody": {"required": True, "content": {**_bytes(CHUNKS_TYPE), **_bytes("text/plain")}},
            "responses": {
                "200": {
                    "description": "Stored",
                    "headers": {"Upload-Offset": {"schema": {"type": "integer"}}},
                    "content": _json(_object({"received": INTEGER})),
                }
            },
        },
    },
    "/api/v1/logs/{log_id}/lines": {
        "get": {
            "operationId": "read_lines",
            "tags": ["logs"],
            "summary": "A window of lines, from anywhere in the log",
            "parameters": [
                LOG_ID,
                {
                    **_number("start", "the first line, from 1; -1 is the last one; 1 where it is not given"),
                    "schema": {"type": "integer", "minimum": -MAX_ID, "maximum": MAX_ID, "not": {"const": 0}},
                },
                _number("count", "how many lines, at most 5000; 500 where it is not given", 1, 5000),
                _channels("such as stdout,stderr: start and total then count the lines that have any of them"),
            ],
            "responses": {"200": {"description": "The lines, perhaps fewer", "content": _json(LINES)}},
        }
    },
    "/api/v1/logs/{log_id}/marks": {
        "get": {
            "operationId": "read_marks",
            "tags": ["logs"],
            "summary": "Places of the log that are worth a look: errors, warnings, folds, its longest silences",
            "parameters": [LOG_ID],
            "responses": {
                "200": {"description": "The places, in the order of lines", "content": _json(MARKS)},
                "304": {"description": "Not changed"},
            },
        }
    },
    "/api/v1/logs/{log_id}/progressiveText": {
        "get": {
            "operationId": "read_progressive_text",
            "tags": ["logs"],
            "summary": "The text from a byte on, as Jenkins gives it",
            "parameters": [LOG_ID, _number("start", "the byte to begin with; one beyond the end is 0")],
            "responses": {
                "200": {
                    "description": "The text from there to its present end",
                    "headers": {
                        "X-Text-Size": {
                            "description": "where the next call begins",
                            "schema": {"type": "integer"},
                        },
                        "X-More-Data": {"description": "true while more may come", "schema": {"type": "string"}},
                    },
                    "content": _bytes("text/plain"),
                }
            },
        }
    },
    "/api/v1/logs/{log_id}/raw": {
        "get": {
            "operationId": "read_raw",
            "tags": ["logs"],
            "summary": "The text; of an open log what there is now, or with follow=1 until it is finished",
            "parameters": [
                LOG_ID,
                _channels("such as stdout,stderr; all where it is not given"),
                _number("from-line", "the first line of a part, from 1", 1),
                _number("to-line", "the last line of a part", 1),
                _flag("follow", "1: go on until the log is finished"),
                _flag("download", "1: as a file to be saved"),
            ],
            "responses": {
                "200": {"description": "The text", "content": _bytes("text/plain")},
                "206": {"description": "The range asked for", "content": _bytes("text/plain")},
                "304": {"description": "Not changed"},
            },
        }
    },
    "/api/v1/logs/{log_id}/search": {
        "get": {
            "operationId": "search_log",
            "tags": ["logs"],
            "summary": "The lines that have a text or an RE2 pattern in them, without their escape sequences",
            "parameters": [
                LOG_ID,
                {
                    **_query("q", "what to search for, within one line", type="string", minLength=1, maxLength=1000),
                    "required": True,
                },
                _flag("regex", "1: q is a pattern in RE2's syntax"),
                _flag("case", "1: upper and lower case differ"),
                _channels("such as stdout,stderr: search only what came on these; all where it is not given"),
                _number("start", "the line from which hits are wanted, as `next` says"),
                _number("limit", "hits, at most 1000, by default 100; perhaps fewer are given", 1, 1000),
            ],
            "responses": {
                "200": {
                    "description": "A page of hits, in the order of lines",
                    "content": {"application/json": {"schema": FOUND}},
                }
            },
        }
    },
}
