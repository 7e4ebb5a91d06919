"""Projects and builders in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from logviewer.admin.member import MemberInline, actor_of, save_members
from logviewer.admin.noun import MadeByIntake, NounAdmin
from logviewer.admin.token import TokenInline
from logviewer.models import Act, AuditEntry, Builder, Member, Project


@admin.register(Project)
class ProjectAdmin(NounAdmin[Project]):
    """What is built, and who may see it."""

    list_display = ["slug", "name", "visibility", "builder_count", "created_at", "page"]
    list_editable = ["visibility"]
    list_filter = ["visibility"]
    search_fields = ["slug", "name"]
    date_hierarchy = "created_at"
    actions = None
    inlines = [MemberInline, TokenInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        """Projects with the number of their builders."""
        return super().get_queryset(request).annotate(builder_total=Count("builders"))

    @admin.display(description="builders", ordering="builder_total")
    def builder_count(self, project: Project) -> int:
        """How many builders the project has."""
        return int(getattr(project, "builder_total", 0))

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> list[str]:
        """A slug is in every address and storage key of the project: it stays as it was made."""
        if obj is None:
            return ["created_at"]
        return ["slug", "created_at", "page"]

    def save_model(self, request: HttpRequest, obj: Project, form: ModelForm[Project], change: bool) -> None:
        """Write what was changed and nothing else: builds raise the project's version meanwhile."""
        obj.save(update_fields=form.changed_data if change else None)
        details = {name: str(form.cleaned_data[name]) for name in form.changed_data}
        if details:
            AuditEntry.record(actor_of(request), Act.CHANGE if change else Act.CREATE, obj, **details)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Write the members with their audit entries."""
        if formset.model is Member:
            save_members(request, formset)
        else:
            super().save_formset(request, form, formset, change)

    def has_delete_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        """Only while it is empty: deleting rows would leave the logs' bytes on disk."""
        empty = obj is None or not obj.builders.exists()
        return empty and super().has_delete_permission(request, obj)


@admin.register(Builder)
class BuilderAdmin(MadeByIntake[Builder]):
    """One way of building a project."""

    list_display = ["slug", "project", "build_count", "created_at", "page"]
    list_filter = ["project"]
    list_select_related = ["project"]
    search_fields = ["slug", "project__slug"]
    date_hierarchy = "created_at"
    fields = ["project", "slug", "next_number", "created_at", "page"]
    readonly_fields = ["page"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Builder]:
        """Builders with the number of their builds."""
        return super().get_queryset(request).annotate(build_total=Count("builds"))

    @admin.display(description="builds", ordering="build_total")
    def build_count(self, builder: Builder) -> int:
        """How many builds the builder has."""
        return int(getattr(builder, "build_total", 0))
