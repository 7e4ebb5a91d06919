"""Who may: the one place that decides what a caller may see and do.

Every function here is synchronous ORM code; callers on the event loop wrap it in `database_sync_to_async`. The rules
are http-api.md's: a public project is readable by everybody; a private one by tokens of it with the scope `read` and by
staff, and does not exist for anybody else. Writing needs the scope `write` of a token, or staff.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q, QuerySet
from django.utils import timezone

from logviewer.live.write_behind import write_behind
from logviewer.models import Actor, Build, LogFile, Project, Step, Token, TokenScope, Visibility
from logviewer.models.token import digest
from logviewer.resources.errors import AccessError, Forbidden, NotFound, Unauthenticated

Row = TypeVar("Row", Build, Step, LogFile)

LAST_USED_PRECISION = timedelta(minutes=1)
"""How often a token's `last_used_at` is written: not at every chunk a build sends."""

MAX_ID = 2**63 - 1
"""The largest id that the databases can hold; a larger one names nothing."""

BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
"""`credentials` of RFC 6750, section 2.1."""


@dataclass(frozen=True)
class Caller:
    """Who is asking: a token, or else the session's user; with a token the session does not count."""

    token: Token | None
    user: AbstractBaseUser | AnonymousUser

    @property
    def is_staff(self) -> bool:
        """Whether a session of a member of staff is asking."""
        return self.token is None and self.user.is_active and bool(getattr(self.user, "is_staff", False))

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


def identify(authorization: str | None, user: AbstractBaseUser | AnonymousUser) -> Caller:
    """Say who is asking, from the `Authorization` header (None where there is none) and the session's user.

    Raises:
        Unauthenticated: the header is there, but is not a Bearer token that is known and valid.
    """
    if authorization is None:
        return Caller(token=None, user=user)
    credentials = BEARER.fullmatch(authorization)
    if credentials is None:
        raise Unauthenticated("the Authorization header is not of the form 'Bearer TOKEN'")
    token = Token.objects.select_related("project").filter(digest=digest(credentials[1])).first()
    if token is None or not token.is_valid:
        raise Unauthenticated("the token is unknown, expired or revoked")
    _note_use(token)
    return Caller(token=token, user=user)


def _note_use(token: Token) -> None:
    """Write `last_used_at`, at most once in LAST_USED_PRECISION; nobody is turned away because it could not be."""
    now = timezone.now()
    stale = now - LAST_USED_PRECISION
    if token.last_used_at is None or token.last_used_at < stale:
        unused = Q(last_used_at__isnull=True) | Q(last_used_at__lt=stale)
        row = Token.objects.filter(unused, pk=token.pk)
        write_behind.put(("use of token", token.pk), lambda: row.update(last_used_at=now))


def check_read(caller: Caller, project: Project, noun: str = "project") -> None:
    """Return if `caller` may read `project`.

    Raises:
        Forbidden: a token of the project that lacks the scope `read`.
        NotFound: the project is private, and not for this caller's eyes; `noun` is what was asked for.
    """
    if project.visibility == Visibility.PUBLIC or caller.is_staff:
        return
    if not caller.covers(project):
        raise NotFound(noun)
    if not caller.holds(TokenScope.READ):
        raise Forbidden("this token lacks the scope 'read'")


def check_write(caller: Caller, project: Project, noun: str = "project") -> None:
    """Return if `caller` may write to `project`.

    Raises:
        Forbidden: the project may be seen, but not written to.
        NotFound: the project is private, and not for this caller's eyes; `noun` is what was asked for.
    """
    if caller.is_staff:
        return
    if caller.covers(project):
        if not caller.holds(TokenScope.WRITE):
            raise Forbidden("this token lacks the scope 'write'")
        return
    if project.visibility == Visibility.PRIVATE:
        raise NotFound(noun)
    if caller.token is not None:
        raise Forbidden("this token is for another project")
    raise Forbidden("writing needs a token with the scope 'write'")


def check_admin(caller: Caller, project: Project, noun: str = "project") -> None:
    """Return if `caller` may administer `project`: a token of it with the scope `admin`, or staff.

    Raises:
        Unauthenticated: nobody is asking.
        Forbidden: the project may be seen, but not administered.
        NotFound: the project is private, and not for this caller's eyes; `noun` is what was asked for.
    """
    if caller.is_staff or (caller.covers(project) and caller.holds(TokenScope.ADMIN)):
        return
    if project.visibility == Visibility.PRIVATE and not caller.covers(project):
        raise NotFound(noun)
    if caller.token is None and not caller.user.is_authenticated:
        raise Unauthenticated("this needs a token with the scope 'admin': send 'Authorization: Bearer TOKEN'")
    if caller.token is not None and not caller.covers(project):
        raise Forbidden("this token is for another project")
    raise Forbidden("this needs a token with the scope 'admin'")


def visible_projects(caller: Caller) -> QuerySet[Project]:
    """All projects that the caller may read."""
    if caller.is_staff:
        return Project.objects.all()
    visible = Q(visibility=Visibility.PUBLIC)
    if caller.token is not None and caller.holds(TokenScope.READ):
        if caller.token.project_id is None:
            return Project.objects.all()
        visible |= Q(pk=caller.token.project_id)
    return Project.objects.filter(visible)


def readable_project(caller: Caller, slug: str) -> Project:
    """The project of that slug; NotFound, Forbidden."""
    project = Project.objects.filter(slug=slug).first() if "\0" not in slug else None
    if project is None:
        raise NotFound("project")
    check_read(caller, project)
    return project


def administrable_project(caller: Caller, slug: str) -> Project:
    """The project of that slug; NotFound, Unauthenticated, Forbidden."""
    project = Project.objects.filter(slug=slug).first() if "\0" not in slug else None
    if project is None:
        raise NotFound("project")
    check_admin(caller, project)
    return project


def readable_build(caller: Caller, build_id: int) -> Build:
    """The build with its builder and project, fetched in one query; NotFound, Forbidden."""
    build = _build(build_id)
    check_read(caller, build.builder.project, "build")
    return build


def readable_log(caller: Caller, log_id: int) -> LogFile:
    """The log with its step, build, builder and project, fetched in one query; NotFound, Forbidden."""
    log = _log(log_id)
    check_read(caller, log.step.build.builder.project, "log")
    return log


def writable_build(caller: Caller, build_id: int) -> Build:
    """The build with its builder and project, fetched in one query; Unauthenticated, NotFound, Forbidden."""
    check_may_write_at_all(caller)
    build = _build(build_id)
    check_write(caller, build.builder.project, "build")
    return build


def writable_step(caller: Caller, step_id: int) -> Step:
    """The step with its build, builder and project, fetched in one query; Unauthenticated, NotFound, Forbidden."""
    check_may_write_at_all(caller)
    step = _step(step_id)
    check_write(caller, step.build.builder.project, "step")
    return step


def writable_log(caller: Caller, log_id: int) -> LogFile:
    """The log with all above it, fetched in one query; Unauthenticated, NotFound, Forbidden."""
    check_may_write_at_all(caller)
    log = _log(log_id)
    check_write(caller, log.step.build.builder.project, "log")
    return log


def writable_logs(caller: Caller, log_ids: Sequence[int]) -> dict[int, LogFile | AccessError]:
    """For each id what `writable_log` returns or raises, in one query for all; at most some hundred ids.

    Raises:
        Unauthenticated: nobody is asking.
    """
    check_may_write_at_all(caller)
    rows = LogFile.objects.select_related("step__build__builder__project")
    logs = rows.in_bulk([log_id for log_id in log_ids if 0 <= log_id <= MAX_ID])
    answers: dict[int, LogFile | AccessError] = {}
    for log_id in log_ids:
        try:
            log = logs.get(log_id)
            if log is None:
                raise NotFound("log")
            check_write(caller, log.step.build.builder.project, "log")
            answers[log_id] = log
        except AccessError as error:
            answers[log_id] = error
    return answers


def writable_project_slug(caller: Caller, slug: str) -> None:
    """Return if the caller may put a build into the project of that slug, which need not exist yet.

    Only a token for all projects, or staff, may so create one. A token of one project gets the same answer for any
    other slug, whether there is such a project or not.

    Raises:
        Unauthenticated: nobody is asking.
        Forbidden: the token is for another project, or lacks the scope `write`; or the user is not of the staff.
    """
    check_may_write_at_all(caller)
    if caller.is_staff:
        return
    if caller.token is None or not caller.holds(TokenScope.WRITE):
        raise Forbidden("writing needs a token with the scope 'write'")
    if caller.token.project is not None and caller.token.project.slug != slug:
        raise Forbidden("this token is for another project")


def check_may_write_at_all(caller: Caller) -> None:
    """Raise Unauthenticated where nobody is asking: what exists is then not even looked up."""
    if caller.token is None and not caller.user.is_authenticated:
        raise Unauthenticated("writing needs a token: send 'Authorization: Bearer TOKEN'")


def check_is_writer(caller: Caller) -> None:
    """Return if there may be anything at all that the caller may write to; Unauthenticated, Forbidden."""
    check_may_write_at_all(caller)
    if not caller.is_staff and not caller.holds(TokenScope.WRITE):
        raise Forbidden("writing needs a token with the scope 'write'")


def _build(build_id: int) -> Build:
    return _fetch(Build.objects.select_related("builder__project"), build_id, "build")


def _step(step_id: int) -> Step:
    return _fetch(Step.objects.select_related("build__builder__project"), step_id, "step")


def _log(log_id: int) -> LogFile:
    return _fetch(LogFile.objects.select_related("step__build__builder__project"), log_id, "log")


def _fetch(rows: QuerySet[Row], row_id: int, noun: str) -> Row:
    """The row of that id; NotFound, also for an id that no database can hold."""
    row = rows.filter(pk=row_id).first() if 0 <= row_id <= MAX_ID else None
    if row is None:
        raise NotFound(noun)
    return row
