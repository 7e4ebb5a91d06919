"""A builder's badge."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from logviewer.models import BuildState, Results
from logviewer.pages import badge
from logviewer.pages.badge import COLOURS, LABEL, NEUTRAL, TEXT, draw, text_width
from tests.factories import bearer, make_build, make_builder, make_project, make_token

ADDRESS = "/p/demo/linux/badge.svg"
SVG = "{http://www.w3.org/2000/svg}"
LEAST_CONTRAST = 4.5


def title_of(client: Client, **query: str) -> str | None:
    response = client.get(ADDRESS, query)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "image/svg+xml"
    return ET.fromstring(response.content).findtext(f"{SVG}title")


@pytest.mark.django_db
def test_it_says_how_the_last_build_ended_of_all_or_of_one_branch(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_build(state=BuildState.FINISHED, results=Results.FAILURE, branch="main")
    make_build(state=BuildState.FINISHED, results=Results.SUCCESS, branch="topic")
    make_build(branch="main")  # it runs: nothing is known yet
    with django_assert_max_num_queries(2):
        assert title_of(client) == "linux: success"
    assert title_of(client, branch="main") == "linux: failure"
    assert title_of(client, branch="topic") == "linux: success"
    assert title_of(client, branch="unknown") == "linux: no builds"


@pytest.mark.django_db
def test_a_builder_without_builds_has_one(client: Client) -> None:
    make_builder()
    assert title_of(client) == "linux: no builds"


@pytest.mark.django_db
def test_who_has_it_is_not_sent_it_again_until_it_changes(client: Client) -> None:
    make_build(state=BuildState.FINISHED, results=Results.FAILURE)
    first = client.get(ADDRESS)
    assert first.headers["Cache-Control"] == "no-cache"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert "script-src 'self'" in first.headers["Content-Security-Policy"]
    etag = first.headers["ETag"]
    assert client.get(ADDRESS, HTTP_IF_NONE_MATCH=etag).status_code == 304
    make_build(state=BuildState.FINISHED, results=Results.SUCCESS)
    assert client.get(ADDRESS, HTTP_IF_NONE_MATCH=etag).status_code == 200


@pytest.mark.django_db
def test_a_private_projects_badge_is_not_there_for_strangers(client: Client) -> None:
    builder = make_builder(project=make_project("secret", public=False))
    make_build(builder=builder)
    address = "/p/secret/linux/badge.svg"
    assert client.get(address).status_code == 404
    assert client.get(address, **bearer(make_token(project=builder.project))).status_code == 200
    assert client.get("/p/demo/nothing/badge.svg").status_code == 404


@pytest.mark.django_db
def test_the_builders_page_shows_it_and_its_markdown(client: Client) -> None:
    make_build()
    page = client.get("/p/demo/linux/").content.decode()
    assert f'src="{ADDRESS}"' in page
    assert "[![linux](http://testserver/p/demo/linux/badge.svg)](http://testserver/p/demo/linux/)" in page


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 has it."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", [*COLOURS.values(), NEUTRAL, LABEL])
def test_its_text_can_be_read_on_every_colour(colour: str) -> None:
    assert (luminance(TEXT) + 0.05) / (luminance(colour) + 0.05) >= LEAST_CONTRAST


def test_colours_are_those_of_words_that_there_are() -> None:
    assert set(COLOURS) <= set(Results.values)


def test_whatever_it_says_it_is_one_picture_without_anything_that_runs() -> None:
    root = ET.fromstring(draw('<script>"&', "</svg>"))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        *("svg", "title", "clipPath", "rect", "g", "text")
    }
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.findtext(f"{SVG}title") == '<script>"&: </svg>'


def test_it_is_as_wide_as_its_texts() -> None:
    root = ET.fromstring(draw("linux", "success"))
    lengths = [float(element.get("textLength") or 0) for element in root.iter(f"{SVG}text")]
    assert lengths == [text_width("linux"), text_width("success")]
    assert float(root.get("width") or 0) == pytest.approx(sum(lengths) + 4 * badge.PADDING)
    assert text_width("iiii") < text_width("aaaa") < text_width("WWWW")
