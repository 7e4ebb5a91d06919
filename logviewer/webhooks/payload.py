"""What a receiver is told: the build or the log as the REST API shows it, bounded, with whole addresses.

`{"event", "delivery", "at", "build": …}`, and of a log also `"step"` and `"log"`. `build` is as in lists, without its
steps; where its properties come to more than MAX_PROPERTIES_BYTES they are left out and `properties_omitted` is true.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings

from logviewer.models import Build, LogFile, WebhookEvent
from logviewer.resources.shapes import API_PATH, build_head_shape, log_shape, rfc3339

MAX_PROPERTIES_BYTES = 8 * 1024
"""With all other fields at their longest a body stays below 64 KiB, and nearly always below the 20 kB that Standard
Webhooks advises."""


def facts_of(event: WebhookEvent, build: Build, subject_id: int, at: datetime) -> dict[str, Any]:
    """What is told of an event, the same to all; one query for a log, none for a build.

    Raises:
        LogFile.DoesNotExist: there is no such log.
    """
    facts: dict[str, Any] = {"event": event.value, "at": rfc3339(at), "build": _build(build)}
    if event is WebhookEvent.LOG_FINISHED:
        log = LogFile.objects.select_related("step").get(pk=subject_id)
        log.step.build = build
        step = log.step
        facts["step"] = {"id": step.pk, "number": step.number, "name": step.name, "url": step.get_absolute_url()}
        facts["log"] = dict(log_shape(log, None))
    whole: dict[str, Any] = _with_whole_addresses(facts)
    return whole


def body_of(facts: Mapping[str, Any], delivery: str) -> str:
    """The body of one delivery: JSON, in ASCII, so that no database and no receiver can take it for something else."""
    return json.dumps({"event": facts["event"], "delivery": delivery, **facts}, separators=(",", ":"))


def _build(build: Build) -> dict[str, Any]:
    shape: dict[str, Any] = dict(build_head_shape(build))
    if len(json.dumps(shape["properties"])) > MAX_PROPERTIES_BYTES:
        shape["properties"] = {}
        shape["properties_omitted"] = True
    here = f"{API_PATH}/builds/{build.pk}"
    shape["links"] = {"build": here, "summary": f"{here}/summary"}
    return shape


def _with_whole_addresses(value: Any, name: str = "") -> Any:
    """The same with the site's own origin before each `url` and all `links`, which are path-absolute in REST."""
    if isinstance(value, dict):
        if name == "properties":  # the builds' own words
            return value
        return {key: _with_whole_addresses(member, "link" if name == "links" else key) for key, member in value.items()}
    return whole_address(value) if name in ("url", "link") else value


def whole_address(path: str) -> str:
    """An address of this site from anywhere; as it is where BUILDLOGS_PUBLIC_URL does not say what stands before it."""
    if settings.PUBLIC_URL is None:
        return path
    origin: str = settings.PUBLIC_URL
    if path.startswith("/ws/"):
        origin = "ws" + origin.removeprefix("http")
    return origin + path
