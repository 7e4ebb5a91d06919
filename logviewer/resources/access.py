"""Who is asking, and the way to what they may see and do: all lookups by id and slug go through here.

Every function here is synchronous ORM code; callers on the event loop wrap it in `database_sync_to_async`. The
decision itself is made in `rights`.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q, QuerySet
from django.utils import timezone

from logviewer.live.write_behind import write_behind
from logviewer.models import Build, LogFile, Project, Step, Token, TokenScope
from logviewer.models.token import digest
from logviewer.resources.errors import AccessError, Forbidden, NotFound, Unauthenticated
from logviewer.resources.rights import ROLES_WITH, Right, Verdict, judge, projects_for
from logviewer.resources.rights import Caller as Caller

Row = TypeVar("Row", Build, Step, LogFile)

LAST_USED_PRECISION = timedelta(minutes=1)
"""How often a token's `last_used_at` is written: not at every chunk a build sends."""

MAX_ID = 2**63 - 1
"""The largest id that the databases can hold; a larger one names nothing."""

BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
"""`credentials` of RFC 6750, section 2.1."""


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
    wanted = digest(credentials[1])
    token = Token.objects.select_related("project").filter(digest=wanted).first()
    # The index compares digests byte by byte, which tells nothing: whoever can choose a digest's first bytes cannot
    # choose a text of which they are the digest. Compared once more, so that no collation can widen what matches.
    if token is None or not hmac.compare_digest(token.digest, wanted) or not token.is_valid:
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
    _check(caller, Right.READ, project, noun)


def check_write(caller: Caller, project: Project, noun: str = "project") -> None:
    """Return if `caller` may write to `project`.

    Raises:
        Forbidden: the project may be seen, but not written to.
        NotFound: the project is private, and not for this caller's eyes; `noun` is what was asked for.
    """
    _check(caller, Right.WRITE, project, noun)


def check_admin(caller: Caller, project: Project, noun: str = "project") -> None:
    """Return if `caller` may administer `project`: its members and tokens, redact, delete.

    Raises:
        Forbidden: the project may be seen, but not administered.
        NotFound: the project is private, and not for this caller's eyes; `noun` is what was asked for.
    """
    _check(caller, Right.ADMIN, project, noun)


def _check(caller: Caller, right: Right, project: Project, noun: str) -> None:
    _raise_unless_yes(judge(caller, right, [project])[project.pk], caller, right, project, noun)


def _raise_unless_yes(verdict: Verdict, caller: Caller, right: Right, project: Project, noun: str) -> None:
    if verdict is Verdict.UNSEEN:
        raise NotFound(noun)
    if verdict is Verdict.NO:
        raise Forbidden(_why_not(caller, right, project))


def _why_not(caller: Caller, right: Right, project: Project) -> str:
    if caller.covers(project):
        return f"this token lacks the scope '{right.value}'"
    if caller.token is not None:
        return "this token is for another project"
    if right is Right.ADMIN:
        return "this needs an admin of the project: the role, or a token with the scope 'admin'"
    return "writing needs a writer of the project: the role, or a token with the scope 'write'"


def visible_projects(caller: Caller) -> QuerySet[Project]:
    """All projects that the caller may read."""
    return projects_for(caller, Right.READ)


def readable_project(caller: Caller, slug: str) -> Project:
    """The project of that slug; NotFound, Forbidden."""
    project = _project(slug)
    check_read(caller, project)
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


def readable_logs(caller: Caller, log_ids: Sequence[int]) -> list[LogFile]:
    """The logs of those ids, in that order and in one query; NotFound, Forbidden if that holds for any of them."""
    rows = LogFile.objects.select_related("step__build__builder__project")
    found = rows.in_bulk([log_id for log_id in log_ids if log_id <= MAX_ID])
    logs = []
    for log_id in log_ids:
        if log_id not in found:
            raise NotFound("log")
        check_read(caller, found[log_id].step.build.builder.project, "log")
        logs.append(found[log_id])
    return logs


def audited_projects(caller: Caller) -> list[int] | None:
    """The ids of the projects whose audit log the caller may read: those that they administer.

    None for all of it, which has more than that of all projects: staff, and admins' tokens for all projects.

    Raises:
        Unauthenticated: nobody is asking.
        Forbidden: a user who administers nothing, or a token that lacks the scope `admin`.
    """
    if caller.token is None and not caller.user.is_authenticated:
        raise Unauthenticated("the audit log needs an admin who has signed in, or a token with the scope 'admin'")
    if caller.is_staff or (caller.holds(TokenScope.ADMIN) and caller.token and caller.token.project_id is None):
        return None
    project_ids = list(projects_for(caller, Right.ADMIN).values_list("pk", flat=True))
    if not project_ids:
        raise Forbidden("the audit log needs an admin of a project: the role, or a token with the scope 'admin'")
    return project_ids


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
    """For each id what `writable_log` returns or raises; at most some hundred ids.

    One query for all of them, and one more for a user's roles.

    Raises:
        Unauthenticated: nobody is asking.
    """
    check_may_write_at_all(caller)
    rows = LogFile.objects.select_related("step__build__builder__project")
    logs = rows.in_bulk([log_id for log_id in log_ids if 0 <= log_id <= MAX_ID])
    verdicts = judge(caller, Right.WRITE, [log.step.build.builder.project for log in logs.values()])
    answers: dict[int, LogFile | AccessError] = {}
    for log_id in log_ids:
        try:
            log = logs.get(log_id)
            if log is None:
                raise NotFound("log")
            project = log.step.build.builder.project
            _raise_unless_yes(verdicts[project.pk], caller, Right.WRITE, project, "log")
            answers[log_id] = log
        except AccessError as error:
            answers[log_id] = error
    return answers


def writable_project_slug(caller: Caller, slug: str) -> None:
    """Return if the caller may put a build into the project of that slug, which need not exist yet.

    Only a token for all projects, or staff, may so create one. A token of one project, and a user, get the same answer
    for any other slug, whether there is such a project or not.

    Raises:
        Unauthenticated: nobody is asking.
        Forbidden: the token is for another project, or lacks the scope `write`; or the user is no writer there.
    """
    check_may_write_at_all(caller)
    if caller.is_staff:
        return
    if caller.token is None:
        if not projects_for(caller, Right.WRITE).filter(slug=slug).exists():
            raise Forbidden("you are no writer of such a project")
        return
    if not caller.holds(TokenScope.WRITE):
        raise Forbidden("this token lacks the scope 'write'")
    if caller.token.project is not None and caller.token.project.slug != slug:
        raise Forbidden("this token is for another project")


def administered_project(caller: Caller, slug: str) -> Project:
    """The project of that slug, to be administered; Unauthenticated, NotFound, Forbidden."""
    check_may_write_at_all(caller)
    project = _project(slug)
    check_admin(caller, project)
    return project


def administered_build(caller: Caller, build_id: int) -> Build:
    """The build with its builder and project, to be deleted for instance; Unauthenticated, NotFound, Forbidden."""
    check_may_write_at_all(caller)
    build = _build(build_id)
    check_admin(caller, build.builder.project, "build")
    return build


def administered_log(caller: Caller, log_id: int) -> LogFile:
    """The log with all above it, to be deleted or redacted; Unauthenticated, NotFound, Forbidden.

    Also one whose deletion has begun, so that whoever asks for that again has it completed.
    """
    check_may_write_at_all(caller)
    log = _log(log_id, LogFile.including_deleted.all())
    check_admin(caller, log.step.build.builder.project, "log")
    return log


def check_may_write_at_all(caller: Caller) -> None:
    """Raise Unauthenticated where nobody is asking: what exists is then not even looked up."""
    if caller.token is None and not caller.user.is_authenticated:
        raise Unauthenticated("this needs a token: send 'Authorization: Bearer TOKEN'")


def check_is_writer(caller: Caller) -> None:
    """Return if there may be anything at all that the caller may write to; Unauthenticated, Forbidden."""
    check_may_write_at_all(caller)
    if caller.is_staff or caller.holds(TokenScope.WRITE):
        return
    if not caller.memberships().filter(role__in=ROLES_WITH[Right.WRITE]).exists():
        raise Forbidden("writing needs a writer of a project: the role, or a token with the scope 'write'")


def _project(slug: str) -> Project:
    """The project of that slug; NotFound, also for one that PostgreSQL refuses to be asked for."""
    project = Project.objects.filter(slug=slug).first() if "\0" not in slug else None
    if project is None:
        raise NotFound("project")
    return project


def _build(build_id: int) -> Build:
    return _fetch(Build.objects.select_related("builder__project"), build_id, "build")


def _step(step_id: int) -> Step:
    return _fetch(Step.objects.select_related("build__builder__project"), step_id, "step")


def _log(log_id: int, logs: QuerySet[LogFile] | None = None) -> LogFile:
    logs = LogFile.objects.all() if logs is None else logs
    return _fetch(logs.select_related("step__build__builder__project"), log_id, "log")


def _fetch(rows: QuerySet[Row], row_id: int, noun: str) -> Row:
    """The row of that id; NotFound, also for an id that no database can hold."""
    row = rows.filter(pk=row_id).first() if 0 <= row_id <= MAX_ID else None
    if row is None:
        raise NotFound(noun)
    return row
