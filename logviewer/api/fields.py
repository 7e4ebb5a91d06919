"""The kinds of values that bodies and queries hold, each with its bounds.

A value that a type here lets through can be stored in SQLite and in PostgreSQL alike: no NUL, no half of a surrogate
pair, no number that is none.
"""

from __future__ import annotations

import json
import math
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from logviewer.models import Results as ResultsWord
from logviewer.models.audit import MAX_REASON_CHARACTERS
from logviewer.models.build import MAX_NAME_CHARACTERS
from logviewer.models.project import SLUG_PATTERN
from logviewer.resources.access import MAX_ID

MAX_BUILD_NUMBER = 10**15
"""Room for a number made from date and time, and far below 2**53, where JSON's numbers stop being exact."""
MAX_STEP_NUMBER = 1_000_000
MAX_EXACT_FLOAT = 2.0**53
MAX_PROPERTIES_BYTES = 64 * 1024
MAX_PROPERTIES_DEPTH = 32
MAX_URL_CHARACTERS = 2000
CONTROL_CATEGORIES = frozenset({"Cc", "Zl", "Zp"})


class Body(BaseModel):
    """A JSON body: unknown members are refused, and a value is taken for what it is, never converted."""

    model_config = ConfigDict(extra="forbid", strict=True, use_enum_values=False)


class NoQuery(BaseModel):
    """An address that takes no parameters."""


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL characters")
    return text


def _no_control_characters(text: str) -> str:
    if any(unicodedata.category(character) in CONTROL_CATEGORIES for character in text):
        raise ValueError("must not contain control characters")
    return text


def _web_address(text: str) -> str:
    if not text:
        return text
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        valid = False
    if not valid or any(character.isspace() or not character.isprintable() for character in text):
        raise ValueError("must be an http or https address")
    return text


def _storable(properties: dict[str, Any]) -> dict[str, Any]:
    """Refuse properties that a database could not hold, or that are too many."""
    _check_storable(properties, MAX_PROPERTIES_DEPTH)
    if len(json.dumps(properties, ensure_ascii=False).encode()) > MAX_PROPERTIES_BYTES:
        raise ValueError(f"must not be longer than {MAX_PROPERTIES_BYTES} bytes of JSON")
    return properties


def _check_storable(value: Any, levels_left: int) -> None:
    if levels_left == 0:
        raise ValueError(f"must not be nested more than {MAX_PROPERTIES_DEPTH} levels deep")
    if isinstance(value, str):
        _no_nul(value)
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("must not contain halves of surrogate pairs")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must not contain numbers beyond a double's range")
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_storable(name, levels_left)
            _check_storable(member, levels_left - 1)
    elif isinstance(value, list):
        for member in value:
            _check_storable(member, levels_left - 1)


def _whole(value: Any) -> Any:
    """Take 15.0 for 15, as JSON does not tell them apart (JSON Schema, "integer"); beyond 2^53 nobody can tell."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_EXACT_FLOAT:
        return int(value)
    return value


def _moment(text: Any) -> datetime:
    """Read RFC 3339; a time without an offset from UTC would mean something else on each machine."""
    if not isinstance(text, str):
        raise ValueError("must be a time such as 2026-11-20T11:00:00Z")
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise ValueError
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be a time with its offset from UTC, such as 2026-11-20T11:00:00Z") from None


Text200 = Annotated[str, Field(max_length=200), AfterValidator(_no_nul)]
Text500 = Annotated[str, Field(max_length=500), AfterValidator(_no_nul)]
ExternalId = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_no_nul)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS), AfterValidator(_no_control_characters)]
Slug = Annotated[str, Field(pattern=SLUG_PATTERN.removesuffix(r"\Z") + "$", examples=["linux-gcc"])]
WebAddress = Annotated[str, Field(max_length=MAX_URL_CHARACTERS), AfterValidator(_web_address)]
Properties = Annotated[dict[str, Any], AfterValidator(_storable)]
Results = Annotated[ResultsWord, Field(strict=False)]
BuildNumber = Annotated[int, Field(ge=1, le=MAX_BUILD_NUMBER), BeforeValidator(_whole)]
StepNumber = Annotated[int, Field(ge=0, le=MAX_STEP_NUMBER), BeforeValidator(_whole)]
Reason = Annotated[str, Field(min_length=1, max_length=MAX_REASON_CHARACTERS), AfterValidator(_no_nul)]
LineNumber = Annotated[int, Field(ge=1, le=MAX_ID), BeforeValidator(_whole)]
ByteCount = Annotated[int, Field(ge=0, le=MAX_ID), BeforeValidator(_whole)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$"), AfterValidator(str.lower)]
Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
