"""Signatures of what is sent, as Standard Webhooks 1.0.0 has them (https://www.standardwebhooks.com), symmetric."""

from __future__ import annotations

import base64
import hashlib
import hmac

from logviewer.models.webhook import SECRET_PREFIX


def signature(name: str, timestamp: int, body: bytes, secret: str) -> str:
    """`v1,` and the HMAC-SHA-256, in base64, over the delivery's name, the time in seconds, and the body."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{name}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signed_headers(name: str, timestamp: int, body: bytes, secret: str) -> dict[str, str]:
    """The three headers by which a receiver knows what this is, and that it is ours."""
    return {
        "webhook-id": name,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(name, timestamp, body, secret),
    }
