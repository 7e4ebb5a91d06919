"""The decision who may what: of one project or many in `judge`, and as a condition for lists in `projects_for`.

A public project is readable by everybody. A token may what its scopes say, in the project it is for or in all; a
session may what its user's roles say, those of the user's groups too; staff and superusers may everything. To all
others a private project does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group
from django.db.models import Q, QuerySet

from logviewer.models import Actor, Member, Project, Role, Token, TokenScope, Visibility


class Right(Enum):
    """What somebody may want to do with a project and all that is in it; the value is the scope of a token."""

    READ = TokenScope.READ
    WRITE = TokenScope.WRITE
    ADMIN = TokenScope.ADMIN


class Verdict(Enum):
    """What comes of it."""

    YES = "they may"
    NO = "they may see the project, or have a token of it, but may not do that"
    UNSEEN = "to them there is no such project"


ROLES_WITH: dict[Right, frozenset[str]] = {
    Right.READ: frozenset({Role.VIEWER, Role.WRITER, Role.ADMIN}),
    Right.WRITE: frozenset({Role.WRITER, Role.ADMIN}),
    Right.ADMIN: frozenset({Role.ADMIN}),
}
"""Which roles have each right."""


@dataclass(frozen=True)
class Caller:
    """Who is asking: a token, or else the session's user; with a token the session does not count."""

    token: Token | None
    user: AbstractBaseUser | AnonymousUser

    @property
    def is_staff(self) -> bool:
        """Whether a session is asking of one who may do everything: of the staff, or a superuser."""
        if self.token is not None or not self.user.is_active:
            return False
        return bool(getattr(self.user, "is_staff", False) or getattr(self.user, "is_superuser", False))

    @property
    def actor(self) -> Actor:
        """Who that is, for the audit log."""
        if self.token is not None:
            return Actor(f"token {self.token.name}", token_id=self.token.pk)
        if self.user.is_authenticated:
            return Actor(self.user.get_username(), user_id=self.user.pk)
        return Actor("anonymous")

    def holds(self, scope: TokenScope) -> bool:
        """Whether the token carries `scope`."""
        return self.token is not None and scope in self.token.scopes

    def covers(self, project: Project) -> bool:
        """Whether the token is for `project`, or for all."""
        return self.token is not None and self.token.project_id in (None, project.pk)

    def memberships(self) -> QuerySet[Member]:
        """All by which the session's user, or a group of theirs, is a member of something."""
        if self.token is not None or not (self.user.is_authenticated and self.user.is_active):
            return Member.objects.none()
        groups = Group.objects.filter(user=self.user.pk).values("pk")
        return Member.objects.filter(Q(user=self.user.pk) | Q(group__in=groups))


def judge(caller: Caller, right: Right, projects: Iterable[Project]) -> dict[int, Verdict]:
    """Whether `caller` has `right` in each of `projects`, by their ids; one query for a user's roles, else none."""
    verdicts: dict[int, Verdict] = {}
    undecided: dict[int, Project] = {}
    for project in projects:
        is_public = project.visibility == Visibility.PUBLIC
        if caller.is_staff or (right is Right.READ and is_public):
            verdicts[project.pk] = Verdict.YES
        elif caller.covers(project):
            verdicts[project.pk] = Verdict.YES if caller.holds(right.value) else Verdict.NO
        else:
            undecided[project.pk] = project
    if not undecided:
        return verdicts
    roles: dict[int, set[str]] = {}
    for project_id, role in caller.memberships().filter(project__in=undecided).values_list("project", "role"):
        roles.setdefault(project_id, set()).add(role)
    for project_id, project in undecided.items():
        held = roles.get(project_id, set())
        if held & ROLES_WITH[right]:
            verdicts[project_id] = Verdict.YES
        else:
            is_seen = bool(held) or project.visibility == Visibility.PUBLIC
            verdicts[project_id] = Verdict.NO if is_seen else Verdict.UNSEEN
    return verdicts


def projects_for(caller: Caller, right: Right) -> QuerySet[Project]:
    """All projects of which `judge` says YES: the same rules, as a condition in SQL."""
    if caller.is_staff:
        return Project.objects.all()
    allowed = Q(visibility=Visibility.PUBLIC) if right is Right.READ else Q(pk__in=())
    if caller.token is None:
        if caller.user.is_authenticated and caller.user.is_active:
            allowed |= Q(pk__in=caller.memberships().filter(role__in=ROLES_WITH[right]).order_by().values("project"))
    elif caller.holds(right.value):
        if caller.token.project_id is None:
            return Project.objects.all()
        allowed |= Q(pk=caller.token.project_id)
    return Project.objects.filter(allowed)
