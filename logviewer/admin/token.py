"""Tokens in the admin: made, shown once, revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from logviewer.admin.acting import actor_of
from logviewer.admin.filters import ProjectFilter
from logviewer.admin.noun import NounAdmin, shown_id, way_to
from logviewer.admin.words import age, toned
from logviewer.models import Act, AuditEntry, Project, Token, TokenScope
from logviewer.upkeep.membership import issue_token, revoke_token

if TYPE_CHECKING:
    _TokenModelForm = forms.ModelForm[Token]
    _TokenTable = admin.TabularInline[Token, Project]
else:
    _TokenTable = admin.TabularInline
    _TokenModelForm = forms.ModelForm  # takes no type in brackets while it runs


Fields = list[str | list[str] | tuple[str, ...] | tuple[()]]
"""What Django lets `get_fields` return."""


MAX_TABLE_TOKENS = 50
"""Of a project, on its page: where each build gets a token of its own there are a hundred thousand."""

CHANGEABLE = frozenset({"name", "expires_at"})
"""Of a token that there is."""


class TokenForm(_TokenModelForm):
    """A token's form, its scopes as boxes to tick."""

    class Meta:
        labels = {"expires_at": "Expires at (UTC)"}

    scopes = forms.MultipleChoiceField(
        choices=TokenScope.choices, widget=forms.CheckboxSelectMultiple, initial=[TokenScope.WRITE, TokenScope.READ]
    )


def state_of(token: Token) -> str:
    """Whether it is good, and if not, why."""
    return "valid" if token.is_valid else "revoked" if token.revoked_at is not None else "expired"


class _TokenColumns:
    """What is known of a token, in words."""

    @admin.display(description="scopes")
    def scope_words(self, token: Token) -> str:
        """The scopes in one line."""
        return ", ".join(token.scopes)

    @admin.display(description="state")
    def state(self, token: Token) -> SafeString | str:
        """As `state_of`."""
        return toned(state_of(token))

    @admin.display(description="created", ordering="created_at")
    def created(self, token: Token) -> SafeString | str:
        """How long ago."""
        return age(token.created_at)

    @admin.display(description="last used", ordering="last_used_at")
    def last_used(self, token: Token) -> SafeString | str:
        """How long ago."""
        return age(token.last_used_at)


class TokenInline(_TokenColumns, _TokenTable):
    """A project's newest tokens, to look at: each one's own page changes and revokes it."""

    model = Token
    fields = readonly_fields = ("way", "scope_words", "state", "created", "expires_at", "last_used")
    can_delete = False
    extra = max_num = 0
    verbose_name_plural = f"tokens, the newest {MAX_TABLE_TOKENS}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Token]:
        """Those of the project that is shown."""
        of_project = Token.objects.filter(project=shown_id(request)).order_by("-pk")
        tokens: QuerySet[Token] = super().get_queryset(request)
        return tokens.filter(pk__in=list(of_project.values_list("pk", flat=True)[:MAX_TABLE_TOKENS]))

    @admin.display(description="name")
    def way(self, token: Token) -> SafeString:
        """The way to its own page."""
        return way_to(token, token.name)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not here."""
        return False


class ValidityFilter(admin.SimpleListFilter):
    """Tokens that are good, or not any more."""

    title = "validity"
    parameter_name = "valid"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        """What may be chosen."""
        return [("yes", "valid"), ("revoked", "revoked"), ("expired", "expired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Token]) -> QuerySet[Token]:
        """The tokens of the chosen kind."""
        now = timezone.now()
        match self.value():
            case "yes":
                return queryset.filter(revoked_at=None).exclude(expires_at__lte=now)
            case "revoked":
                return queryset.exclude(revoked_at=None)
            case "expired":
                return queryset.filter(expires_at__lte=now)
            case _:
                return queryset


@admin.register(Token)
class TokenAdmin(_TokenColumns, NounAdmin[Token]):
    """Bearer tokens. Their text is shown once, in the message after the making; the digest never."""

    form = TokenForm
    list_display = ["name", "project_or_all", "scope_words", "state", "created", "expires_at", "last_used"]
    list_filter = [ValidityFilter, ProjectFilter]
    list_select_related = ["project"]
    search_fields = ["name", "project__slug"]
    list_per_page = 50
    autocomplete_fields = ["project"]  # a choice would name all projects there are
    actions = ["revoke"]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Tokens are revoked many at once, and deleted one by one."""
        return {name: act for name, act in super().get_actions(request).items() if name != "delete_selected"}

    @admin.display(description="project", ordering="project__slug")
    def project_or_all(self, token: Token) -> str:
        """The project, or that it is good for all of them."""
        return "all projects" if token.project is None else token.project.slug

    def get_fields(
        self, request: HttpRequest, obj: Token | None = None
    ) -> list[str | list[str] | tuple[str, ...] | tuple[()]]:
        """What is asked for when a token is made, and what is known of one that there is."""
        if obj is None:
            return ["name", "project", "scopes", "expires_at"]
        known = ["created_at", "expires_at", "last_used_at", "revoked_at", "state"]
        return ["name", "project_or_all", "scope_words", *known]

    def get_readonly_fields(self, request: HttpRequest, obj: Token | None = None) -> list[str]:
        """What a token may do is fixed when it is made; who needs more makes another."""
        if obj is None:
            return []
        return ["project_or_all", "scope_words", "created_at", "last_used_at", "revoked_at", "state"]

    def save_model(self, request: HttpRequest, obj: Token, form: Any, change: bool) -> None:
        """Issue a new token and show its text; the message travels in a cookie, the server keeps nothing of it."""
        if change:
            with transaction.atomic():
                super().save_model(request, obj, form, change)
                changed = {word: str(form.cleaned_data[word]) for word in form.changed_data if word in CHANGEABLE}
                AuditEntry.record(actor_of(request), Act.CHANGE, obj, **changed)
            return
        issued, text = issue_token(
            actor_of(request), obj.name, project=obj.project, scopes=obj.scopes, expires_at=obj.expires_at
        )
        obj.pk, obj.digest = issued.pk, issued.digest
        obj._state.adding = False
        said = format_html("The token is <code>{}</code> : copy it now, it cannot be shown again.", text)
        messages.warning(request, said)

    @admin.action(description="Revoke the chosen tokens", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Token]) -> None:
        """Make the tokens worthless from now on."""
        good = list(queryset.filter(revoked_at=None).select_related("project"))
        for token in good:
            revoke_token(actor_of(request), token)
        count = len(good)
        messages.success(request, f"{count} token{'' if count == 1 else 's'} revoked.")

    def delete_model(self, request: HttpRequest, obj: Token) -> None:
        """Delete it, and remember that it was there."""
        with transaction.atomic():
            AuditEntry.record(actor_of(request), Act.DELETE, obj)
            obj.delete()
