"""Replaces secrets by `***` before anything is spooled, hashed or sent."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Optional

from .disguises import MIN_SECRET_BYTES, disguises
from .literals import Literals

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .upload import Report

MASK = "***"
MASK_BYTES = MASK.encode()

NAMES_VARIABLE = "BUILDLOGS_MASK"
DEFAULTS_VARIABLE = "BUILDLOGS_DEFAULT_MASKS"
"""How `build` and `run` tell the steps inside: names separated by commas; `0` where names do not count."""

SECRET_NAME = re.compile(
    r"token(?!iz)|secret|passw(or)?d|passphrase|api_?key|access_?key|private_?key|(signing|encryption|deploy|ssh)_?key"
    r"|credential|(^|_)(pass|auth)$|_pwd$",
    re.IGNORECASE,
)
"""Variables whose names look like secrets. Not PWD, SSH_AUTH_SOCK, TOKENIZERS_PARALLELISM."""


class Mask:
    """The secrets of one call of the agent."""

    def __init__(self, values: Collection[bytes] = (), names: Collection[str] = ()) -> None:
        """`values` are hidden wherever they occur; `names` are the variables whose values are never listed."""
        self.names = frozenset(names)
        literals = {literal for value in values for literal in disguises(value)}
        self._literals = Literals(literals) if literals else None

    def text(self, text: str) -> str:
        """One piece of text of the agent's own, complete in itself."""
        if self._literals is None:
            return text
        return os.fsdecode(ChannelMask(self._literals).complete(os.fsencode(text)))

    def variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        """An environment that may be shown."""
        return {name: MASK if name in self.names else self.text(value) for name, value in environment.items()}

    def channel(self) -> Optional[ChannelMask]:
        """For the output of one channel; None where there is nothing to hide."""
        return ChannelMask(self._literals) if self._literals is not None else None


class ChannelMask:
    """Masks the output of one channel as it comes.

    The end of what has come may be the beginning of a secret. It is held back until what follows tells, however long
    that takes: a secret that is printed letter by letter is masked too. So the last bytes of a silent command, fewer
    than the longest form of a secret has, may be missing in the log until it goes on or ends. Where secrets overlap,
    all that any of them covers is masked, once.
    """

    def __init__(self, literals: Literals) -> None:
        self._literals = literals
        self._held = b""
        self._covered = 0  # bytes of _held that belong to a secret for which `***` has been said

    def take(self, data: bytes) -> bytes:
        """What may go now that `data` has come."""
        buffer = self._held + data if self._held else data
        return self._release(buffer, self._literals.unfinished(buffer))

    def complete(self, data: bytes = b"") -> bytes:
        """What is left, after which nothing comes."""
        buffer = self._held + data
        return self._release(buffer, len(buffer))

    def _release(self, buffer: bytes, stop: int) -> bytes:
        spans = self._literals.spans(buffer)
        if not spans and not self._covered and stop == len(buffer):
            self._held = b""
            return buffer
        released, position = [], self._covered
        for start, end in spans:
            if start >= stop:
                break
            if start >= position:
                released += [buffer[position:start], MASK_BYTES]
            position = max(position, end)
        released.append(buffer[position:stop])
        self._held, self._covered = buffer[stop:], max(0, position - stop)
        return b"".join(released)


def mask_of(
    environment: Mapping[str, str], named: Sequence[str], by_default: bool, token: Optional[str], report: Report
) -> Mask:
    """What is to be hidden: the variables `named`, those whose names look like secrets, and the agent's own token."""
    default = {name for name in environment if by_default and SECRET_NAME.search(name)}
    values = {token.encode()} if token else set()
    for name in sorted(default | set(named)):
        value = os.fsencode(environment.get(name, ""))
        if len(value.strip()) >= MIN_SECRET_BYTES:
            values.add(value)
        elif value:
            report(f"the value of {name} is shorter than {MIN_SECRET_BYTES} characters and is not masked")
        elif name in named:
            report(f"there is nothing to mask: {name} is not set")
    return Mask(values, default | set(named))


def masked_names(environment: Mapping[str, str], given: Sequence[str]) -> list[str]:
    """Names from the options and from the `build` around."""
    inherited = environment.get(NAMES_VARIABLE, "").split(",")
    return list(dict.fromkeys(name for name in [*inherited, *given] if name))
