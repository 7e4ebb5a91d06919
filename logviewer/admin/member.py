"""Members in the admin: a table on the project's page, and a list of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from logviewer.admin.acting import actor_of
from logviewer.admin.noun import NounAdmin
from logviewer.admin.words import age
from logviewer.models import Act, Member, Project
from logviewer.upkeep.membership import note_member, remove_member

if TYPE_CHECKING:
    _MemberTable = admin.TabularInline[Member, Project]
    _MemberForm = forms.ModelForm[Member]
else:
    _MemberForm = forms.ModelForm
    _MemberTable = admin.TabularInline  # takes no types in brackets while it runs


class _Name(forms.Widget):
    """The name of whom a member is, to be read."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """As text."""
        return format_html("{}", self._name)


class MemberInlineForm(_MemberForm):
    """A row of the table: of a member that there is, the role changes alone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            for field, named in (("user", self.instance.user), ("group", self.instance.group)):
                self.fields[field].disabled = True
                self.fields[field].widget = _Name("-" if named is None else str(named))


class MemberInline(_MemberTable):
    """A project's members. `save_members` of the project's admin writes what was changed, with its audit entries."""

    model = Member
    form = MemberInlineForm
    fields = ["user", "group", "role"]
    autocomplete_fields = ["user", "group"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        """With those they are, or each row would ask for its own."""
        return super().get_queryset(request).select_related("project", "user", "group")


def save_members(request: HttpRequest, formset: Any) -> None:
    """Write a formset of MemberInline; Django calls `save_formset` within the transaction of the page."""
    actor = actor_of(request)
    before = {form.instance.pk: form.initial.get("role", "") for form in formset.initial_forms}
    changed = formset.save(commit=False)
    for member in formset.deleted_objects:
        remove_member(actor, member)
    for member in changed:
        is_new = member._state.adding
        member.save()
        if is_new:
            note_member(actor, Act.CREATE, member)
        else:
            note_member(actor, Act.CHANGE, member, before=str(before.get(member.pk, "")))


@admin.register(Member)
class MemberAdmin(NounAdmin[Member]):
    """All members of all projects, to be searched; they are changed here or on their project's page."""

    list_display = ["name", "project", "role", "created"]
    list_filter = ["role"]
    list_select_related = ["project", "user", "group"]
    search_fields = ["user__username", "group__name", "project__slug"]
    autocomplete_fields = ["project", "user", "group"]
    fields = ["project", "user", "group", "role"]
    actions = None  # deleting many at once would leave no entries

    @admin.display(description="since", ordering="created_at")
    def created(self, member: Member) -> SafeString | str:
        """How long."""
        return age(member.created_at)

    def get_readonly_fields(self, request: HttpRequest, obj: Member | None = None) -> list[str]:
        """Of one that there is, the role changes alone."""
        return [] if obj is None else ["project", "user", "group"]

    def save_model(self, request: HttpRequest, obj: Member, form: Any, change: bool) -> None:
        """Write it with its audit entry."""
        obj.save()
        if not change:
            note_member(actor_of(request), Act.CREATE, obj)
        elif "role" in form.changed_data:
            note_member(actor_of(request), Act.CHANGE, obj, before=str(form.initial["role"]))

    def delete_model(self, request: HttpRequest, obj: Member) -> None:
        """Delete it with its audit entry."""
        remove_member(actor_of(request), obj)
