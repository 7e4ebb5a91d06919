"""How the admin says times, JSON, and what is so or not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.timesince import timesince, timeuntil

from logviewer.upkeep.retention.sentence import bytes_text

SHORT_SECONDS = 100
"""Durations from here on are said in whole seconds."""


def age(then: datetime | None) -> SafeString | str:
    """How long ago that was, or in how long it is, in the largest unit, with the moment itself to point at."""
    if then is None:
        return ""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', then.isoformat(), f"{then:%Y-%m-%d %H:%M:%S} UTC", _ago(then)
    )


def _ago(then: datetime) -> str:
    if then > timezone.now():
        text = timeuntil(then, depth=1)
        return "in a moment" if text.startswith("0") else f"in {text}"
    text = timesince(then, depth=1)
    return "just now" if text.startswith("0") else f"{text} ago"


def json_text(value: Any) -> SafeString:
    """JSON, indented, to be read."""
    return format_html('<pre class="desk-json" tabindex="0">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False))


def details(known: Mapping[str, Any]) -> SafeString:
    """What is known of something, a line for each; empty where nothing is."""
    lines = [
        (name.replace("_", " "), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in known.items()
    ]
    return format_html_join("", "<div>{}: <bdi>{}</bdi></div>", lines)


def seconds_text(seconds: float | None) -> str:
    """A duration: `84 ms`, `1.24 s`, `12 s`, `1234 s`; empty where it is not known."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.3g} s" if seconds < SHORT_SECONDS else f"{seconds:.0f} s"


def exact_bytes(count: int) -> str:
    """A number of bytes, as people say it and as it is: `19.2 MB (19 200 123 bytes)`."""
    said = bytes_text(count)
    return said if said.endswith(("byte", "bytes")) else f"{said} ({count:,} bytes)".replace(",", "\N{NO-BREAK SPACE}")


def toned(word: str) -> SafeString | str:
    """One of the words for how something stands or ended, in its colour (admin.css)."""
    return format_html('<span class="desk-tone-{}">{}</span>', word.replace(" ", "-"), capfirst(word)) if word else ""


def yes_or_no(value: bool) -> str:
    """In a word: Django's red cross for a no looks like something that went wrong."""
    return "yes" if value else "no"
