"""The audit log, for reading."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from django.db.models import QuerySet
from ninja import Query, Router
from pydantic import Field

from logviewer.api.authentication import ApiRequest
from logviewer.api.cursors import Page, PageQuery, decode_id, encode, page_of, refuse_unknown
from logviewer.api.fields import Moment, Text200
from logviewer.models import Act, AuditEntry
from logviewer.resources.access import Caller, audited_projects
from logviewer.resources.shapes import AuditShape, audit_shape

router = Router(tags=["audit"])

AUDIT = "audit"

DISORDER = timedelta(minutes=10)
"""How much later than an entry another one may have been begun whose id is lower: no act's last transaction takes that
long."""


class AuditQuery(PageQuery):
    """Which entries, and which page of them."""

    project: Annotated[Text200 | None, Field(description="its slug; it may be gone")] = None
    act: Act | None = None
    since: Annotated[Moment | None, Field(description="done at that time or later")] = None


@router.get("", response=Page[AuditShape], summary="Who did what to which build or log, and why; newest first")
def list_audit(request: ApiRequest, query: Query[AuditQuery]) -> Page[AuditShape]:
    """For whoever administers a project, that of theirs: an admin's session, or a token with the scope `admin`.

    All of it for staff, and for tokens of all projects.
    """
    refuse_unknown(request, AuditQuery)
    entries = _chosen(request.auth, query).order_by("-id")
    return page_of(entries, query, audit_shape, lambda entry: encode(AUDIT, entry.pk))


def _chosen(caller: Caller, query: AuditQuery) -> QuerySet[AuditEntry]:
    """The entries that the query is about, from its cursor on."""
    entries = AuditEntry.objects.all()
    project_ids = audited_projects(caller)
    if project_ids is not None:
        entries = entries.filter(project__in=project_ids)
    if query.since is not None:
        entries = entries.filter(at__gte=query.since, id__gte=_first_id(query.since))
    wanted = {
        "project_slug": query.project,
        "act": query.act,
        "id__lt": None if query.cursor is None else decode_id(AUDIT, query.cursor),
    }
    return entries.filter(**{name: value for name, value in wanted.items() if value is not None})


def _first_id(since: datetime) -> int:
    """An id below which no entry is of that time: so that the list, which is in the order of ids, ends there."""
    try:
        begin = since - DISORDER
    except OverflowError:
        return 0
    return AuditEntry.objects.filter(at__gte=begin).order_by("at", "id").values_list("id", flat=True).first() or 0
