"""Pinning builds: what is pinned is deleted neither by retention nor by anybody, until it is unpinned."""

from __future__ import annotations

from django.db import transaction

from logviewer.intake.changes import lock_build
from logviewer.models import Act, Actor, AuditEntry
from logviewer.upkeep.errors import AlreadySo


def pin_build(build_id: int, actor: Actor, reason: str = "") -> None:
    """Pin a build. Raises Build.DoesNotExist, and AlreadySo where it is pinned."""
    _set_pinned(build_id, actor, reason, pinned=True)


def unpin_build(build_id: int, actor: Actor, reason: str = "") -> None:
    """Unpin a build. Raises Build.DoesNotExist, and AlreadySo where it is not pinned."""
    _set_pinned(build_id, actor, reason, pinned=False)


def _set_pinned(build_id: int, actor: Actor, reason: str, *, pinned: bool) -> None:
    with transaction.atomic():
        build = lock_build(build_id)
        if build.pinned == pinned:
            raise AlreadySo(f"the build is {'pinned already' if pinned else 'not pinned'}")
        build.pinned = pinned
        build.save(update_fields=["pinned"])
        AuditEntry.record(actor, Act.PIN if pinned else Act.UNPIN, build, reason=reason)
