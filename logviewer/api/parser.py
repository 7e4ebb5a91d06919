"""Reading JSON bodies, more strictly than Python does by itself."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser

from logviewer.resources.errors import Invalid


class StrictParser(Parser):
    """Takes RFC 8259 JSON that is an object, each member named once."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """The body's members; Invalid where it is not a JSON object."""
        try:
            body = json.loads(request.body.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_members)
        except (ValueError, RecursionError) as error:
            raise Invalid({"body": [f"is not valid JSON: {_reason(error)}"]}) from None
        if not isinstance(body, dict):
            raise Invalid({"body": ["must be a JSON object"]})
        return body


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members


def _reason(error: Exception) -> str:
    """Why it is not JSON, without quoting what may be a secret."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error)
