"""The races of numbering once more, on PostgreSQL, whatever database the rest of the tests run on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
RACES = ["tests/integration/api/test_numbering.py", "tests/integration/api/test_events.py"]
LIMIT_SECONDS = 100


@pytest.mark.postgres
def test_numbers_stay_unique_on_postgresql_too(postgres_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *RACES],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": postgres_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout
