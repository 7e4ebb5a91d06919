"""A project's members and tokens, for its admins."""

from __future__ import annotations

from typing import Annotated

from django.contrib.auth.models import Group, User
from django.utils import timezone
from ninja import Query, Router, Status
from pydantic import Field

from logviewer.api.authentication import ApiRequest
from logviewer.api.cursors import Page, PageQuery, decode, encode, page_of, refuse_unknown
from logviewer.api.fields import Body, Moment, Name, Text200
from logviewer.models import Role, TokenScope
from logviewer.resources.access import MAX_ID, Caller, administered_project
from logviewer.resources.errors import Invalid, NotFound
from logviewer.resources.member_shapes import IssuedTokenShape, MemberShape, TokenShape, member_shape, token_shape
from logviewer.upkeep.membership import issue_token, remove_member, revoke_token, set_member

router = Router(tags=["members and tokens"])

MEMBERS = "member"
TOKENS = "token"


class MemberToSet(Body):
    """A user or a group, one of the two, and what they shall be."""

    user: Annotated[Text200 | None, Field(description="the name of an account")] = None
    group: Annotated[Text200 | None, Field(description="the name of a group of accounts")] = None
    role: Annotated[Role, Field(strict=False)]


class TokenToIssue(Body):
    """A token to be made."""

    name: Annotated[Name, Field(description="what it is for")]
    scopes: Annotated[list[Annotated[TokenScope, Field(strict=False)]], Field(min_length=1, max_length=3)]
    expires_at: Annotated[Moment | None, Field(description="never, where none is given")] = None


@router.get("/{slug}/members", response=Page[MemberShape], summary="A project's members, in the order they came")
def list_members(request: ApiRequest, slug: str, query: Query[PageQuery]) -> Page[MemberShape]:
    """Users and groups with their roles; staff, who may everything anyway, are not among them."""
    refuse_unknown(request, PageQuery)
    members = administered_project(request.auth, slug).members.select_related("user", "group").order_by("id")
    members = members.filter(pk__gt=_place(MEMBERS, query.cursor))
    return page_of(members, query, member_shape, lambda member: encode(MEMBERS, member.pk))


@router.post(
    "/{slug}/members", response={200: MemberShape, 201: MemberShape}, summary="Add a member, or change its role"
)
def post_member(request: ApiRequest, slug: str, body: MemberToSet) -> Status[MemberShape]:
    """201 for a new member, 200 for one that there was, who now has the role."""
    project = administered_project(request.auth, slug)
    user, group = _user_or_group(body)
    member, is_new = set_member(request.auth.actor, project, body.role, user=user, group=group)
    return Status(201 if is_new else 200, member_shape(member))


@router.delete("/{slug}/members/{int:member_id}", response={204: None}, summary="Take a member's role away")
def delete_member(request: ApiRequest, slug: str, member_id: int) -> Status[None]:
    """Their open pages and sockets of a private project end within a minute."""
    members = administered_project(request.auth, slug).members.select_related("project", "user", "group")
    member = members.filter(pk=member_id).first() if member_id <= MAX_ID else None
    if member is None:
        raise NotFound("member")
    remove_member(request.auth.actor, member)
    return Status(204, None)


@router.get("/{slug}/tokens", response=Page[TokenShape], summary="A project's tokens, in the order they came")
def list_tokens(request: ApiRequest, slug: str, query: Query[PageQuery]) -> Page[TokenShape]:
    """Those of this project alone, expired and revoked ones too; what a token says is never shown again."""
    refuse_unknown(request, PageQuery)
    tokens = administered_project(request.auth, slug).tokens.order_by("id")
    tokens = tokens.filter(pk__gt=_place(TOKENS, query.cursor))
    return page_of(tokens, query, token_shape, lambda token: encode(TOKENS, token.pk))


@router.post("/{slug}/tokens", response={201: IssuedTokenShape}, summary="Make a token of the project")
def post_token(request: ApiRequest, slug: str, body: TokenToIssue) -> Status[IssuedTokenShape]:
    """The answer's `token` is its text: shown once, kept nowhere."""
    project = administered_project(request.auth, slug)
    _check_end(request.auth, body)
    scopes = list(dict.fromkeys(str(scope) for scope in body.scopes))
    token, text = issue_token(request.auth.actor, body.name, project=project, scopes=scopes, expires_at=body.expires_at)
    return Status(201, IssuedTokenShape(**token_shape(token), token=text))


@router.delete("/{slug}/tokens/{int:token_id}", response={204: None}, summary="Revoke a token")
def delete_token(request: ApiRequest, slug: str, token_id: int) -> Status[None]:
    """It is worthless from now on, and stays in the list."""
    tokens = administered_project(request.auth, slug).tokens.select_related("project")
    token = tokens.filter(pk=token_id).first() if token_id <= MAX_ID else None
    if token is None:
        raise NotFound("token")
    revoke_token(request.auth.actor, token)
    return Status(204, None)


def _user_or_group(body: MemberToSet) -> tuple[User | None, Group | None]:
    """The one that the body names; Invalid where it names both or none, or one that there is not."""
    if (body.user is None) == (body.group is None):
        raise Invalid({"user": ["give a user or a group, one of the two"]})
    if body.user is not None:
        user = User.objects.filter(username=body.user).first()
        if user is None:
            raise Invalid({"user": ["there is no account of that name"]})
        return user, None
    group = Group.objects.filter(name=body.group).first()
    if group is None:
        raise Invalid({"group": ["there is no group of that name"]})
    return None, group


def _check_end(caller: Caller, body: TokenToIssue) -> None:
    """Invalid for an end that is over, or after the end of the token that asks: a leaked one must not live on."""
    if body.expires_at is not None and body.expires_at <= timezone.now():
        raise Invalid({"expires_at": ["is over already"]})
    own_end = None if caller.token is None else caller.token.expires_at
    if own_end is not None and (body.expires_at is None or body.expires_at > own_end):
        raise Invalid({"expires_at": ["a token that expires makes none that lasts longer than it does itself"]})


def _place(kind: str, cursor: str | None) -> int:
    """The id after which the page begins."""
    place = "0" if cursor is None else decode(kind, cursor)
    if not (place.isascii() and place.isdigit() and int(place) <= MAX_ID):
        raise Invalid({"cursor": ["is not a cursor that this list has given"]})
    return int(place)
