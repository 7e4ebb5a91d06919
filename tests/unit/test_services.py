"""What a missing service means: a skip on a person's machine, a failure in CI."""

import pytest

from tests.services import missing


def test_on_a_persons_machine_the_test_is_skipped_with_the_reason(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="Redis is not to be had: connection refused"):
        missing("Redis", "connection\n  refused")


def test_in_ci_the_test_fails(monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="Redis is not to be had: connection refused"):
        missing("Redis", "connection refused")
