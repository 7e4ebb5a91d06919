"""Projects and builders, for reading; creating a build creates them."""

from __future__ import annotations

from typing import Annotated

from django.utils import timezone
from ninja import Query, Router
from pydantic import Field

from logviewer.api.authentication import ApiRequest
from logviewer.api.cursors import Page, PageQuery, decode, encode, page_of, refuse_unknown
from logviewer.api.fields import Body, Name
from logviewer.models import Visibility
from logviewer.resources.access import administered_project, readable_project, visible_projects
from logviewer.resources.retention import RetentionShape, retention_shape
from logviewer.resources.shapes import (
    BuilderShape,
    ProjectShape,
    builder_shape,
    project_shape,
)
from logviewer.upkeep.membership import change_project
from logviewer.upkeep.retention.plan import plan_retention

router = Router(tags=["projects"])

PROJECTS = "project"
BUILDERS = "builder"


class ProjectDetails(Body):
    """What may be changed of a project; only what is given is."""

    name: Name = ""
    visibility: Annotated[Visibility, Field(strict=False)] = Visibility.PRIVATE


@router.get("", response=Page[ProjectShape], summary="The projects you may read, by slug")
def list_projects(request: ApiRequest, query: Query[PageQuery]) -> Page[ProjectShape]:
    """List projects."""
    refuse_unknown(request, PageQuery)
    projects = visible_projects(request.auth).order_by("slug")
    if query.cursor is not None:
        projects = projects.filter(slug__gt=decode(PROJECTS, query.cursor))
    return page_of(projects, query, project_shape, lambda project: encode(PROJECTS, project.slug))


@router.get("/{slug}", response=ProjectShape, summary="One project")
def get_project(request: ApiRequest, slug: str) -> ProjectShape:
    """Show a project."""
    return project_shape(readable_project(request.auth, slug))


@router.patch("/{slug}", response=ProjectShape, summary="Change a project's name or who may see it")
def patch_project(request: ApiRequest, slug: str, body: ProjectDetails) -> ProjectShape:
    """Only what is given is changed. Whoever may not see it any more is shown out within a minute."""
    project = administered_project(request.auth, slug)
    changes = {name: str(value) for name, value in body.model_dump(exclude_unset=True).items()}
    return project_shape(change_project(request.auth.actor, project, **changes))


@router.get("/{slug}/builders", response=Page[BuilderShape], summary="A project's builders, by slug")
def list_builders(request: ApiRequest, slug: str, query: Query[PageQuery]) -> Page[BuilderShape]:
    """List a project's builders."""
    refuse_unknown(request, PageQuery)
    builders = readable_project(request.auth, slug).builders.select_related("project").order_by("slug")
    if query.cursor is not None:
        builders = builders.filter(slug__gt=decode(BUILDERS, query.cursor))
    return page_of(builders, query, builder_shape, lambda builder: encode(BUILDERS, builder.slug))


@router.get("/{slug}/retention", response=RetentionShape, summary="What retention would delete of a project now")
def get_retention(request: ApiRequest, slug: str) -> RetentionShape:
    """Say which builds would go, by the policies of the project and its builders. Nothing is deleted. Scope: admin."""
    return retention_shape(plan_retention(administered_project(request.auth, slug), timezone.now()))
