"""/ws/projects/{slug}/: a viewer watches a project: its newest builds, then which begin and end (websocket.md)."""

from __future__ import annotations

from collections.abc import Callable

from logviewer.doors.feed import Feed, Message, message_text
from logviewer.doors.identity import identify
from logviewer.doors.watching import Watching
from logviewer.live.database import in_database
from logviewer.live.events import BuildEventName, Changed, Noun
from logviewer.models import Build, Project
from logviewer.resources import access, shapes

SNAPSHOT_BUILDS = 50
"""The newest builds of a snapshot: what a page shows of a project at once."""

EVENT_NAMES: dict[BuildEventName, str] = {"buildAbandoned": "buildFinished", "buildReopened": "buildStarted"}
"""What events are called whose own name the contract does not have: the build's `state` says the rest (ADR 15)."""


class ProjectFeed(Feed):
    """One project."""

    @staticmethod
    def noun_of(number: int) -> Noun:
        """The project of that id."""
        return "project", number

    def read_snapshot(self) -> Callable[[], Message]:
        """The project as REST shows it, and its newest builds."""
        project = Project.objects.get(pk=self.noun[1])
        builds = Build.objects.filter(builder__project=project).select_related("builder__project").order_by("-id")
        text = message_text(
            {
                "type": "snapshot",
                "version": project.version,
                **shapes.project_shape(project),
                "builds": [shapes.build_head_shape(build) for build in builds[:SNAPSHOT_BUILDS]],
            }
        )
        return lambda: Message(project.version, text, is_snapshot=True)

    def read_change(self, version: int, change: Changed) -> Message | None:
        """The build that began or ended."""
        if change["type"] != "project.changed":
            return None
        build = Build.objects.select_related("builder__project").filter(pk=change["build"]).first()
        if build is None:
            return None
        event = EVENT_NAMES.get(change["event"], change["event"])
        return Message(
            version, message_text({"type": event, "version": version, "build": shapes.build_head_shape(build)})
        )

    async def follow(self, change: Changed | None) -> None:
        """There is nothing else to look at."""


class WatchProject(Watching):
    """A viewer of one project."""

    feed = ProjectFeed

    async def admit(self) -> None:
        """Look up the project, if the caller may read it."""
        slug = self.scope["url_route"]["kwargs"]["slug"]
        caller = await identify(self.scope)
        self.number = (await in_database(access.readable_project, caller, slug)).pk
