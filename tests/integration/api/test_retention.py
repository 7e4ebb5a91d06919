"""GET /projects/{slug}/retention: what would go."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from logviewer.models import Build
from tests.factories import make_builder, make_project, make_token
from tests.integration.api.client import ApiClient
from tests.integration.upkeep.builds import ended_build

pytestmark = pytest.mark.django_db
PATH = "/projects/demo/retention"


def test_it_says_which_builds_would_go_and_how_many_bytes(api: ApiClient) -> None:
    project = make_project(public=False, keep_days=30, keep_successful=1)
    build = ended_build(90, stored_bytes=1000)
    ended_build(80, stored_bytes=10)
    answer = api.with_token(make_token(project=project, scopes=["admin"])).get(PATH)
    assert answer.status == 200
    item = answer.json["items"][0]
    assert answer.json == {
        "policy": "Builds are kept for 30 days. The last successful one of each builder and pinned ones always stay.",
        **{"builds": 1, "bytes": 1000, "unweighed": 0, "complete": True},
        "items": [
            {
                **{"id": build.pk, "builder": "linux", "number": 1, "results": "success", "bytes": 1000},
                **{"why": "expired", "finished_at": item["finished_at"], "url": "/p/demo/linux/1/"},
            }
        ],
    }
    assert Build.objects.count() == 2


def test_the_list_is_bounded_and_the_totals_are_not(api: ApiClient) -> None:
    project = make_project(keep_days=30)
    builder = make_builder(project=project)
    ended = ended_build(90, builder=builder, stored_bytes=1)
    Build.objects.bulk_create(
        Build(
            **{"builder": builder, "number": number, "state": "finished", "results": "success", "stored_bytes": 1},
            finished_at=ended.finished_at,
        )
        for number in range(2, 301)
    )
    answer = api.with_token(make_token(scopes=["admin"])).get(PATH)
    assert (answer.json["builds"], answer.json["bytes"], answer.json["complete"]) == (300, 300, False)
    assert [item["number"] for item in answer.json["items"]] == list(range(1, 201))


@pytest.mark.bad_input("a token without the scope")
@pytest.mark.parametrize("public", [True, False])
def test_only_who_administers_the_project_is_told(api: ApiClient, public: bool) -> None:
    project = make_project(public=public)
    other = make_project("other")
    hidden = (403, "forbidden") if public else (404, "not-found")
    assert api.get(PATH).problem() == (401, "unauthorized")
    assert api.with_token(make_token(project=project)).get(PATH).problem() == (403, "forbidden")
    assert api.with_token(make_token(project=other, scopes=["admin"])).get(PATH).problem() == hidden
    assert api.with_token(make_token(project=project, scopes=["admin"])).get(PATH).status == 200
    api.client.force_login(User.objects.create_user("eve"))
    assert api.get(PATH).problem() == hidden
    api.client.force_login(User.objects.create_user("ada", is_staff=True))
    assert api.get(PATH).status == 200


def test_of_a_project_that_there_is_not_nothing_is_told(api: ApiClient) -> None:
    assert api.with_token(make_token(scopes=["admin"])).get("/projects/nowhere/retention").problem()[0] == 404
