"""Query parameters that several doors take: numbers, flags, channels. Each is refused by its name (http-api.md)."""

from __future__ import annotations

import re

from logviewer.chunkstore import Channel
from logviewer.doors.http import BadRequest, Exchange

Channels = frozenset[int]

ALL_CHANNELS: Channels = frozenset(int(channel) for channel in Channel)
CHANNEL_NAMES = {channel.name.lower(): channel for channel in Channel}
MAX_NUMBER = 2**63 - 1
_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)


def whole_number(exchange: Exchange, name: str, *, default: int, least: int, most: int = MAX_NUMBER) -> int:
    """The parameter as a whole number from `least` to `most`; `default` where it is not given."""
    text = exchange.parameter(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise BadRequest(name, f"{name} must be a whole number from {least} to {most}, not {text[:40]!r}")
    return int(text)


def flag(exchange: Exchange, name: str, *, default: bool = False) -> bool:
    """The parameter, which is 1 or 0."""
    value = exchange.parameter(name)
    if value is None:
        return default
    if value not in ("0", "1"):
        raise BadRequest(name, f"{name} is 0 or 1")
    return value == "1"


def chosen_channels(exchange: Exchange) -> Channels:
    """The parameter `channels`, such as `stdout,stderr`, as numbers; all of them where it is not given."""
    text = exchange.parameter("channels")
    if text is None:
        return ALL_CHANNELS
    names = text.split(",")
    unknown = [name for name in names if name not in CHANNEL_NAMES]
    if unknown:
        raise BadRequest("channels", f"{unknown[0][:40]!r} is none of {', '.join(CHANNEL_NAMES)}")
    return frozenset(int(CHANNEL_NAMES[name]) for name in names)
