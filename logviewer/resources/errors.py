"""Why somebody may not, as errors. They know nothing of HTTP; `problems` says what each one is called there."""

from __future__ import annotations


class AccessError(Exception):
    """Any refusal of `access`; catch this one to catch them all."""


class Unauthenticated(AccessError):
    """Nobody known is asking: the token is missing where one is needed, or wrong, expired or revoked."""


class Forbidden(AccessError):
    """Somebody known is asking for what they may see, but may not do."""


class NotFound(AccessError):
    """There is no such thing, or none that this caller may know of; the two are not told apart."""

    def __init__(self, noun: str) -> None:
        super().__init__(f"there is no such {noun}, or you may not see it")
        self.noun = noun


class TooLarge(Exception):
    """A body is longer than the server takes."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the body is longer than {limit_bytes} bytes; send less at once")
        self.limit_bytes = limit_bytes


class Invalid(Exception):
    """Values that are refused; `errors` names each field at fault with what is wrong with it."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("; ".join(f"{field}: {', '.join(messages)}" for field, messages in errors.items()))
        self.errors = errors
