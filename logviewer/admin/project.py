"""Projects and builders in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.db import transaction
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from logviewer.admin.noun import MadeByIntake, NounAdmin
from logviewer.models import Act, Actor, AuditEntry, Builder, Project
from logviewer.models.retention import RetentionFields
from logviewer.upkeep.retention.policy import Policy
from logviewer.upkeep.retention.sentence import policy_words

RETENTION_FIELDS = tuple(field.name for field in RetentionFields._meta.get_fields())


@admin.register(Project)
class ProjectAdmin(NounAdmin[Project]):
    """What is built, and who may see it."""

    list_display = ["slug", "name", "visibility", "builder_count", "created_at", "page"]
    list_editable = ["visibility"]
    list_filter = ["visibility"]
    search_fields = ["slug", "name"]
    date_hierarchy = "created_at"
    actions = None

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
        return ["slug", "created_at", "page", "retention"]

    @admin.display(description="retention")
    def retention(self, project: Project) -> str:
        """What the fields say together, in words."""
        return policy_words(Policy.of(project))

    def save_model(self, request: HttpRequest, obj: Project, form: ModelForm[Project], change: bool) -> None:
        """Write what was changed and nothing else: builds raise the project's version meanwhile."""
        obj.save(update_fields=form.changed_data if change else None)

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
    fields = ["project", "slug", "next_number", "created_at", "page", *RETENTION_FIELDS, "retention"]
    readonly_fields = ["project", "slug", "next_number", "created_at", "page", "retention"]

    def has_change_permission(self, request: HttpRequest, obj: Builder | None = None) -> bool:
        """Its retention may be changed, and nothing else."""
        return super(MadeByIntake, self).has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Builder, form: ModelForm[Builder], change: bool) -> None:
        """Write what was changed and nothing else, for builds take its numbers meanwhile; and who changed it."""
        with transaction.atomic():
            obj.save(update_fields=form.changed_data)
            actor = Actor(request.user.get_username(), user_id=request.user.pk)
            changed = {name: getattr(obj, name) for name in form.changed_data}
            AuditEntry.record(actor, Act.CHANGE, obj, **changed)

    @admin.display(description="retention")
    def retention(self, builder: Builder) -> str:
        """What its fields and its project's say together, in words."""
        return policy_words(Policy.of(builder.project, builder), one_builder=True)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Builder]:
        """Builders with the number of their builds."""
        return super().get_queryset(request).annotate(build_total=Count("builds"))

    @admin.display(description="builds", ordering="build_total")
    def build_count(self, builder: Builder) -> int:
        """How many builds the builder has."""
        return int(getattr(builder, "build_total", 0))
