"""GET /projects, /projects/{slug}, /projects/{slug}/builders."""

from __future__ import annotations

import base64

import pytest

from tests.factories import make_builder, make_project, make_token
from tests.integration.api.client import ApiClient


def slugs(api: ApiClient, path: str) -> list[str]:
    """The slugs of a whole list, read in pages of two."""
    found: list[str] = []
    query: dict[str, str | int] = {"limit": 2}
    while True:
        answer = api.get(path, **query)
        assert answer.status == 200, answer.json
        found += [item["slug"] for item in answer.json["items"]]
        if answer.json["next"] is None:
            return found
        query["cursor"] = answer.json["next"]


def test_projects_come_by_slug_in_pages(api: ApiClient) -> None:
    for slug in ("c", "a", "e", "b", "d"):
        make_project(slug)
    assert slugs(api, "/projects") == ["a", "b", "c", "d", "e"]


def test_only_projects_that_the_caller_may_read_are_listed(api: ApiClient) -> None:
    make_project("open")
    mine = make_project("mine", public=False)
    make_project("other", public=False)
    assert slugs(api, "/projects") == ["open"]
    assert slugs(api.with_token(make_token(project=mine)), "/projects") == ["mine", "open"]
    assert slugs(api.with_token(make_token(project=mine, scopes=["write"])), "/projects") == ["open"]
    assert slugs(api.with_token(make_token()), "/projects") == ["mine", "open", "other"]


def test_a_project_has_exactly_the_members_of_the_contract(api: ApiClient) -> None:
    project = make_project("demo", name="The demo")
    assert api.get("/projects/demo").json == {
        "slug": "demo",
        "name": "The demo",
        "visibility": "public",
        "url": project.get_absolute_url(),
    }


def test_builders_come_by_slug_in_pages_with_the_members_of_the_contract(api: ApiClient) -> None:
    for slug in ("windows", "linux", "macos"):
        make_builder(slug)
    make_builder("linux", project=make_project("other"))
    assert slugs(api, "/projects/demo/builders") == ["linux", "macos", "windows"]
    first = api.get("/projects/demo/builders").json["items"][0]
    assert first == {"slug": "linux", "project": "demo", "url": make_builder("linux").get_absolute_url()}


@pytest.mark.parametrize("slug", ["nowhere", "hidden", "DEMO", "%00", "a%00b", "x" * 300, "%F0%9F%98%80"])
@pytest.mark.parametrize("below", ["", "/builders"])
def test_a_project_that_is_not_there_or_private_is_not_found(api: ApiClient, slug: str, below: str) -> None:
    make_project("hidden", public=False)
    make_project("demo")
    assert api.get(f"/projects/{slug}{below}").problem() == (404, "not-found")


def test_a_cursor_of_another_list_is_refused(api: ApiClient) -> None:
    for slug in ("a", "b", "c"):
        make_project(slug)
    cursor = api.get("/projects", limit=1).json["next"]
    answer = api.get("/projects/a/builders", cursor=cursor)
    assert (answer.problem(), answer.errors) == ((400, "invalid"), ["cursor"])


@pytest.mark.bad_input("a cursor with NUL in it")
@pytest.mark.parametrize("place", ["\0", "a\0b", "a\n"], ids=ascii)
@pytest.mark.parametrize(("kind", "path"), [("project", "/projects"), ("builder", "/projects/demo/builders")])
def test_a_cursor_with_what_no_slug_has_is_refused(api: ApiClient, kind: str, path: str, place: str) -> None:
    make_builder()
    answer = api.get(path, cursor=base64.urlsafe_b64encode(f"{kind}:{place}".encode()).decode())
    assert (answer.problem(), answer.errors) == ((400, "invalid"), ["cursor"])
