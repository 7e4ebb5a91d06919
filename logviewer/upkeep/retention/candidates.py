"""The builds that go, as the database knows them: each question costs an index of one builder's builds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, DateTimeField, F, Q, QuerySet, Sum, Value

from logviewer.models import Build, Builder, BuildState, LogFile, LogState, Project, Step
from logviewer.upkeep.retention.bounds import LATEST, Bounds, Facts, Protection
from logviewer.upkeep.retention.policy import Policy
from logviewer.upkeep.retention.room import Weighed, oldest_beyond

CHUNK_BUILDS = 2000
"""Rows of a long answer that are in memory at once."""

NO_TIME = Value(None, output_field=DateTimeField())
STEPS_A_QUESTION = 1000
OPEN = (LogState.OPEN, LogState.ABANDONED)


@dataclass(frozen=True)
class Weight:
    """So many builds, what they take, and how many of them are not added up yet, which count as nothing."""

    builds: int = 0
    stored_bytes: int = 0
    unweighed: int = 0

    def __add__(self, other: Weight) -> Weight:
        return Weight(
            self.builds + other.builds,
            self.stored_bytes + other.stored_bytes,
            self.unweighed + other.unweighed,
        )


@dataclass(frozen=True)
class Ruled:
    """A builder, its policy, and what of its builds that keeps as of `now`."""

    builder: Builder
    policy: Policy
    protection: Protection
    late: frozenset[int]
    """Builds, of any builder, that have ended and have open logs."""

    def expired(self) -> QuerySet[Build]:
        """The builds that go by themselves, the oldest first."""
        kept = (*self.protection.always, *self.protection.for_a_time)
        return _removable([self.builder.pk], self.late).filter(_beyond(kept)).order_by("number")

    def is_expired(self, build: Build) -> bool:
        """Whether this build, locked, still goes by itself."""
        return self._holds(build) and self.protection.is_expired(facts_of(build))

    def is_spared(self, build: Build) -> bool:
        """Whether this build, locked, stays also where room is wanted."""
        return not self._holds(build) or self.protection.is_spared(facts_of(build))

    def _holds(self, build: Build) -> bool:
        """Whether the policy, which comes with the locked build, is still the one that this was looked up by."""
        return Policy.of(build.builder.project, build.builder) == self.policy


class BuilderHistory:
    """A builder's builds that have ended, by number."""

    def __init__(self, builder: Builder) -> None:
        self._builds = Build.objects.filter(builder=builder).order_by("-number").values_list("number", flat=True)

    def nth_number(self, count: int, results: frozenset[str] | None) -> int:
        """As `rules.History` says; one question for each of the results, which an index answers in order."""
        if results is None:
            found = list(self._builds.filter(state=BuildState.FINISHED)[count - 1 : count])
            return found[0] if found else 0
        newest = sorted(number for word in results for number in self._builds.filter(results=word)[:count])
        return newest[-count] if len(newest) >= count else 0


def ruled_builders(project: Project, now: datetime) -> list[Ruled]:
    """The project's builders of which anything may go, each with what its policy keeps."""
    found: list[Ruled] = []
    late: frozenset[int] | None = None
    for builder in project.builders.order_by("slug"):
        policy = Policy.of(project, builder)
        if not policy.keeps_everything:
            late = late_builds() if late is None else late
            builder.project = project
            found.append(Ruled(builder, policy, policy.protection(BuilderHistory(builder), now), late))
    return found


def rooms(ruled: Sequence[Ruled]) -> Iterator[tuple[int, list[Ruled]]]:
    """The limits on what builds take, each with the builders that share it: a builder's own, or its project's."""
    limited = [each for each in ruled if each.policy.max_total_bytes is not None]
    shared = [each for each in limited if each.builder.max_total_bytes is None]
    if shared:
        yield shared[0].policy.max_total_bytes or 0, shared
    for each in limited:
        if each.builder.max_total_bytes is not None:
            yield each.policy.max_total_bytes or 0, [each]


def weigh(builds: QuerySet[Build]) -> Weight:
    """Count builds and add up what they take."""
    unweighed = Count("pk", filter=Q(stored_bytes__isnull=True))
    found = builds.order_by().aggregate(count=Count("pk"), taken=Sum("stored_bytes"), unweighed=unweighed)
    return Weight(found["count"], found["taken"] or 0, found["unweighed"])


def beyond_room(max_total_bytes: int, sharing: Sequence[Ruled], expired_bytes: int) -> Iterator[Weighed]:
    """The builds that go for want of room, the one that began first first, beside those that go by themselves.

    What is not added up yet neither counts nor goes. Ids tell the order: rows are made as builds begin.
    """
    of_builder = {each.builder.pk: each.protection for each in sharing}
    ended = Build.objects.filter(builder__in=of_builder, state=BuildState.FINISHED, deletion_began_at=None)
    taken = ended.aggregate(taken=Sum("stored_bytes"))  # what is going already is room, though its files may be there
    total = (taken["taken"] or 0) - expired_bytes
    if total <= max_total_bytes:
        return iter(())
    rows = _removable(of_builder, sharing[0].late).filter(stored_bytes__gt=0).order_by("pk")
    times = [protection.over_by for protection in of_builder.values()]
    if None not in times:
        rows = rows.filter(finished_at__gt=min(time for time in times if time is not None))
    return oldest_beyond(max_total_bytes, total, _free(rows, of_builder))


def _free(rows: QuerySet[Build], of_builder: dict[int, Protection]) -> Iterator[Weighed]:
    """Those that are not spared, and do not go by themselves anyway; plain tuples, for there may be a million.

    CHUNK_BUILDS of them are held at once. What all builders keep the database leaves out, and times that nothing else
    asks for are not fetched: measured, two of them take longer than all the rest of a row.
    """
    kept_by_all = frozenset.intersection(*[frozenset(each.always) for each in of_builder.values()])
    rows = rows.filter(_beyond(tuple(kept_by_all)))
    asked = {bounds for each in of_builder.values() for bounds in (*each.always, *each.for_a_time)} - kept_by_all
    times = (
        F("finished_at") if any(bounds.finished_after for bounds in asked) else NO_TIME,
        F("viewed_at") if any(bounds.viewed_after for bounds in asked) else NO_TIME,
    )
    known = rows.values_list("pk", "builder", "stored_bytes", "number", "results", *times)
    for build_id, builder_id, stored_bytes, number, results, finished_at, viewed_at in known.iterator(CHUNK_BUILDS):
        facts = Facts(number, results, finished_at or LATEST, viewed_at)
        protection = of_builder[builder_id]
        if not protection.is_spared(facts) and not protection.is_expired(facts):
            yield Weighed(build_id, builder_id, stored_bytes)


def late_builds() -> frozenset[int]:
    """The builds that have ended while logs of them are still being sent.

    Asked table by table: open logs are few, but a database that does not know it would join all logs with all steps.
    """
    steps = list(LogFile.objects.filter(state__in=OPEN).order_by().values_list("step", flat=True).distinct())
    late: set[int] = set()
    for start in range(0, len(steps), STEPS_A_QUESTION):
        some = steps[start : start + STEPS_A_QUESTION]
        ended = Step.objects.filter(pk__in=some, build__state=BuildState.FINISHED)
        late.update(ended.order_by().values_list("build", flat=True))
    return frozenset(late)


def _removable(builder_ids: Iterable[int], late: frozenset[int]) -> QuerySet[Build]:
    """The builds of these builders that may be deleted at all: ended, not pinned, all of their logs finished."""
    ended = Build.objects.filter(builder__in=list(builder_ids), state=BuildState.FINISHED, finished_at__isnull=False)
    free = ended.filter(pinned=False, deletion_began_at=None)
    return free.exclude(pk__in=late) if late else free


def facts_of(build: Build) -> Facts:
    """What the rules ask of a build that has ended."""
    assert build.finished_at is not None
    return Facts(build.number, build.results, build.finished_at, build.viewed_at, is_fixed=build.pinned)


def _beyond(kept: Sequence[Bounds]) -> Q:
    """Builds outside of all of these bounds, each of which bounds something: an empty Q would not be negated."""
    condition = Q()
    for bounds in kept:
        condition &= ~_within(bounds)
    return condition


def _within(bounds: Bounds) -> Q:
    """`Bounds.hold` for the database."""
    condition = Q()
    if bounds.results is not None:
        condition &= Q(results__in=sorted(bounds.results))
    if bounds.number_from is not None:
        condition &= Q(number__gte=bounds.number_from)
    if bounds.finished_after is not None:
        condition &= Q(finished_at__gt=bounds.finished_after)
    if bounds.viewed_after is not None:
        condition &= Q(viewed_at__isnull=False, viewed_at__gt=bounds.viewed_after)
    return condition
