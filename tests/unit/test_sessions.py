"""Keys of sessions: what a cookie says is looked up only where a session can be called so."""

from __future__ import annotations

import pytest

from buildlogs.sessions import SessionStore


@pytest.mark.parametrize("key", ["\0aaaaaaaa", "aaaaaaaa\0", "aaaa aaaa", "é" * 8, "aaaaaaa", "", None], ids=ascii)
def test_what_no_session_is_called_is_no_key(key: str | None) -> None:
    assert SessionStore(key).session_key is None


def test_a_key_as_django_makes_them_is_one() -> None:
    assert SessionStore("abc0123456789" * 2).session_key == "abc0123456789" * 2
