"""The row of a log that has just ended: one query for however many viewers."""

from __future__ import annotations

import asyncio

import pytest

from logviewer.doors import finished_row as module
from logviewer.doors.finished_row import finished_row
from logviewer.models import LogFile, LogState
from tests.factories import make_log

VIEWERS = 100


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What was asked of the database."""
    asked: list[int] = []
    in_database = module.in_database

    async def counted(function, *args, **kwargs):
        asked.append(kwargs["pk"])
        return await in_database(function, *args, **kwargs)

    monkeypatch.setattr(module, "in_database", counted)
    return asked


@pytest.mark.django_db(transaction=True)
def test_all_who_ask_at_a_time_share_one_look(looks: list[int]) -> None:
    log = make_log()
    LogFile.objects.filter(pk=log.pk).update(state=LogState.FINISHED)

    async def ask() -> None:
        asking = [asyncio.ensure_future(finished_row(log.pk)) for _ in range(VIEWERS)]
        await asyncio.sleep(0)
        asking[0].cancel()  # whoever asked first may go
        rows = await asyncio.gather(*asking[1:])
        assert {row.pk for row in rows} == {log.pk}
        assert not module._under_way
        await finished_row(log.pk)

    asyncio.run(ask())
    assert looks == [log.pk, log.pk]


@pytest.mark.django_db(transaction=True)
def test_a_log_that_is_gone_is_an_error_for_each_of_them(looks: list[int]) -> None:
    async def ask() -> None:
        answers = await asyncio.gather(*(finished_row(2**40) for _ in range(3)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [LogFile.DoesNotExist] * 3
        assert not module._under_way

    asyncio.run(ask())
    assert len(looks) == 1
