"""What the admin's templates need beside Django's own filters: `{% load desk %}`."""

from __future__ import annotations

from collections.abc import Sequence

from django import template

from logviewer.admin.words import age
from logviewer.models import AuditEntry
from logviewer.models.audit import target_text
from logviewer.upkeep.retention.sentence import bytes_text

LATEST_ENTRIES = 10

register = template.Library()
for said in (age, bytes_text, target_text):
    register.filter(said)


@register.simple_tag
def latest_entries() -> Sequence[AuditEntry]:
    """The newest entries of the audit log."""
    return list(AuditEntry.objects.order_by("-pk")[:LATEST_ENTRIES])
