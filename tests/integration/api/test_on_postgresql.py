"""Races, leases and retention's SQL on PostgreSQL, whatever database the other tests run on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
RACES = [
    "tests/integration/resources/test_races.py",
    "tests/integration/api/test_numbering.py",
    "tests/integration/api/test_events.py",
    "tests/integration/insight/test_looking.py",
    "tests/integration/webhooks/test_taking.py",
    "tests/integration/webhooks/test_outbox.py",
    "tests/integration/webhooks/test_deleting.py",
    "tests/integration/upkeep/test_retention.py",
    "tests/integration/upkeep/test_retention_races.py",
    "tests/integration/upkeep/test_scheduler.py",
    "tests/integration/upkeep/test_weighing.py",
    "tests/integration/upkeep/test_silence.py::test_where_many_come_back_while_upkeep_ends_builds_each_goes_one_way_or_the_other",
    "tests/integration/upkeep/test_silence.py::test_a_further_day_later_it_is_finished_at_the_last_sign_of_life",
    "tests/integration/upkeep/test_silence.py::test_output_that_the_database_has_not_heard_of_yet_keeps_a_log_open",
]
LIMIT_SECONDS = 100
LEAST_PASSED = 101
"""Or tests were skipped that are there for PostgreSQL."""


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
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= LEAST_PASSED, done.stdout
