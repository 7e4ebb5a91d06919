"""What staff may do to builds and logs, many at once: what it would touch, and doing it.

An act goes from one build or log to the next and stops at none: what is refused is told, with the reason. It is bounded
in number, in bytes where those are read, and in time; what it did not reach is told too, and done by doing it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Count, Q, QuerySet, Sum

from logviewer.chunkstore import ChunkStoreError
from logviewer.live.store import chunk_store
from logviewer.models import Act, Actor, AuditEntry, Build, BuildState, LogFile, LogForm, LogState
from logviewer.models.audit import target_text
from logviewer.upkeep.choosing import get_log
from logviewer.upkeep.closing import close_build
from logviewer.upkeep.deleting import delete_build, delete_log
from logviewer.upkeep.errors import AlreadySo, NotYet, StillOpen, TooMany, Unverified, UpkeepError
from logviewer.upkeep.moving import move_log
from logviewer.upkeep.pinning import pin_build
from logviewer.upkeep.sealing import seal_log
from logviewer.upkeep.verification import check_log
from logviewer.upkeep.weighing import TAKEN_BYTES

MAX_NOUNS = 1000
"""Builds, and logs, of one act."""

MAX_READ_BYTES = 4 * 2**30
"""Text that one act reads: beyond, `manage.py upkeep` and `verifylogs` have the time."""

MAX_SECONDS = 20.0
"""Of one act: a browser waits for it, and proxies give up after 60 s."""

MAX_EXPORTED_LOGS = 100
"""Logs of one zip: its address names them all."""

MAX_EXAMPLES = 20
"""Of builds or logs, and of refusals, that are named."""


class Noun(StrEnum):
    """What an act goes through."""

    BUILD = "build"
    LOG = "log"


NOUN_OF: Final = {
    Act.SEAL: Noun.LOG,
    Act.VERIFY: Noun.LOG,
    Act.MOVE: Noun.LOG,
    Act.EXPORT: Noun.LOG,
    Act.PIN: Noun.BUILD,
    Act.UNPIN: Noun.BUILD,
    Act.CLOSE: Noun.BUILD,
}
"""What an act is about, whatever was chosen: of a build all of its logs, of a log its build. Deleting is about both."""

ACTS: Final = (*NOUN_OF, Act.DELETE)
READING_ACTS: Final = frozenset({Act.SEAL, Act.VERIFY, Act.MOVE})


def makes_sense(act: Act, noun: Build | LogFile) -> bool:
    """Whether the act could change anything of this one, as its own row and its build's say it; no query is made."""
    build = noun if isinstance(noun, Build) else noun.step.build
    match act:
        case Act.SEAL:
            return isinstance(noun, Build) or noun.form == LogForm.PLAIN
        case Act.MOVE:
            here = isinstance(noun, Build) or noun.form == LogForm.SEALED
            return here and chunk_store().archive is not None
        case Act.PIN | Act.UNPIN:
            return build.pinned is (act is Act.UNPIN)
        case Act.CLOSE if isinstance(noun, LogFile):
            return noun.state != LogState.FINISHED or build.state != BuildState.FINISHED
        case _:
            return True


@dataclass(frozen=True)
class Selection:
    """What an act is to be done to: ids of builds, or of logs, in ascending order, at most MAX_NOUNS."""

    act: Act
    noun: Noun
    ids: tuple[int, ...]

    @property
    def builds(self) -> QuerySet[Build]:
        """The builds, or those that the logs belong to."""
        if self.noun is Noun.BUILD:
            return Build.objects.filter(pk__in=self.ids)
        return Build.objects.filter(pk__in=LogFile.objects.filter(pk__in=self.ids).values("step__build"))

    @property
    def logs(self) -> QuerySet[LogFile]:
        """The logs, or all those of the builds."""
        if self.noun is Noun.LOG:
            return LogFile.objects.filter(pk__in=self.ids)
        return LogFile.objects.filter(step__build__in=self.ids)


def select(act: Act, chosen: Noun, ids: Sequence[int]) -> Selection:
    """Say what the act would be done to if these were chosen.

    Raises:
        TooMany: of builds, of logs, or of bytes.
    """
    if len(ids) > MAX_NOUNS:
        raise TooMany(f"{chosen}s", f"{MAX_NOUNS}")
    selection = Selection(act, chosen, tuple(sorted(ids)))
    noun = NOUN_OF.get(act, chosen)
    if noun is not chosen:
        found = selection.logs if noun is Noun.LOG else selection.builds
        most = MAX_NOUNS + 1
        selection = Selection(act, noun, tuple(found.order_by("pk").values_list("pk", flat=True)[:most]))
        if len(selection.ids) > MAX_NOUNS:
            raise TooMany(f"{noun}s", f"{MAX_NOUNS}")
    if act is Act.EXPORT and len(selection.ids) > MAX_EXPORTED_LOGS:
        raise TooMany("logs", f"{MAX_EXPORTED_LOGS}")
    if act in READING_ACTS and sum(selection.logs.values_list("size", flat=True)) > MAX_READ_BYTES:
        raise TooMany("of text", f"{MAX_READ_BYTES // 2**30} GiB")
    return selection


@dataclass(frozen=True)
class Preview:
    """What an act would touch, counted now; `hindered` are numbers of builds or logs with why they would stay."""

    selection: Selection
    builds: int
    logs: int
    text_bytes: int
    stored_bytes: int
    examples: Sequence[Build | LogFile]
    hindered: Sequence[tuple[int, str]]

    @property
    def more(self) -> int:
        """How many are not named."""
        return len(self.selection.ids) - len(self.examples)


def preview(selection: Selection) -> Preview:
    """Count what is selected, in a bounded number of queries."""
    sums = selection.logs.aggregate(logs=Count("pk"), text=Sum("size"), stored=Sum(TAKEN_BYTES))
    examples: list[Build] | list[LogFile]
    if selection.noun is Noun.BUILD:
        examples = list(selection.builds.select_related("builder__project").order_by("pk")[:MAX_EXAMPLES])
    else:
        logs = selection.logs.select_related("step__build__builder__project")
        examples = list(logs.order_by("pk")[:MAX_EXAMPLES])
    hindered = [(found.count(), why) for found, why in _hindrances(selection)]
    return Preview(
        selection=selection,
        builds=selection.builds.count(),
        logs=sums["logs"],
        text_bytes=sums["text"] or 0,
        stored_bytes=sums["stored"] or 0,
        examples=examples,
        hindered=[(count, why) for count, why in hindered if count],
    )


def _hindrances(selection: Selection) -> list[tuple[QuerySet[Build] | QuerySet[LogFile], str]]:
    """What of the selection would be refused as things stand."""
    builds, logs = selection.builds, selection.logs
    still_open = ~Q(state=LogState.FINISHED)
    match selection.act:
        case Act.SEAL:
            sealed = logs.filter(state=LogState.FINISHED).exclude(form=LogForm.PLAIN)
            return [(logs.filter(still_open), "open"), (sealed, "sealed already")]
        case Act.MOVE:
            if chunk_store().archive is None:
                return [(logs, "there is no other store")]
            return [
                (logs.filter(form=LogForm.PLAIN), "not sealed yet"),
                (logs.filter(form=LogForm.ARCHIVED), "there already"),
            ]
        case Act.PIN:
            return [(builds.filter(pinned=True), "pinned already")]
        case Act.UNPIN:
            return [(builds.filter(pinned=False), "not pinned")]
        case Act.CLOSE:
            from_open = LogFile.objects.filter(still_open, step__build__in=builds).values("step__build")
            over = builds.filter(state=BuildState.FINISHED).exclude(pk__in=from_open)
            return [(over, "finished")]
        case Act.DELETE if selection.noun is Noun.BUILD:
            unfinished = LogFile.objects.filter(still_open, step__build__in=builds).values("step__build")
            held = builds.filter(pinned=False).filter(~Q(state=BuildState.FINISHED) | Q(pk__in=unfinished))
            return [(builds.filter(pinned=True), "pinned"), (held, "not finished")]
        case Act.DELETE:
            pinned = Q(step__build__pinned=True)
            return [(logs.filter(pinned), "of pinned builds"), (logs.filter(still_open).exclude(pinned), "open")]
        case _:
            return []


@dataclass
class Outcome:
    """What became of an act. `refusals` names the first MAX_EXAMPLES of those `refused`, with the reasons."""

    done: int = 0
    refused: int = 0
    not_reached: int = 0
    refusals: list[tuple[str, str]] = field(default_factory=list)


def perform(
    selection: Selection, actor: Actor, reason: str = "", clock: Callable[[], float] = time.monotonic
) -> Outcome:
    """Do the act to one after the other. Each that is done is in the audit log."""
    act = _BUILD_ACTS[selection.act] if selection.noun is Noun.BUILD else _LOG_ACTS[selection.act]
    outcome = Outcome()
    deadline = clock() + MAX_SECONDS
    for place, noun_id in enumerate(selection.ids):
        if clock() > deadline:
            outcome.not_reached = len(selection.ids) - place
            break
        try:
            act(noun_id, actor, reason)
            outcome.done += 1
        except (UpkeepError, ChunkStoreError, OSError, ObjectDoesNotExist) as error:
            outcome.refused += 1
            if len(outcome.refusals) < MAX_EXAMPLES:
                outcome.refusals.append((_name(selection.noun, noun_id), _why(error)))
    return outcome


def _why(error: Exception) -> str:
    return "it is gone already" if isinstance(error, ObjectDoesNotExist) else str(error)


def _name(noun: Noun, noun_id: int) -> str:
    """How people call it; its id, where it is gone."""
    found: Build | LogFile | None
    if noun is Noun.BUILD:
        found = Build.objects.select_related("builder__project").filter(pk=noun_id).first()
    else:
        found = LogFile.objects.select_related("step__build__builder__project").filter(pk=noun_id).first()
    return f"{noun} {noun_id}" if found is None else target_text(found)


def _seal(log_id: int, actor: Actor, reason: str) -> None:
    log = get_log(log_id)
    if log.state != LogState.FINISHED:
        raise StillOpen("log")
    if log.form != LogForm.PLAIN:
        raise AlreadySo("the log is sealed already")
    seal_log(log)
    AuditEntry.record(actor, Act.SEAL, log, reason=reason, bytes=log.stored_bytes)


def _verify(log_id: int, actor: Actor, reason: str) -> None:
    log = get_log(log_id)
    checked = check_log(log, chunk_store())
    findings = () if checked is None else checked.findings
    AuditEntry.record(actor, Act.VERIFY, log, reason=reason, findings=len(findings))
    if findings:
        raise Unverified(len(findings), f"{findings[0].fault}: {findings[0].detail}")


def _move(log_id: int, actor: Actor, reason: str) -> None:
    log = get_log(log_id)
    if chunk_store().archive is None:
        raise NotYet("there is no other store: BUILDLOGS_LOG_STORE names one")
    if log.form == LogForm.PLAIN:
        raise NotYet("the log is not sealed: seal it first")
    if log.form == LogForm.ARCHIVED:
        raise AlreadySo("the log is in the other store already")
    move_log(log)
    AuditEntry.record(actor, Act.MOVE, log, reason=reason, bytes=log.stored_bytes)


def _export(log_id: int, actor: Actor, reason: str) -> None:
    AuditEntry.record(actor, Act.EXPORT, get_log(log_id), reason=reason)


def _pin(build_id: int, actor: Actor, reason: str) -> None:
    if Build.objects.get(pk=build_id).pinned:
        raise AlreadySo("the build is pinned already")
    pin_build(build_id, True, actor, reason)


def _unpin(build_id: int, actor: Actor, reason: str) -> None:
    if not Build.objects.get(pk=build_id).pinned:
        raise AlreadySo("the build is not pinned")
    pin_build(build_id, False, actor, reason)


_LOG_ACTS: Mapping[Act, Callable[[int, Actor, str], object]] = {
    Act.SEAL: _seal,
    Act.VERIFY: _verify,
    Act.MOVE: _move,
    Act.EXPORT: _export,
    Act.DELETE: delete_log,
}
_BUILD_ACTS: Mapping[Act, Callable[[int, Actor, str], object]] = {
    Act.PIN: _pin,
    Act.UNPIN: _unpin,
    Act.CLOSE: close_build,
    Act.DELETE: delete_build,
}
