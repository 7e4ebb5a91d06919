"""manage.py upkeep: what it says, and how it ends."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from logviewer.chunkstore import Entry
from logviewer.intake.output import append_output, finish_log
from logviewer.models import LogFile
from tests.factories import make_log, make_step

pytestmark = pytest.mark.django_db


def finished_log(name: str) -> LogFile:
    log = make_log(step=make_step(), name=name)
    append_output(log.pk, log.key, [Entry(0, b"0123456789" * 100_000, None)])
    return finish_log(log, received=None, sha256=None, unverified=False)


def upkeep(*arguments: str) -> str:
    said = io.StringIO()
    call_command("upkeep", *arguments, stdout=said)
    return said.getvalue()


def test_it_seals_what_is_finished_and_says_how_much() -> None:
    log = finished_log("stdio")
    assert upkeep("--no-progress") == "1 logs sealed, 1.0 MB of text in 0.0 MB\n"
    log.refresh_from_db()
    assert log.sealed
    assert upkeep() == "0 logs sealed, 0.0 MB of text in 0.0 MB\n"


def test_a_log_that_cannot_be_sealed_makes_the_exit_code_1(logs_dir: Path) -> None:
    broken, whole = finished_log("broken"), finished_log("whole")
    (logs_dir / f"{broken.key}.log").write_bytes(b"9876543210" * 100_000)
    with pytest.raises(CommandError, match=r"1 logs sealed.*1 could not be sealed") as caught:
        upkeep()
    assert caught.value.returncode == 1
    whole.refresh_from_db()
    assert whole.sealed
