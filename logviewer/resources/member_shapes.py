"""Members and tokens as JSON, for those who administer a project. A token's text and digest are in none of it."""

from __future__ import annotations

from typing_extensions import TypedDict  # as in `shapes`

from logviewer.models import Member, Token
from logviewer.resources.shapes import rfc3339, time_or_none


class MemberShape(TypedDict):
    """A member: a user by name, or else a group by name."""

    id: int
    user: str | None
    group: str | None
    role: str
    created_at: str


class TokenShape(TypedDict):
    """A token of a project; `valid`: neither expired nor revoked."""

    id: int
    name: str
    scopes: list[str]
    valid: bool
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None


class IssuedTokenShape(TokenShape):
    """A token that was made this moment, with its text, which is shown once."""

    token: str


def member_shape(member: Member) -> MemberShape:
    """Give a member, fetched with user and group, as JSON."""
    return MemberShape(
        id=member.pk,
        user=None if member.user is None else member.user.get_username(),
        group=None if member.group is None else member.group.name,
        role=member.role,
        created_at=rfc3339(member.created_at),
    )


def token_shape(token: Token) -> TokenShape:
    """Give a token as JSON."""
    return TokenShape(
        id=token.pk,
        name=token.name,
        scopes=list(token.scopes),
        valid=token.is_valid,
        created_at=rfc3339(token.created_at),
        expires_at=time_or_none(token.expires_at),
        revoked_at=time_or_none(token.revoked_at),
        last_used_at=time_or_none(token.last_used_at),
    )
