"""What a project's admin does: members, tokens, name and visibility. Each act is one transaction with its audit entry.

Who may do it is asked before, by whoever calls.
"""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone

from logviewer.models import Act, Actor, AuditEntry, Member, Project, Role, Token


def set_member(
    actor: Actor, project: Project, role: Role, *, user: User | None = None, group: Group | None = None
) -> tuple[Member, bool]:
    """Give the user or group the role in the project; returns the member, and whether it was none before."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # two admins at once: one after the other
        member = Member.objects.select_related("user", "group").filter(project=project, user=user, group=group).first()
        if member is None:
            member = Member.objects.create(project=project, user=user, group=group, role=role)
            note_member(actor, Act.CREATE, member)
            return member, True
        if member.role != role:
            before, member.role = member.role, role
            member.save(update_fields=["role"])
            note_member(actor, Act.CHANGE, member, before=before)
        return member, False


def note_member(actor: Actor, act: Act, member: Member, **details: str) -> None:
    """Put it into the audit log that a member came, changed or went."""
    AuditEntry.record(actor, act, member, role=str(member.role), **details)


def remove_member(actor: Actor, member: Member) -> None:
    """Take the member's role away; one that is gone already stays gone, without an entry."""
    with transaction.atomic():
        deleted, _ = Member.objects.filter(pk=member.pk).delete()
        if deleted:
            note_member(actor, Act.REVOKE, member)


def issue_token(
    actor: Actor, name: str, *, project: Project | None, scopes: list[str], expires_at: datetime | None = None
) -> tuple[Token, str]:
    """As `Token.issue`, with an audit entry."""
    with transaction.atomic():
        token, text = Token.issue(name, project=project, scopes=scopes, expires_at=expires_at)
        expires = None if expires_at is None else expires_at.isoformat()
        AuditEntry.record(actor, Act.CREATE, token, scopes=scopes, expires_at=expires)
        return token, text


def revoke_token(actor: Actor, token: Token) -> None:
    """Make the token worthless from now on; one that was revoked keeps its time, without an entry."""
    with transaction.atomic():
        if Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            AuditEntry.record(actor, Act.REVOKE, token)


def change_project(actor: Actor, project: Project, **changes: str) -> Project:
    """Change the project's `name` or `visibility`, whichever is given; what stays as it is leaves no entry."""
    with transaction.atomic():
        locked = Project.objects.select_for_update().get(pk=project.pk)
        changed = {name: value for name, value in changes.items() if getattr(locked, name) != value}
        before = {f"{name}_before": getattr(locked, name) for name in changed}
        for name, value in changed.items():
            setattr(locked, name, value)
        if changed:
            locked.save(update_fields=list(changed))  # builds raise the version meanwhile
            AuditEntry.record(actor, Act.CHANGE, locked, **changed, **before)
        return locked
