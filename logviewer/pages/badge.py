"""A builder's state as a badge: a small SVG, for pages elsewhere that show it as an image."""

from __future__ import annotations

from html import escape

from django.http import HttpRequest, HttpResponse

from logviewer.models import Build, BuildState
from logviewer.pages import visible
from logviewer.pages.conditional import answer_unless_known
from logviewer.pages.filters import Filters
from logviewer.pages.page import page
from logviewer.pages.status import status_word

CONTENT_TYPE = "image/svg+xml"
NO_BUILDS = "no builds"

HEIGHT = 20
BASELINE = 14
SIZE = 11
PADDING = 6.0

TEXT = "#ffffff"
LABEL = "#4a5058"
NEUTRAL = "#5b6370"
COLOURS = {
    "success": "#1a7f37",
    "warnings": "#8a6100",
    "failure": "#c8232c",
    "exception": "#8b2fb8",
    "retry": "#0b66c3",
}
"""Each with the white text on it at a contrast of 4.5 and more; all other words are neutral."""

WIDTHS = {
    "fijlrtI": 4.4,
    " .,:;!|'/()[]": 4.0,
    "-_": 5.0,
    "abcdeghknopqsuvxyz": 6.8,
    "0123456789": 7.0,
    "mwMW%@": 10.4,
    "ABCDEFGHJKLNOPQRSTUVXYZ": 7.6,
}
"""Pixels of characters at SIZE, those of Verdana and DejaVu Sans rounded up. `textLength` makes other fonts fit."""

OTHER_WIDTH = 10.4
_WIDTH_OF = {character: width for characters, width in WIDTHS.items() for character in characters}


@page
def badge(request: HttpRequest, project: str, builder: str) -> HttpResponse:
    """Give the badge of the last build that has ended, of one branch with `?branch=`."""
    found = visible.builder_or_404(request, project, builder)
    branch = Filters.from_query(request.GET).branch
    ended = Build.objects.filter(builder=found, state=BuildState.FINISHED)
    if branch:
        ended = ended.filter(branch=branch)
    last = ended.order_by("-number").only("state", "results").first()
    word = NO_BUILDS if last is None else status_word(last)
    response = HttpResponse(draw(found.slug, word), content_type=CONTENT_TYPE)
    return answer_unless_known(request, response)


def draw(label: str, word: str) -> str:
    """The picture: the label, and the word on its colour."""
    left, right = text_width(label) + 2 * PADDING, text_width(word) + 2 * PADDING
    whole = left + right
    title = escape(f"{label}: {word}")
    texts = _text(label, PADDING, left) + _text(word, left + PADDING, right)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole:g}" height="{HEIGHT}" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<clipPath id="round"><rect width="{whole:g}" height="{HEIGHT}" rx="3"/></clipPath>'
        f'<g clip-path="url(#round)"><rect width="{left:g}" height="{HEIGHT}" fill="{LABEL}"/>'
        f'<rect x="{left:g}" width="{right:g}" height="{HEIGHT}" fill="{COLOURS.get(word, NEUTRAL)}"/></g>'
        f'<g fill="{TEXT}" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="{SIZE}">{texts}</g></svg>'
    )


def _text(text: str, x: float, room: float) -> str:
    length = room - 2 * PADDING
    return f'<text x="{x:g}" y="{BASELINE}" textLength="{length:g}">{escape(text)}</text>'


def text_width(text: str) -> float:
    """How wide a text is, in pixels, about."""
    return round(sum(_WIDTH_OF.get(character, OTHER_WIDTH) for character in text), 1)
