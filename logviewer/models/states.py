"""The words that nouns are in, and the one place that says which state may follow which."""

from __future__ import annotations

from django.db import models


class Visibility(models.TextChoices):
    """Who may read a project without a token."""

    PUBLIC = "public"
    PRIVATE = "private"


class BuildState(models.TextChoices):
    """What a build is doing. `abandoned`: its writer has been silent for long; it may come back."""

    RUNNING = "running"
    FINISHED = "finished"
    ABANDONED = "abandoned"


class StepState(models.TextChoices):
    """What a step is doing; as a build's."""

    RUNNING = "running"
    FINISHED = "finished"
    ABANDONED = "abandoned"


class LogState(models.TextChoices):
    """Whether a log may still grow."""

    OPEN = "open"
    FINISHED = "finished"
    ABANDONED = "abandoned"


class LogForm(models.TextChoices):
    """How a log's bytes lie (the chunk store's `Form`): plain text, a sealed file, or both index and file elsewhere."""

    PLAIN = "plain"
    SEALED = "sealed"
    ARCHIVED = "archived"


class LogType(models.TextChoices):
    """What a log's text is: a step's output, a text file, an HTML page (always shown sandboxed)."""

    STDIO = "stdio"
    TEXT = "text"
    HTML = "html"


class Results(models.TextChoices):
    """How a build or step ended: Buildbot's words, in lower case."""

    SUCCESS = "success"
    WARNINGS = "warnings"
    FAILURE = "failure"
    SKIPPED = "skipped"
    EXCEPTION = "exception"
    RETRY = "retry"
    CANCELLED = "cancelled"


BAD_RESULTS = frozenset({Results.FAILURE, Results.EXCEPTION})
"""Of which someone should look at the reason."""


class Level(models.TextChoices):
    """How bad a line of a log is."""

    ERROR = "error"
    WARNING = "warning"


class Completeness(models.TextChoices):
    """How sure it is that a finished log holds all that its writer had to say (storage.md)."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    ABANDONED = "abandoned"
    OMITTED = "omitted"


class IllegalTransition(Exception):
    """A state was asked for that may not follow the present one."""

    def __init__(self, noun: str, present: str, wanted: str) -> None:
        super().__init__(f"this {noun} is {present} and cannot become {wanted}")
        self.present = present
        self.wanted = wanted


_FOLLOWS: dict[str, frozenset[str]] = {
    "running": frozenset({"finished", "abandoned"}),
    "open": frozenset({"finished", "abandoned"}),
    "abandoned": frozenset({"running", "open", "finished"}),
    "finished": frozenset(),
}


def check_transition(noun: str, present: str, wanted: str) -> None:
    """Raise IllegalTransition unless `wanted` may follow `present`; staying is always allowed."""
    if wanted != present and wanted not in _FOLLOWS[present]:
        raise IllegalTransition(noun, present, wanted)
