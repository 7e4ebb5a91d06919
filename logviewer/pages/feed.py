"""A builder's builds as an Atom feed (RFC 4287): those that have ended, the newest first.

Running ones are not in it: a reader shows an entry once, and would show it before anything is known.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime
from html import escape

from django.http import HttpRequest, HttpResponse
from django.utils.feedgenerator import Atom1Feed

from logviewer.models import Build, Builder, BuildState
from logviewer.pages import visible
from logviewer.pages.conditional import answer_unless_known
from logviewer.pages.filters import Filters
from logviewer.pages.moments import duration_text
from logviewer.pages.page import page
from logviewer.pages.public import origin_of
from logviewer.pages.status import status_word

MAX_ENTRIES = 30
CONTENT_TYPE = "application/atom+xml; charset=utf-8"
AUTHOR = "buildlogs"


class BuildsFeed(Atom1Feed):
    """Django's feed, but an empty one has a time that stays: that of the builder."""

    def __init__(self, builder: Builder, title: str, link: str, feed_url: str) -> None:
        super().__init__(
            title=title,
            link=link,
            description="",
            feed_url=feed_url,
            feed_guid=feed_url,
            author_name=AUTHOR,
        )
        self._builder = builder

    def latest_post_date(self) -> datetime:
        """When the feed last changed."""
        return max((item["updateddate"] for item in self.items), default=self._builder.created_at)


@page
def feed(request: HttpRequest, project: str, builder: str) -> HttpResponse:
    """Give the feed, filtered as the builder's page is: `?results=failure&branch=main`."""
    found = visible.builder_or_404(request, project, builder)
    filters = Filters.from_query(request.GET)
    ended = Build.objects.filter(builder=found, state=BuildState.FINISHED).defer("properties")
    builds = filters.of(ended).order_by("-number")[:MAX_ENTRIES]
    origin = origin_of(request)
    link = origin + found.get_absolute_url()
    query = filters.query(None) if filters.are_set else ""
    title = " · ".join(filter(None, (str(found), filters.results, filters.branch)))
    atom = BuildsFeed(found, _plain(title), link, f"{link}feed.atom{query}")
    for build in builds:
        _add(atom, build, f"{link}{build.number}/")
    response = HttpResponse(atom.writeString("utf-8"), content_type=CONTENT_TYPE)
    return answer_unless_known(request, response)


def _add(atom: BuildsFeed, build: Build, address: str) -> None:
    """Add a build's entry. Its address is its id: numbers are given once."""
    word = status_word(build)
    about = build.title or build.reason
    ended_at = build.finished_at or build.started_at
    took = duration_text((ended_at - build.started_at).total_seconds())
    facts = [word, build.branch, build.revision, f"took {took}"]
    lines = [_plain(about), " · ".join(_plain(fact) for fact in facts if fact)]
    atom.add_item(
        title=_plain(f"#{build.number} {word}" + (f": {about}" if about else "")),
        link=address,
        description="".join(f"<p>{escape(line)}</p>" for line in lines if line),
        unique_id=address,
        pubdate=ended_at,
        updateddate=ended_at,
        categories=[word],
    )


def _plain(text: str) -> str:
    """The text without what XML cannot hold: control characters, and code points that are none."""
    return "".join(c if unicodedata.category(c) not in ("Cc", "Cs") and c not in "\ufffe\uffff" else " " for c in text)
