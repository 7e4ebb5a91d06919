"""What the answers of the reading doors have in common: headers, names of files, JSON."""

from __future__ import annotations

import re

from logviewer.doors.http import Exchange, Headers
from logviewer.models import Build, LogFile

FRESH_HEADERS = (
    ("Cache-Control", "no-cache"),  # a redaction must reach caches
    ("Vary", "Accept-Encoding, Authorization, Cookie"),
)

JSON_HEADERS = (("Content-Type", "application/json"), *FRESH_HEADERS)


def log_headers(log: LogFile, *, download: bool) -> list[tuple[str, str]]:
    """The headers of a log's text."""
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Security-Policy", "default-src 'none'; sandbox"),
        *FRESH_HEADERS,
    ]
    if download:
        headers.append(attachment(download_name(log)))
    return headers


def attachment(name: str) -> tuple[str, str]:
    """The header that has a browser save the answer as `name`, which needs no quoting."""
    return "Content-Disposition", f'attachment; filename="{name}"'


def download_name(log: LogFile) -> str:
    """`project-builder-42-compile-stdio.log`."""
    return file_name(log.step.build, log.step.slug, f"{log.slug}.log")


def file_name(build: Build, *parts: str) -> str:
    """`project-builder-42-…`, of slugs only."""
    names = (build.builder.project.slug, build.builder.slug, str(build.number), *parts)
    return re.sub(r"[^A-Za-z0-9._-]", "-", "-".join(names))


async def respond_whole(exchange: Exchange, headers: Headers, body: bytes) -> None:
    """Answer with a body that is in memory; a HEAD gets its length."""
    if exchange.scope["method"] == "HEAD":
        await exchange.start(200, [*headers, ("Content-Length", str(len(body)))])
        await exchange.end()
    else:
        await exchange.respond(200, headers, body)
