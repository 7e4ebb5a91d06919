"""What the tests of the REST API share."""

from __future__ import annotations

import pytest

from tests.integration.api.client import ApiClient


@pytest.fixture
def api(db: None) -> ApiClient:
    """A client of /api/v1 that nobody has given a token."""
    return ApiClient()
