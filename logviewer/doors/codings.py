"""Which content coding a client takes (RFC 9110, section 12.5.3), and the ETags that tell codings of a text apart."""

from __future__ import annotations

import re
from enum import StrEnum

from logviewer.doors.ranges import etag_names


class Coding(StrEnum):
    """How a text goes out; of two that a client likes as well, the one that stands first here."""

    ZSTD = "zstd"
    GZIP = "gzip"
    IDENTITY = "identity"

    def etag(self, text_sha256: str) -> str:
        """The strong ETag of a text of that hash in this coding."""
        return f'"{text_sha256}"' if self is Coding.IDENTITY else f'"{text_sha256}-{self.value}"'


_MEMBER = re.compile(
    r"\s*([!#$%&'*+.^_`|~0-9a-z-]+)\s*(?:;\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?\s*\Z", re.ASCII
)
_OTHER_NAMES = {"x-gzip": "gzip"}
_UNLISTED = 0.0005
"""Identity that nobody speaks of is welcome, but less so than whatever is listed with a weight above 0."""


def preferred_coding(accept_encoding: str | None) -> Coding:
    """The coding that suits the client best; identity where it names none of ours, or cannot be understood.

    Identity is also what a client gets that refuses everything: the text as it is helps more than a 406.
    """
    weights = _weights(accept_encoding or "")
    unlisted = weights.get("*", 0.0)
    codings = [(weights.get(coding.value, unlisted), coding) for coding in (Coding.ZSTD, Coding.GZIP)]
    identity = weights.get(Coding.IDENTITY.value, weights.get("*", _UNLISTED))
    best = max([*codings, (identity, Coding.IDENTITY)], key=lambda pair: pair[0])  # the first of equals
    return best[1] if best[0] > 0 else Coding.IDENTITY


def known_coding(condition: str | None, text_sha256: str, preferred: Coding) -> Coding | None:
    """The coding in which a client has the text already, by its If-None-Match; None where it has another text."""
    names = etag_names(condition)
    if "*" in names:
        return preferred
    return next((coding for coding in (preferred, *Coding) if coding.etag(text_sha256) in names), None)


def _weights(accept_encoding: str) -> dict[str, float]:
    """Each listed coding's weight; members that are not of the RFC's form are passed over."""
    weights: dict[str, float] = {}
    for member in accept_encoding.lower().split(","):
        match = _MEMBER.match(member)
        if match:
            name = _OTHER_NAMES.get(match[1], match[1])
            weights[name] = 1.0 if match[2] is None else float(match[2])
    return weights
