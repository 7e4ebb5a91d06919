"""Every kind of caller, and what each may in the project that they are asked about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from logviewer.models import Member, Project, Role, Token
from tests.factories import make_project, make_token

CSRF = "a" * 32


@dataclass(frozen=True)
class Caller:
    """`headers` makes them who they are; `rights` is what they have in the project beyond everybody's."""

    headers: Callable[[Project], dict[str, str]]
    rights: frozenset[str] = frozenset()
    knows: bool = False  # a token of it, or a role in it, so that a private project is no secret
    is_known: bool = True  # somebody at all
    is_good: bool = True  # else 401 before anything else
    session: bool = False
    staff: bool = False
    writes_somewhere: bool = field(default=False)


def _session(user: User) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookies = f"{settings.SESSION_COOKIE_NAME}={cookie}; csrftoken={CSRF}"
    return {"cookie": cookies, "x-csrftoken": CSRF, "origin": "http://testserver"}


def _user(name: str = "ann", **flags: bool) -> User:
    return User.objects.create_user(name, **flags)


def _member(role: Role) -> Callable[[Project], dict[str, str]]:
    def headers(project: Project) -> dict[str, str]:
        user = _user()
        Member.objects.create(project=project, user=user, role=role)
        return _session(user)

    return headers


def _member_by_group(project: Project) -> dict[str, str]:
    user, group = _user(), Group.objects.create(name="builders")
    user.groups.add(group)
    Member.objects.create(project=project, group=group, role=Role.WRITER)
    return _session(user)


def _member_of_another(project: Project) -> dict[str, str]:
    user = _user()
    Member.objects.create(project=make_project("other", public=False), user=user, role=Role.ADMIN)
    return _session(user)


def _locked_out(project: Project) -> dict[str, str]:
    headers = _member(Role.ADMIN)(project)
    User.objects.update(is_active=False)
    return headers


def _bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def _token(*scopes: str, to_all: bool = False, of: str | None = None) -> Callable[[Project], dict[str, str]]:
    def headers(project: Project) -> dict[str, str]:
        limited_to = None if to_all else project if of is None else make_project(of, public=False)
        return _bearer(make_token(project=limited_to, scopes=scopes))

    return headers


def _spent(**fields: object) -> Callable[[Project], dict[str, str]]:
    def headers(project: Project) -> dict[str, str]:
        before = set(Token.objects.values_list("pk", flat=True))
        text = make_token(project=project, scopes=["read", "write", "admin"])
        Token.objects.exclude(pk__in=before).update(**fields)
        return _bearer(text)

    return headers


R, W, A = "read", "write", "admin"
ALL = frozenset({R, W, A})
OLD = timezone.now() - timedelta(days=1)


def _of(*rights: str) -> frozenset[str]:
    return frozenset(rights)


CALLERS: dict[str, Caller] = {
    "anonymous": Caller(lambda project: {}, is_known=False),
    "stranger": Caller(lambda project: _session(_user()), session=True),
    "viewer": Caller(_member(Role.VIEWER), _of(R), knows=True, session=True),
    "writer": Caller(_member(Role.WRITER), _of(R, W), knows=True, session=True, writes_somewhere=True),
    "project admin": Caller(_member(Role.ADMIN), ALL, knows=True, session=True, writes_somewhere=True),
    "member by group": Caller(_member_by_group, _of(R, W), knows=True, session=True, writes_somewhere=True),
    "admin of another": Caller(_member_of_another, session=True, writes_somewhere=True),
    "locked out": Caller(_locked_out, is_known=False),
    "staff": Caller(
        lambda project: _session(_user(is_staff=True)), ALL, True, session=True, staff=True, writes_somewhere=True
    ),
    "superuser": Caller(
        lambda project: _session(User.objects.create_superuser("root")),
        ALL,
        True,
        session=True,
        staff=True,
        writes_somewhere=True,
    ),
    "token read": Caller(_token(R), _of(R), knows=True),
    "token write": Caller(_token(W), _of(W), knows=True, writes_somewhere=True),
    "token admin": Caller(_token(A), _of(A), knows=True),
    "token of another": Caller(_token(R, W, A, of="other"), writes_somewhere=True),
    "token for all": Caller(_token(R, W, A, to_all=True), ALL, knows=True, writes_somewhere=True),
    "token for all, read": Caller(_token(R, to_all=True), _of(R), knows=True),
    "expired": Caller(_spent(expires_at=OLD), is_good=False),
    "revoked": Caller(_spent(revoked_at=OLD), is_good=False),
    "garbage": Caller(lambda project: _bearer("bl_nobody-knows-this-one"), is_good=False),
}
