"""Signatures, against a vector of the libraries of Standard Webhooks."""

from logviewer.models.webhook import new_name, new_secret
from logviewer.webhooks.signing import signature, signed_headers


def test_a_signature_is_that_of_standard_webhooks() -> None:
    # From the specification's own libraries (libraries/javascript/src/webhook.test.ts).
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    name, timestamp = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
    assert signature(name, timestamp, body, secret) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_header_is_signed() -> None:
    secret, name = new_secret(), new_name()
    headers = signed_headers(name, 1700000000, b"{}", secret)
    assert set(headers) == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    others = [
        signature("msg_other", 1700000000, b"{}", secret),
        signature(name, 1700000001, b"{}", secret),
        signature(name, 1700000000, b"[]", secret),
        signature(name, 1700000000, b"{}", new_secret()),
    ]
    assert headers["webhook-signature"] not in others
