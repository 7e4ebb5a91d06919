"""Many at once: tries at a password are counted before they are made, and a member is one. Also on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from django.contrib.auth.models import User
from django.db import connections

from logviewer.models import SERVER, AuditEntry, Member, Role, SignInBucket
from logviewer.models.sign_in import OF_ACCOUNT, OF_ADDRESS
from logviewer.upkeep.membership import set_member
from tests.factories import make_project

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 8
EACH = 8
Answer = TypeVar("Answer")


def at_once(ask: Callable[[int], Answer]) -> list[Answer]:
    """Call `ask` EACH times in each of THREADS threads that start at the same moment."""
    barrier = threading.Barrier(THREADS)

    def ask_often(thread: int) -> list[Answer]:
        barrier.wait(timeout=30)
        try:
            return [ask(thread * EACH + index) for index in range(EACH)]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        return [answer for batch in pool.map(ask_often, range(THREADS)) for answer in batch]


def test_of_many_tries_at_one_account_at_once_ten_are_made() -> None:
    waits = at_once(lambda number: SignInBucket.take("ann", f"192.0.2.{number}"))
    assert waits.count(0) == OF_ACCOUNT.at_once


def test_of_many_tries_from_one_address_at_once_fifty_are_made() -> None:
    waits = at_once(lambda number: SignInBucket.take(f"name-{number}", "192.0.2.1"))
    assert waits.count(0) == OF_ADDRESS.at_once


def test_what_is_put_back_at_once_is_all_there_again() -> None:
    def sign_in(_: int) -> None:
        assert SignInBucket.take("ann", "192.0.2.1") == 0
        SignInBucket.give_back("ann", "192.0.2.1")

    at_once(sign_in)
    waits = [SignInBucket.take("ann", "192.0.2.1") for _ in range(OF_ACCOUNT.at_once + 1)]
    assert waits[:-1] == [0] * OF_ACCOUNT.at_once
    assert waits[-1] > 0


def test_one_user_added_by_many_admins_at_once_is_one_member() -> None:
    project, ann = make_project(), User.objects.create_user("ann")
    made = at_once(lambda _: set_member(SERVER, project, Role.VIEWER, user=ann))
    assert sum(is_new for _, is_new in made) == 1
    assert (Member.objects.count(), AuditEntry.objects.count()) == (1, 1)
