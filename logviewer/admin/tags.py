"""What the admin's templates need beside Django's own filters: `{% load desk %}`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django import template
from django.utils.safestring import SafeString

from logviewer.admin.words import age as age_words
from logviewer.models import AuditEntry
from logviewer.models import audit as naming
from logviewer.upkeep.retention.sentence import bytes_text as bytes_words

LATEST_ENTRIES = 10

register = template.Library()


@register.filter
def bytes_text(count: int) -> str:
    """A number of bytes, as people say it."""
    return bytes_words(count)


@register.filter
def age(then: datetime | None) -> SafeString | str:
    """How long ago that was."""
    return age_words(then)


@register.filter
def target_text(noun: naming.Noun) -> str:
    """A build's or log's name, as people call it."""
    return naming.target_text(noun)


@register.simple_tag
def latest_entries() -> Sequence[AuditEntry]:
    """The newest entries of the audit log."""
    return list(AuditEntry.objects.order_by("-pk")[:LATEST_ENTRIES])
