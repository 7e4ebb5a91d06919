"""Projects and builders in the admin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import capfirst

from logviewer.admin.acting import actor_of
from logviewer.admin.filters import ProjectFilter, word_filter
from logviewer.admin.member import MemberInline, save_members
from logviewer.admin.noun import BoundedAdmin, MadeByIntake, NounAdmin, OnlyLookedAt, Ordering, Tools
from logviewer.admin.token import MAX_TABLE_TOKENS, TokenInline
from logviewer.admin.words import age
from logviewer.models import Act, AuditEntry, Builder, Member, Project, Visibility
from logviewer.models.audit import target_text
from logviewer.models.retention import RetentionFields
from logviewer.resources.access import MAX_ID
from logviewer.upkeep.choosing import Name
from logviewer.upkeep.deleting import delete_builder, delete_project
from logviewer.upkeep.errors import UpkeepError
from logviewer.upkeep.retention.plan import plan_retention
from logviewer.upkeep.retention.policy import Policy
from logviewer.upkeep.retention.sentence import bytes_text, policy_words
from logviewer.upkeep.survey import last_survey, total

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList
    from django.utils.safestring import SafeString

MAX_TABLE_MEMBERS = 50
"""Of more, a project's page would be megabytes of forms."""

RETENTION_TITLE = "How long builds are kept"
OF_PROJECT = "Where a field is empty, what the project says holds."
RETENTION_FIELDS = tuple(field.name for field in RetentionFields._meta.get_fields())


def _use(noun: Project | Builder, place: int) -> int | None:
    """A figure of the last survey; None where that does not know of it."""
    sums = vars(noun).get("use")
    return None if sums is None else sums[place]


def _count(project: Project, what: str) -> int:
    """How many `members` or `tokens` it has, asked once for its page, which several methods make."""
    counts: dict[str, int] = vars(project).setdefault("counts", {})
    if what not in counts:
        counts[what] = getattr(project, what).count()
    return counts[what]


class SurveyedAdmin(NounAdmin[Any]):
    """Columns that the last survey has: logs, text, what that takes up."""

    @admin.display(description="logs")
    def logs(self, noun: Project | Builder) -> int | str:
        """How many."""
        found = _use(noun, 0)
        return "" if found is None else found

    @admin.display(description="text")
    def text(self, noun: Project | Builder) -> str:
        """How much they say."""
        found = _use(noun, 1)
        return "" if found is None else bytes_text(found)

    @admin.display(description="stored")
    def stored(self, noun: Project | Builder) -> str:
        """How much that takes up, here and in the other store."""
        here, elsewhere = _use(noun, 2), _use(noun, 3)
        return "" if here is None or elsewhere is None else bytes_text(here + elsewhere)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """As Django's, saying why where upkeep refuses."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except UpkeepError as error:
            self.message_user(request, f"Nothing was deleted: {error}.", messages.ERROR)
            return HttpResponseRedirect(reverse(f"admin:logviewer_{self.opts.model_name}_changelist"))


@admin.register(Project)
class ProjectAdmin(SurveyedAdmin):
    """What is built, and who may see it."""

    list_display = ["slug", "name", "visibility", "builder_count", "logs", "text", "stored", "created", "page"]
    list_editable = ["visibility"]
    list_filter = [word_filter("visibility", Visibility)]
    list_per_page = 50
    list_max_show_all = 0
    search_fields = ["slug", "name"]
    actions = None
    inlines = [MemberInline, TokenInline]

    def get_inlines(self, request: HttpRequest, obj: Project | None) -> list[Any]:
        """Members, unless they are many, and tokens; of many the number, with the way to their list."""
        if obj is None:
            return [MemberInline]
        return [MemberInline, TokenInline] if _count(obj, "members") <= MAX_TABLE_MEMBERS else [TokenInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        """Projects with the number of their builders."""
        builders = Builder.objects.filter(project=OuterRef("pk")).order_by().values("project")
        counted = Subquery(builders.annotate(total=Count("pk")).values("total"))
        projects: QuerySet[Project] = super().get_queryset(request)
        return projects.annotate(builder_total=counted)

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Django's list, its rows with the figures of the last survey."""
        found = super().get_changelist_instance(request)
        rows = list(found.result_list)
        members: dict[int, list[list[int]]] = {row.pk: [] for row in rows}
        use = last_survey()[1]["builders"]
        for builder, project in Builder.objects.filter(project__in=rows).order_by().values_list("pk", "project"):
            members[project].append(use.get(str(builder), [0, 0, 0, 0]))
        for row in rows:
            vars(row)["use"] = total(members[row.pk], 4) if use else None
        return found

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A choice that says what it is of, also in the list, where it has no label."""
        field = super().formfield_for_choice_field(db_field, request, **kwargs)
        assert field is not None
        field.widget.attrs["aria-label"] = capfirst(str(db_field.verbose_name))
        return field

    @admin.display(description="builders")
    def builder_count(self, project: Project) -> SafeString:
        """How many builders the project has, and the way to them."""
        address = reverse("admin:logviewer_builder_changelist")
        count = getattr(project, "builder_total", 0) or 0
        return format_html('<a href="{}?project={}">{}</a>', address, project.slug, count)

    @admin.display(description="created", ordering="created_at")
    def created(self, project: Project) -> SafeString | str:
        """How long ago."""
        return age(project.created_at)

    def get_fieldsets(self, request: HttpRequest, obj: Project | None = None) -> Any:
        """The project, then how much of a log it keeps, then which builds for how long."""
        known, said = ([], []) if obj is None else (["created_at", "page"], ["retention"])
        many = [] if MemberInline in self.get_inlines(request, obj) else ["members"]
        if obj is not None and _count(obj, "tokens") > MAX_TABLE_TOKENS:
            many.append("tokens")
        return [
            (None, {"fields": ["slug", "name", "visibility", *known, *many]}),
            ("How much of a log is kept", {"fields": ["max_log_bytes", "max_tail_bytes"]}),
            (RETENTION_TITLE, {"fields": [*said, *RETENTION_FIELDS]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> list[str]:
        """A slug is in every address and storage key of the project: it stays as it was made."""
        if obj is None:
            return []
        return ["slug", "created_at", "page", "retention", "members", "tokens"]

    @admin.display(description="members")
    def members(self, project: Project) -> SafeString:
        """How many there are, and the way to them."""
        address = reverse("admin:logviewer_member_changelist")
        return format_html('<a href="{}?project__id__exact={}">{}</a>', address, project.pk, _count(project, "members"))

    @admin.display(description="tokens")
    def tokens(self, project: Project) -> SafeString:
        """How many there are, and the way to them."""
        address = reverse("admin:logviewer_token_changelist")
        return format_html('<a href="{}?project={}">{}</a>', address, project.slug, _count(project, "tokens"))

    @admin.display(description="in words")
    def retention(self, project: Project) -> str:
        """What the fields say together, in words."""
        return policy_words(Policy.of(project))

    def save_model(self, request: HttpRequest, obj: Project, form: ModelForm[Project], change: bool) -> None:
        """Write what was changed and nothing else: builds raise the project's version meanwhile."""
        if change and not form.changed_data:
            return
        with transaction.atomic():
            obj.save(update_fields=form.changed_data if change else None)
            changed = {name: str(form.cleaned_data[name]) for name in form.changed_data} if change else {}
            AuditEntry.record(actor_of(request), Act.CHANGE if change else Act.CREATE, obj, **changed)

    def tools(self, request: HttpRequest, noun: Project) -> Tools:
        """The way to the dry run of its retention; then the others' buttons."""
        return [
            (reverse("admin:logviewer_project_retention", args=[noun.pk]), "What retention would free"),
            *super().tools(request, noun),
        ]

    def get_urls(self) -> list[URLPattern]:
        """Django's addresses, and `ID/retention/`."""
        view = self.admin_site.admin_view(self.retention_view)
        return [path("<int:project_id>/retention/", view, name="logviewer_project_retention"), *super().get_urls()]

    def retention_view(self, request: HttpRequest, project_id: int) -> HttpResponse:
        """Show which builds retention would delete now, and what that would free: a dry run."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if project_id > MAX_ID:
            raise Http404
        project = get_object_or_404(Project, pk=project_id)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "What retention would free",
            "subtitle": project.slug,
            "list_address": reverse("admin:logviewer_project_changelist"),
            "back_address": reverse("admin:logviewer_project_change", args=[project.pk]),
            "original": project,
            "plan": plan_retention(project, timezone.now()),
        }
        return TemplateResponse(request, "admin/retention.html", context)

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

    def delete_model(self, request: HttpRequest, obj: Project) -> None:
        """Delete it by upkeep, which refuses one that got a builder meanwhile."""
        delete_project(obj.pk, actor_of(request))


@admin.register(Builder)
class BuilderAdmin(SurveyedAdmin, MadeByIntake[Builder]):
    """One way of building a project."""

    actions = None
    list_display = ["name", "builds", "logs", "text", "stored", "created", "page"]
    list_filter = [ProjectFilter]
    list_select_related = ["project"]
    sortable_by = ()
    search_help_text = "An id, project, project/builder, or the beginning of a builder's name"
    fieldsets = [
        (None, {"fields": ["project", "slug", "next_number", "created_at", "page"]}),
        (RETENTION_TITLE, {"fields": ["retention", *RETENTION_FIELDS], "description": OF_PROJECT}),
    ]
    readonly_fields = ["project", "slug", "next_number", "created_at", "page", "retention"]

    def has_change_permission(self, request: HttpRequest, obj: Builder | None = None) -> bool:
        """Its retention may be changed, and nothing else."""
        return super(OnlyLookedAt, self).has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Builder, form: ModelForm[Builder], change: bool) -> None:
        """Write what was changed and nothing else, for builds take its numbers meanwhile; and who changed it."""
        with transaction.atomic():
            obj.save(update_fields=form.changed_data)
            changed = {name: getattr(obj, name) for name in form.changed_data}
            AuditEntry.record(actor_of(request), Act.CHANGE, obj, **changed)

    @admin.display(description="in words")
    def retention(self, builder: Builder) -> str:
        """What its fields and its project's say together, in words."""
        return policy_words(Policy.of(builder.project, builder), one_builder=True)

    def get_ordering(self, request: HttpRequest) -> Ordering:
        """By name."""
        return ["project__slug", "slug"]

    def named(self, request: HttpRequest, queryset: QuerySet[Builder], name: Name) -> QuerySet[Builder]:
        """The builders that a name is about."""
        if name.id is not None:
            return queryset.filter(pk=name.id)
        if name.builder is not None:
            return queryset.filter(project__slug=name.project, slug=name.builder)
        of_project = queryset.filter(project__slug=name.project)
        return of_project | queryset.filter(slug__startswith=name.project or "")

    def dress(self, request: HttpRequest, rows: Sequence[Builder]) -> None:
        """Add what the last survey says."""
        use = last_survey()[1]["builders"]
        for row in rows:
            vars(row)["use"] = use.get(str(row.pk), [0, 0, 0, 0]) if use else None

    @admin.display(description="builder")
    def name(self, builder: Builder) -> str:
        """As people call it."""
        return target_text(builder)

    @admin.display(description="builds")
    def builds(self, builder: Builder) -> SafeString:
        """The way to its builds, under the number that the next one gets."""
        address = reverse("admin:logviewer_build_changelist")
        return format_html('<a href="{}?q={}">up to #{}</a>', address, self.name(builder), builder.next_number - 1)

    @admin.display(description="created")
    def created(self, builder: Builder) -> SafeString | str:
        """How long ago."""
        return age(builder.created_at)

    def has_delete_permission(self, request: HttpRequest, obj: Builder | None = None) -> bool:
        """Only while it is empty, as projects."""
        empty = obj is not None and not obj.builds.exists()
        return empty and super(BoundedAdmin, self).has_delete_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: Builder) -> None:
        """Delete it by upkeep, which refuses one that got a build meanwhile."""
        delete_builder(obj.pk, actor_of(request))
