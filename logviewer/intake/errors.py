"""What intake refuses, as typed errors. They know nothing of HTTP."""

from __future__ import annotations


class IntakeError(Exception):
    """Any refusal of intake; catch this one to catch them all."""


class Conflict(IntakeError):
    """What is asked for contradicts what is there already."""


class NumberTaken(Conflict):
    """The number belongs to another build of the builder, or to a step of another name."""

    def __init__(self, noun: str, number: int) -> None:
        super().__init__(f"number {number} belongs to another {noun} already: choose another, or none")
        self.number = number


class BeingDeleted(Conflict):
    """The name is that of a log whose deletion has begun, and not come to its end."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the log {name!r} of this step is being deleted: try again later, or choose another name")


class ResultsDiffer(Conflict):
    """It is finished already, with other results."""

    def __init__(self, noun: str, present: str | None, wanted: str) -> None:
        super().__init__(f"this {noun} is finished with results {present!r} already, which cannot become {wanted!r}")
        self.present = present
        self.wanted = wanted


class AlreadyFinished(IntakeError):
    """Nothing can be added to what is finished."""

    def __init__(self, noun: str) -> None:
        super().__init__(f"this {noun} is finished and takes nothing more")
        self.noun = noun
