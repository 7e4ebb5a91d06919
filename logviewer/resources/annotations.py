"""Errors and warnings of logs as JSON, and the one of a build that is looked at first."""

from __future__ import annotations

from typing import (
    NamedTuple,
    NotRequired,  # as in shapes
)

from django.db.models import Case, QuerySet, Value, When
from typing_extensions import TypedDict

from logviewer.models import Annotation, Build, Level, LogFile, Step
from logviewer.models.states import BAD_RESULTS


class AnnotationShape(TypedDict):
    """Line `n` of a log is an error or a warning; `file` and `line` say where in a source file, where that is told."""

    n: int
    level: str
    text: str
    file: NotRequired[str]
    line: NotRequired[int]


class FirstError(NamedTuple):
    """Line `line` of a log of a step; `path` is empty and `path_line` None where it does not say of which file."""

    step: Step
    log: LogFile
    line: int
    message: str
    path: str
    path_line: int | None

    @property
    def url(self) -> str:
        """The line on the log's page."""
        return f"{self.log.get_absolute_url()}#L{self.line}"


def annotation_shape(annotation: Annotation) -> AnnotationShape:
    """Give an annotation as JSON."""
    shape = AnnotationShape(n=annotation.line, level=annotation.level, text=annotation.message)
    if annotation.path:
        shape["file"] = annotation.path
    if annotation.path_line is not None:
        shape["line"] = annotation.path_line
    return shape


def logs_with_errors(build: Build) -> QuerySet[LogFile]:
    """The build's logs that have errors: those of failed steps first, then as they began."""
    failed_first = Case(When(step__results__in=BAD_RESULTS, then=Value(0)), default=Value(1))
    return LogFile.objects.filter(step__build=build, errors__gt=0).order_by(failed_first, "step__number", "pk")


def first_error_line(log: LogFile) -> int | None:
    """The line of the log's first error; None, without asking the database, where it has none."""
    return log.annotations.filter(level=Level.ERROR).values_list("line", flat=True).first() if log.errors else None


def first_error(build: Build) -> FirstError | None:
    """The first error of the first failed step that has any, else of the first step that has; two queries.

    None where nothing was recognised as one, or not yet.
    """
    log = logs_with_errors(build).select_related("step").first()
    if log is None:
        return None
    log.step.build = build
    error = log.annotations.filter(level=Level.ERROR).first()
    if error is None:
        return None
    return FirstError(log.step, log, error.line, error.message, error.path, error.path_line)
