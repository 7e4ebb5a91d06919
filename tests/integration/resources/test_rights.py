"""The decision and the condition for lists say the same, and cost the same however many projects there are."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User

from logviewer.models import Member, Project, Role
from logviewer.resources import access
from logviewer.resources.rights import Caller, Right, Verdict, judge, projects_for
from tests.factories import make_build, make_builder, make_log, make_project, make_step, make_token

pytestmark = pytest.mark.django_db
NOBODY = AnonymousUser()


def make_projects() -> list[Project]:
    """Public and private ones; ann is something in each kind, by herself, by her group, or by both."""
    ann, group = User.objects.create_user("ann"), Group.objects.create(name="builders")
    ann.groups.add(group, Group.objects.create(name="others"))
    made = []
    for public in (True, False):
        for own in (None, *Role):
            for through_group in (None, *Role):
                project = make_project(f"p{len(made)}", public=public)
                made.append(project)
                if own is not None:
                    Member.objects.create(project=project, user=ann, role=own)
                if through_group is not None:
                    Member.objects.create(project=project, group=group, role=through_group)
    Member.objects.create(project=made[0], user=User.objects.create_user("bob"), role=Role.ADMIN)
    return made


def callers(project: Project) -> list[Caller]:
    ann = User.objects.get(username="ann")
    tokens = [
        make_token(project=limited_to, scopes=scopes)
        for limited_to in (project, None)
        for scopes in (["read"], ["write"], ["admin"], ["read", "write", "admin"])
    ]
    locked = User.objects.get(username="ann")
    locked.is_active = False
    return [
        access.identify(None, NOBODY),
        access.identify(None, ann),
        access.identify(None, locked),
        access.identify(None, User.objects.get(username="bob")),
        access.identify(None, User.objects.create_user("eva", is_staff=True)),
        access.identify(None, User.objects.create_user("root", is_superuser=True)),
        *(access.identify(f"Bearer {token}", ann) for token in tokens),
    ]


@pytest.mark.parametrize("right", Right)
def test_lists_hold_what_the_decision_says_yes_to(right: Right) -> None:
    made = make_projects()
    for caller in callers(made[-1]):
        verdicts = judge(caller, right, made)
        yes = {pk for pk, verdict in verdicts.items() if verdict is Verdict.YES}
        assert set(projects_for(caller, right).values_list("pk", flat=True)) == yes, caller


def test_a_private_project_is_unseen_by_whoever_has_nothing_to_do_with_it() -> None:
    made = make_projects()
    stranger = access.identify(None, User.objects.create_user("zoe"))
    verdicts = judge(stranger, Right.READ, made)
    assert {verdicts[project.pk] for project in made if project.visibility == "private"} == {Verdict.UNSEEN}


def test_a_users_roles_are_one_query_for_all_projects(django_assert_num_queries: Any) -> None:
    made = make_projects()
    ann = access.identify(None, User.objects.get(username="ann"))
    with django_assert_num_queries(1):
        judge(ann, Right.WRITE, made)
    with django_assert_num_queries(0):
        judge(access.identify(None, NOBODY), Right.READ, made[:1])


def test_a_member_s_logs_of_many_projects_are_looked_up_in_two_queries(django_assert_num_queries: Any) -> None:
    made = make_projects()
    logs = [
        make_log(step=make_step(build=make_build(builder=make_builder(project=project))), file=False)
        for project in made
    ]
    ann = access.identify(None, User.objects.get(username="ann"))
    with django_assert_num_queries(2):
        answers = access.writable_logs(ann, [log.pk for log in logs])
    assert sum(not isinstance(answer, Exception) for answer in answers.values()) == 24


def test_what_an_admin_administers_is_found_by_id() -> None:
    log = make_log(step=make_step(build=make_build(builder=make_builder(project=make_project(public=False)))))
    build = log.step.build
    ann = User.objects.create_user("ann")
    member = Member.objects.create(project=build.builder.project, user=ann, role=Role.WRITER)
    caller = access.identify(None, ann)
    for find, pk in ((access.administered_build, build.pk), (access.administered_log, log.pk)):
        with pytest.raises(access.Forbidden):
            find(caller, pk)
    member.role = Role.ADMIN
    member.save()
    assert access.administered_build(caller, build.pk) == build
    assert access.administered_log(caller, log.pk) == log
