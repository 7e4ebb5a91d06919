"""What happened, in order, for whoever has to find out why something went wrong."""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from pathlib import Path

KEPT_EVENTS = 20_000
SHOWN_EVENTS = 150


class Trace:
    """The last events of a soak, and how many there were of each kind; `seed` is what the actors' dice come from."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.counts: Counter[str] = Counter()
        self._events: deque[str] = deque(maxlen=KEPT_EVENTS)
        self._began = time.monotonic()

    def dice(self, actor: str) -> random.Random:
        """The generator of one actor."""
        return random.Random(f"{self.seed} {actor}")

    def note(self, actor: str, kind: str, detail: object = "") -> None:
        """Say what an actor did, or what was done to it."""
        self.counts[f"{actor.split()[0]}: {kind}"] += 1
        self._events.append(f"{time.monotonic() - self._began:8.3f} {actor:<12} {kind} {detail}".rstrip())

    def write(self, path: Path) -> None:
        """Write all events that are kept."""
        path.write_text("\n".join(self._events) + "\n")

    def __str__(self) -> str:
        events = list(self._events)[-SHOWN_EVENTS:]
        counts = "\n".join(f"{count:8} {name}" for name, count in sorted(self.counts.items()))
        return "\n".join([*events, "", counts, f"seed: {self.seed}"])
