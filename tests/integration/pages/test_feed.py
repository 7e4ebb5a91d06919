"""A builder's Atom feed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from logviewer.models import Build, BuildState, Results
from tests.factories import bearer, make_build, make_builder, make_project, make_token

pytestmark = pytest.mark.django_db

ADDRESS = "/p/demo/linux/feed.atom"
ATOM = "{http://www.w3.org/2005/Atom}"
ENDED_AT = datetime(2026, 11, 20, 11, 0, 0, tzinfo=UTC)


def ended(results: Results = Results.SUCCESS, **fields: Any) -> Build:
    fields.setdefault("started_at", ENDED_AT - timedelta(seconds=90))
    fields.setdefault("finished_at", ENDED_AT)
    return make_build(state=BuildState.FINISHED, results=results, **fields)


def feed(client: Client, **query: str) -> ET.Element:
    response = client.get(ADDRESS, query)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    return ET.fromstring(response.content)


def text(element: ET.Element, name: str) -> str:
    found = element.findtext(ATOM + name)
    assert found
    return found


def numbers(root: ET.Element) -> list[str]:
    return [text(entry, "title").split()[0] for entry in root.iter(f"{ATOM}entry")]


def test_it_has_all_that_atom_asks_for(client: Client, settings: Any) -> None:
    settings.PUBLIC_URL = "https://logs.example.org"
    ended(Results.FAILURE, title="Nightly <b>&", branch="main", revision="abc")
    root = feed(client)
    assert root.tag == f"{ATOM}feed"
    assert text(root, "id") == "https://logs.example.org/p/demo/linux/feed.atom"
    assert text(root, "title") == "demo/linux"
    assert text(root, "updated") == "2026-11-20T11:00:00+00:00"
    assert text(root.find(f"{ATOM}author") or root, "name") == "buildlogs"
    links = {link.get("rel"): link.get("href") for link in root.findall(f"{ATOM}link")}
    assert links == {
        "self": "https://logs.example.org/p/demo/linux/feed.atom",
        "alternate": "https://logs.example.org/p/demo/linux/",
    }
    (entry,) = root.findall(f"{ATOM}entry")
    assert text(entry, "id") == "https://logs.example.org/p/demo/linux/1/"
    assert text(entry, "title") == "#1 failure: Nightly <b>&"
    assert text(entry, "updated") == text(entry, "published") == "2026-11-20T11:00:00+00:00"
    link = entry.find(f"{ATOM}link")
    assert link is not None
    assert link.get("href") == "https://logs.example.org/p/demo/linux/1/"
    summary = entry.find(f"{ATOM}summary")
    assert summary is not None
    assert summary.get("type") == "html"
    assert summary.text == "<p>Nightly &lt;b&gt;&amp;</p><p>failure · main · abc · took 1m 30s</p>"


def test_without_a_public_address_links_are_as_the_request_came(client: Client) -> None:
    ended()
    assert text(feed(client), "id") == "http://testserver/p/demo/linux/feed.atom"


def test_an_empty_feed_is_valid_and_stays_the_same(client: Client) -> None:
    make_builder()
    assert numbers(feed(client)) == []
    assert client.get(ADDRESS).content == client.get(ADDRESS).content
    assert text(feed(client), "updated")


def test_it_has_the_last_thirty_that_ended_the_newest_first(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(32):
        ended()
    make_build()  # it still runs
    with django_assert_max_num_queries(2):
        found = numbers(feed(client))
    assert found == [f"#{number}" for number in range(32, 2, -1)]


def test_results_and_branch_choose(client: Client) -> None:
    ended(branch="main")
    ended(Results.FAILURE, branch="main")
    ended(Results.FAILURE, branch="topic/ä")
    assert numbers(feed(client, results="failure")) == ["#3", "#2"]
    assert numbers(feed(client, branch="main")) == ["#2", "#1"]
    both = feed(client, results="failure", branch="topic/ä")
    assert numbers(both) == ["#3"]
    assert text(both, "title") == "demo/linux · failure · topic/ä"
    assert text(both, "id").endswith("feed.atom?results=failure&branch=topic%2F%C3%A4")
    assert numbers(feed(client, results="nonsense", branch="")) == ["#3", "#2", "#1"]


def test_who_has_it_is_not_sent_it_again(client: Client) -> None:
    build = ended()
    first = client.get(ADDRESS)
    assert first.headers["Cache-Control"] == "no-cache"
    assert {"Authorization", "Cookie"} <= set(first.headers["Vary"].split(", "))
    etag = first.headers["ETag"]
    known = client.get(ADDRESS, HTTP_IF_NONE_MATCH=etag)
    assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", etag)
    assert client.get(ADDRESS, HTTP_IF_MODIFIED_SINCE="Fri, 20 Nov 2037 11:00:00 GMT").status_code == 200
    Build.objects.filter(pk=build.pk).update(title="other")
    assert client.get(ADDRESS, HTTP_IF_NONE_MATCH=etag).status_code == 200


@pytest.mark.bad_input("a title that XML cannot hold")
def test_names_that_xml_cannot_hold_do_not_break_it(client: Client) -> None:
    ended(title="\x1b[31m]]>\x01\ufffe</title><script>", branch="\x07", reason="\x00"[:0])
    (entry,) = feed(client).findall(f"{ATOM}entry")
    assert "[31m]]>" in text(entry, "title")
    assert "</title><script>" in text(entry, "title")


def test_a_private_builders_feed_is_there_for_its_tokens_alone(client: Client) -> None:
    builder = make_builder(project=make_project("secret", public=False))
    ended(builder=builder)
    address = "/p/secret/linux/feed.atom"
    own, other = make_token(project=builder.project), make_token(project=make_project("other"))
    assert client.get(address).status_code == 404
    assert client.get(address, **bearer(other)).status_code == 404
    assert client.get(address, **bearer(own)).status_code == 200
    assert client.get(address, **bearer("bl_wrong")).status_code == 401
    assert client.get("/p/demo/nothing/feed.atom").status_code == 404


def test_the_builders_page_names_it(client: Client) -> None:
    ended()
    page = client.get("/p/demo/linux/").content.decode()
    assert '<link rel="alternate" type="application/atom+xml"' in page
    assert f'href="{ADDRESS}"' in page


def test_other_methods_are_refused(client: Client) -> None:
    make_builder()
    assert client.post(ADDRESS).status_code == 405
    assert client.head(ADDRESS).status_code == 200
