"""Builds: created, described, kept alive, finished, listed, shown."""

from __future__ import annotations

from typing import Annotated

from ninja import Query, Router, Status
from pydantic import Field

from logviewer.api.authentication import ApiRequest
from logviewer.api.cursors import Page, PageQuery, decode_id, encode, refuse_unknown
from logviewer.api.fields import (
    Body,
    BuildNumber,
    ExternalId,
    Moment,
    Name,
    NoQuery,
    Properties,
    Results,
    Slug,
    StepNumber,
    Text200,
    Text500,
    WebAddress,
)
from logviewer.intake.builds import DETAILS, NewBuild, create_build, finish_build, note_heartbeat, update_build
from logviewer.intake.steps import create_step
from logviewer.models import Build, Builder, BuildState
from logviewer.models import Results as ResultsWord
from logviewer.resources.access import (
    Caller,
    administered_build,
    readable_build,
    visible_projects,
    writable_build,
    writable_project_slug,
)
from logviewer.resources.shapes import (
    BuildHeadShape,
    BuildShape,
    StepShape,
    build_head_shape,
    build_shape,
    step_shape,
)
from logviewer.resources.summary import BuildSummary, build_summary
from logviewer.upkeep.deleting import delete_build
from logviewer.upkeep.newest import newest_build_ids
from logviewer.upkeep.pinning import pin_build

router = Router(tags=["builds"])

BUILDS = "build"


class BuildDetails(Body):
    """What a build says of itself; only what is given is changed, and `properties` is replaced as a whole."""

    title: Text500 = ""
    branch: Text200 = ""
    revision: Text200 = ""
    reason: Text500 = ""
    origin_url: Annotated[WebAddress, Field(description="where this build is shown by the system that runs it")] = ""
    properties: Properties = {}


class BuildToCreate(BuildDetails):
    """A build to be created."""

    project: Slug
    builder: Slug
    external_id: Annotated[
        ExternalId | None, Field(description="makes creation repeatable: one build for each, in a builder")
    ] = None
    number: Annotated[BuildNumber | None, Field(description="the builder's next where none is given")] = None


class BuildChange(BuildDetails):
    """What is to be changed."""

    pinned: Annotated[
        bool, Field(description="neither retention nor anybody deletes it; changing this needs the scope `admin`")
    ] = False


class Ending(Body):
    """How it ended."""

    results: Results


class StepToCreate(Body):
    """A step to be created."""

    name: Name
    number: Annotated[
        StepNumber | None, Field(description="the build's next where none is given; makes creation repeatable")
    ] = None


class BuildQuery(PageQuery):
    """Which builds, and which page of them."""

    project: Text200 | None = None
    builder: Text200 | None = None
    state: BuildState | None = None
    results: ResultsWord | None = None
    branch: Text200 | None = None
    since: Annotated[Moment | None, Field(description="started at that time or later")] = None


@router.post("", response={200: BuildShape, 201: BuildShape}, summary="Create a build, or find it by external_id")
def post_build(request: ApiRequest, body: BuildToCreate) -> Status[BuildShape]:
    """Project and builder are created where there are none, if the token may; such a project is private."""
    writable_project_slug(request.auth, body.project)
    new = NewBuild(
        project=body.project,
        builder=body.builder,
        external_id=body.external_id,
        number=body.number,
        details=body.model_dump(include=set(DETAILS)),
    )
    created = create_build(new)
    return Status(201 if created.is_new else 200, build_shape(created.build))


@router.get("", response=Page[BuildHeadShape], summary="The builds you may read, newest first")
def list_builds(request: ApiRequest, query: Query[BuildQuery]) -> Page[BuildHeadShape]:
    """Builds in lists come without their steps."""
    refuse_unknown(request, BuildQuery)
    ids = _chosen(request.auth, query)
    shown = ids[: query.limit]
    rows = Build.objects.select_related("builder__project").filter(pk__in=shown).order_by("-id")
    following = encode(BUILDS, shown[-1]) if len(ids) > len(shown) else None
    return {"items": [build_head_shape(build) for build in rows], "next": following}


def _chosen(caller: Caller, query: BuildQuery) -> list[int]:
    """The ids of the builds that the query is about, from its cursor on: those of its page, and one more."""
    projects = visible_projects(caller)
    if query.project is not None:
        projects = projects.filter(slug=query.project)
    builders = Builder.objects.filter(project__in=projects)
    if query.builder is not None:
        builders = builders.filter(slug=query.builder)
    lookups = {
        "state": query.state,
        "results": query.results,
        "branch": query.branch,
        "started_at__gte": query.since,
    }
    wanted = {lookup: value for lookup, value in lookups.items() if value is not None}
    before = None if query.cursor is None else decode_id(BUILDS, query.cursor)
    return newest_build_ids(builders, query.limit + 1, before, wanted)


@router.get("/{int:build_id}", response=BuildShape, summary="One build with its steps and their logs")
def get_build(request: ApiRequest, build_id: int) -> BuildShape:
    """Show a build."""
    return build_shape(readable_build(request.auth, build_id))


@router.get("/{int:build_id}/summary", response=BuildSummary, summary="Why a build failed, in at most 64 KiB")
def get_build_summary(request: ApiRequest, build_id: int) -> BuildSummary:
    """Failed steps, the first errors of their logs with the lines around them, and their last lines."""
    refuse_unknown(request, NoQuery)
    return build_summary(readable_build(request.auth, build_id))


@router.patch("/{int:build_id}", response=BuildShape, summary="Change what a build says of itself")
def patch_build(request: ApiRequest, build_id: int, body: BuildChange) -> BuildShape:
    """Only what is given is changed. `pinned` needs the scope `admin`, all else `write`."""
    changes = body.model_dump(exclude_unset=True)
    pinned = changes.pop("pinned", None)
    if pinned is not None:
        build = administered_build(request.auth, build_id)
    if changes or pinned is None:
        writable_build(request.auth, build_id)
        build = update_build(build_id, changes)
    if pinned is not None:
        build = pin_build(build_id, pinned, request.auth.actor)
    return build_shape(build)


@router.delete("/{int:build_id}", response={204: None}, summary="Delete a finished build and its logs, for good")
def remove_build(request: ApiRequest, build_id: int) -> Status[None]:
    """One that is pinned, or of which anything is still open, is a conflict, and all of it stays."""
    refuse_unknown(request, NoQuery)
    administered_build(request.auth, build_id)
    delete_build(build_id, request.auth.actor)
    return Status(204, None)


@router.post("/{int:build_id}/finish", response=BuildShape, summary="Finish a build")
def post_build_finish(request: ApiRequest, build_id: int, body: Ending) -> BuildShape:
    """Its steps end with it; logs that are still being sent stay open."""
    writable_build(request.auth, build_id)
    return build_shape(finish_build(build_id, body.results))


@router.post("/{int:build_id}/heartbeat", response=BuildHeadShape, summary="Say that the build's writer lives")
def post_heartbeat(request: ApiRequest, build_id: int, body: Body = Body()) -> BuildHeadShape:  # noqa: B008
    """Agents send one every minute, so that a build with nothing to say is not abandoned. A body is not needed."""
    writable_build(request.auth, build_id)
    return build_head_shape(note_heartbeat(build_id))


@router.post(
    "/{int:build_id}/steps",
    response={200: StepShape, 201: StepShape},
    summary="Create a step, or find it by number and name",
)
def post_step(request: ApiRequest, build_id: int, body: StepToCreate) -> Status[StepShape]:
    """A number that belongs to a step of another name is a conflict."""
    writable_build(request.auth, build_id)
    created = create_step(build_id, body.name, body.number)
    return Status(201 if created.is_new else 200, step_shape(created.step))
