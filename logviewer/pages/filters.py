"""What of a builder's builds the address asks for."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import QueryDict

from logviewer.models import Build, BuildState, Results
from logviewer.pages import visible

MAX_DIGITS = len(str(visible.MAX_NUMBER))


@dataclass(frozen=True)
class Filters:
    """What the address asks for; words that are not known count as not given."""

    state: str
    results: str
    branch: str
    before: int | None

    @classmethod
    def from_query(cls, query: QueryDict) -> Filters:
        """Read `?state=&results=&branch=&before=`."""
        before = query.get("before", "")
        return cls(
            state=_known(query.get("state", ""), BuildState.values),
            results=_known(query.get("results", ""), Results.values),
            branch=query.get("branch", "").strip().replace("\0", ""),  # PostgreSQL refuses NUL in text
            before=_number(before) if before.isascii() and before.isdigit() else None,
        )

    def of(self, builds: QuerySet[Build]) -> QuerySet[Build]:
        """Those of the builds that are asked for."""
        wanted = {"state": self.state, "results": self.results, "branch": self.branch}
        builds = builds.filter(**{field: value for field, value in wanted.items() if value})
        return builds if self.before is None else builds.filter(number__lt=self.before)

    @property
    def are_set(self) -> bool:
        """Whether anything but the page is asked for."""
        return bool(self.state or self.results or self.branch)

    def query(self, before: int | None) -> str:
        """The address's query for the same filters at another place."""
        query = QueryDict(mutable=True)
        for name, value in (("state", self.state), ("results", self.results), ("branch", self.branch)):
            if value:
                query[name] = value
        if before is not None:
            query["before"] = str(before)
        return f"?{query.urlencode()}"


def _number(digits: str) -> int:
    """At most MAX_NUMBER; `int` raises ValueError of very many digits."""
    return visible.MAX_NUMBER if len(digits) > MAX_DIGITS else min(int(digits), visible.MAX_NUMBER)


def _known(word: str, words: list[str]) -> str:
    return word if word in words else ""
