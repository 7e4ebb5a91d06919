"""Pinning: a build that neither retention nor anybody deletes until it is unpinned."""

from __future__ import annotations

from django.db import transaction

from logviewer.intake.changes import lock_build
from logviewer.models import Act, Actor, AuditEntry, Build
from logviewer.upkeep.errors import BeingDeleted


def pin_build(build_id: int, pinned: bool, actor: Actor, reason: str = "") -> Build:
    """Pin or unpin a build; one that is so already stays as it is, and nothing is recorded.

    Raises:
        Build.DoesNotExist: it is gone.
        BeingDeleted: some of its files are: a pin would promise what nobody can keep.
    """
    with transaction.atomic():
        build = lock_build(build_id)
        if pinned and build.deletion_began_at is not None:
            raise BeingDeleted
        if build.pinned != pinned:
            build.pinned = pinned
            build.save(update_fields=["pinned"])
            AuditEntry.record(actor, Act.PIN if pinned else Act.UNPIN, build, reason=reason)
    return build
