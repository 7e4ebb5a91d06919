"""Pinning: a build that neither retention nor anybody deletes until it is unpinned."""

from __future__ import annotations

from django.db import transaction

from logviewer.intake.changes import lock_build
from logviewer.models import Act, Actor, AuditEntry, Build


def pin_build(build_id: int, pinned: bool, actor: Actor, reason: str = "") -> Build:
    """Pin or unpin a build; one that is so already stays as it is, and nothing is recorded.

    Raises:
        Build.DoesNotExist: it is gone.
    """
    with transaction.atomic():
        build = lock_build(build_id)
        if build.pinned != pinned:
            build.pinned = pinned
            build.save(update_fields=["pinned"])
            AuditEntry.record(actor, Act.PIN if pinned else Act.UNPIN, build, reason=reason)
    return build
