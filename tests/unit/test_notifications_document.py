"""docs/notifications.md: the code that verifies a signature is run, and what it says of figures is what holds."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from logviewer.models.webhook import new_name, new_secret
from logviewer.webhooks import background, delivering, payload, registry, sending, tidying
from logviewer.webhooks.signing import signed_headers

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "notifications.md").read_text()
BODY = b'{"event":"buildFinished"}'


@pytest.fixture(scope="module")
def verify() -> Callable[..., bool]:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/notifications.md", "exec"), names)
    found: Callable[..., bool] = names["verify"]
    return found


def headers(secret: str, at: float | None = None) -> dict[str, str]:
    return signed_headers(new_name(), int(time.time() if at is None else at), BODY, secret)


def test_what_is_sent_is_verified_by_the_documents_code(verify: Callable[..., bool]) -> None:
    secret = new_secret()
    assert verify(secret, headers(secret), BODY)


def test_one_good_signature_of_several_is_enough(verify: Callable[..., bool]) -> None:
    secret = new_secret()
    sent = headers(secret)
    sent["webhook-signature"] = f"v1,AAAA v1a,BBBB {sent['webhook-signature']}"
    assert verify(secret, sent, BODY)


def test_what_is_not_ours_is_not(verify: Callable[..., bool]) -> None:
    secret = new_secret()
    assert not verify(new_secret(), headers(secret), BODY)
    assert not verify(secret, headers(secret), BODY + b" ")
    assert not verify(secret, headers(secret, time.time() - 600), BODY)
    assert not verify(secret, {**headers(secret), "webhook-id": "msg_other"}, BODY)
    assert not verify(secret, {**headers(secret), "webhook-signature": ""}, BODY)


@pytest.mark.parametrize(
    ("sentence", "figure"),
    [
        (r"within (\d+) s is a delivery", sending.ATTEMPT_SECONDS),
        (r"tried again after (\d+) s", delivering.FIRST_PAUSE_SECONDS),
        (r"twice as long each time, up to (\d+) h, less", delivering.LONGEST_PAUSE_SECONDS / 3600),
        (r"left alone for (\d+) s", background.FIRST_REST_SECONDS),
        (r"up to (\d+) minutes, so that", background.LONGEST_REST_SECONDS / 60),
        (r"the last (\d+) deliveries", tidying.MAX_KEPT),
        (r"are kept, for (\d+) days", tidying.KEPT_FOR.days),
        (r"A project has at most (\d+)", registry.MAX_WEBHOOKS),
        (r"properties of more than (\d+) KiB", payload.MAX_PROPERTIES_BYTES / 1024),
    ],
)
def test_figures_are_those_of_the_code(sentence: str, figure: float) -> None:
    (found,) = re.findall(sentence, TEXT)
    assert float(found) == figure
