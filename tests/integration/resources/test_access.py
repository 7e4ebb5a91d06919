"""`access` as the byte doors call it: few queries, and errors that say enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from logviewer.models import Project
from logviewer.resources import access
from logviewer.resources.errors import Forbidden, NotFound, Unauthenticated
from tests.factories import make_log, make_project, make_token

NOBODY = AnonymousUser()
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("find", [access.readable_log, access.writable_log])
def test_a_log_comes_with_all_above_it_in_one_query(find: Callable[..., Any], django_assert_num_queries: Any) -> None:
    log = make_log()
    caller = access.identify(f"Bearer {make_token()}", NOBODY)
    with django_assert_num_queries(1):
        found = find(caller, log.pk)
        assert found.step.build.builder.project.slug == "demo"
        assert found.get_absolute_url()


def test_a_token_is_looked_up_in_one_query_once_its_use_is_noted(django_assert_num_queries: Any) -> None:
    authorization = f"Bearer {make_token(project=make_project())}"
    access.identify(authorization, NOBODY)
    with django_assert_num_queries(1):
        caller = access.identify(authorization, NOBODY)
        assert caller.token is not None
        assert caller.token.project is not None
        assert caller.token.project.slug == "demo"


def test_nobody_is_told_to_bring_a_token_before_anything_is_looked_up(django_assert_num_queries: Any) -> None:
    caller = access.identify(None, NOBODY)
    with django_assert_num_queries(0), pytest.raises(Unauthenticated):
        access.writable_log(caller, 1)


@pytest.mark.parametrize("log_id", [-1, 2**63, 10**40])
def test_an_id_that_no_database_holds_is_not_even_looked_up(log_id: int, django_assert_num_queries: Any) -> None:
    caller = access.identify(None, NOBODY)
    with django_assert_num_queries(0), pytest.raises(NotFound):
        access.readable_log(caller, log_id)


def test_a_token_for_all_projects_may_name_one_that_is_not_there() -> None:
    access.writable_project_slug(access.identify(f"Bearer {make_token()}", NOBODY), "new")
    assert not Project.objects.exists()


def test_a_token_of_one_project_may_name_no_other() -> None:
    caller = access.identify(f"Bearer {make_token(project=make_project('mine'))}", NOBODY)
    access.writable_project_slug(caller, "mine")
    with pytest.raises(Forbidden):
        access.writable_project_slug(caller, "new")
