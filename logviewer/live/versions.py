"""Builds and projects that somebody in this process watches: who they are, and which versions these have now."""

from __future__ import annotations

from collections.abc import Callable

from logviewer.live.events import Changed, Noun, noun_of
from logviewer.models import Build, Project

Listener = Callable[[int | None, Changed | None], None]
"""Called with the noun's version, None where it was deleted, and with what made it so where that is known."""


class Watched:
    """Those who watch one noun."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self.joined_group = False

    def tell(self, version: int | None, message: Changed | None) -> None:
        """Tell all of them."""
        for listener in tuple(self.listeners):
            listener(version, message)


class WatchedNouns:
    """The watched builds and projects of one event loop; lives on its thread."""

    def __init__(self) -> None:
        self._watched: dict[Noun, Watched] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def __contains__(self, noun: object) -> bool:
        return noun in self._watched

    def get(self, noun: Noun) -> Watched | None:
        """Those who watch `noun`; None where nobody does."""
        return self._watched.get(noun)

    def add(self, noun: Noun, listener: Listener) -> bool:
        """Add a listener; say whether it is the noun's first."""
        is_first = noun not in self._watched
        self._watched.setdefault(noun, Watched()).listeners.add(listener)
        return is_first

    def discard(self, noun: Noun, listener: Listener) -> bool:
        """Remove a listener; say whether it was the noun's last."""
        watched = self._watched.get(noun)
        if watched is None:
            return False
        watched.listeners.discard(listener)
        if watched.listeners:
            return False
        del self._watched[noun]
        return True

    def changed(self, message: Changed) -> None:
        """Tell those who watch what changed."""
        watched = self._watched.get(noun_of(message))
        if watched is not None:
            watched.tell(message["version"], message)

    def outside_their_group(self) -> list[Noun]:
        """Those of which no other process can announce anything to this one."""
        return [noun for noun, watched in self._watched.items() if not watched.joined_group]

    def nouns(self) -> list[Noun]:
        """All that are watched."""
        return list(self._watched)

    def tell_versions(self, looked_at: list[Noun], versions: dict[Noun, int]) -> None:
        """Tell those who watch which versions there are now; what was looked at and is not there was deleted."""
        for noun in looked_at:
            watched = self._watched.get(noun)
            if watched is not None:
                watched.tell(versions.get(noun), None)


def look_up_versions(nouns: list[Noun]) -> dict[Noun, int]:
    """The versions of all that still exist, in one query for builds and one for projects."""
    builds = [number for kind, number in nouns if kind == "build"]
    projects = [number for kind, number in nouns if kind == "project"]
    versions: dict[Noun, int] = {}
    if builds:
        for number, version in Build.objects.filter(pk__in=builds).values_list("pk", "version"):
            versions["build", number] = version
    if projects:
        for number, version in Project.objects.filter(pk__in=projects).values_list("pk", "version"):
            versions["project", number] = version
    return versions
