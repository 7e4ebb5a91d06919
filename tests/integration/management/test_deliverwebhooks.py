"""`manage.py deliverwebhooks`: what is due is told once, and the command ends."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from logviewer.management.commands import deliverwebhooks
from logviewer.models import Delivery, DeliveryState
from tests.factories import make_delivery, make_webhook
from tests.receiver import running_receiver

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: Counter[Any] = Counter()
    monkeypatch.setattr(deliverwebhooks, "results", counted)
    monkeypatch.setattr("logviewer.webhooks.background.results", counted)


def test_what_is_due_is_told_and_what_is_late_is_given_up(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.WEBHOOK_ALLOW = [ip_network("127.0.0.0/8")]
    with running_receiver() as receiver:
        receiver.statuses = [500]
        webhook = make_webhook(receiver.url)
        make_delivery(webhook=webhook)
        call_command("deliverwebhooks")
        assert "0 delivered, 1 to be tried again, 0 given up" in capsys.readouterr().out
        make_delivery(webhook=webhook)
        make_delivery(webhook=make_webhook(active=False), give_up_at=timezone.now())
        over = {"state": DeliveryState.DELIVERED, "next_try_at": None}
        make_delivery(webhook=webhook, created_at=timezone.now() - timedelta(days=31), **over)
        call_command("deliverwebhooks")
        assert "1 delivered, 1 to be tried again, 1 given up" in capsys.readouterr().out
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["delivered", "given-up", "waiting"]


def test_a_receiver_that_takes_too_long_makes_it_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliverwebhooks.Deliverer, "settle", lambda *_arguments: False)
    with pytest.raises(CommandError, match="there is more") as failed:
        call_command("deliverwebhooks", "--seconds", "1")
    assert failed.value.returncode == 1
