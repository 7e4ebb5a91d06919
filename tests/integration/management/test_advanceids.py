"""manage.py advanceids."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from logviewer.models import AuditEntry, Build, LogFile, Token
from tests.factories import make_build, make_log, make_token

pytestmark = pytest.mark.django_db


def test_ids_that_a_lost_database_gave_out_are_not_given_out_again(capsys: pytest.CaptureFixture[str]) -> None:
    log = make_log()
    call_command("advanceids", "--by", "500")
    assert capsys.readouterr().out.startswith("500 ids skipped in each of ")
    assert make_log(name="later").pk > log.pk + 500
    assert make_build().pk > log.step.build_id + 500
    assert make_log(name="last").pk < log.pk + 600


def test_that_holds_for_a_table_that_is_empty_as_well() -> None:
    for model in (Token, Build, LogFile, AuditEntry):
        model._default_manager.all().delete()
    call_command("advanceids")
    make_token()
    assert Token.objects.get().pk > 1_000_000


@pytest.mark.parametrize("by", ["0", "-5", "9999999999999"])
def test_a_number_that_makes_no_sense_is_refused(by: str) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("advanceids", f"--by={by}")
    assert refused.value.returncode == 2
