"""Who sees which page."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from logviewer.models import LogFile
from tests.factories import bearer, make_build, make_builder, make_log, make_project, make_step, make_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def log() -> LogFile:
    builder = make_builder(project=make_project("secret", public=False))
    return make_log(step=make_step(build=make_build(builder=builder, title="hush")))


def addresses(log: LogFile) -> list[str]:
    build = log.step.build
    builder = build.builder
    return [noun.get_absolute_url() for noun in (builder.project, builder, build, log)]


def test_a_public_project_is_there_for_everybody(client: Client) -> None:
    log = make_log()
    assert [client.get(address).status_code for address in addresses(log)] == [200] * 4
    assert client.get("/").status_code == 200


def test_a_private_project_is_not_there_for_a_stranger(client: Client, log: LogFile) -> None:
    assert [client.get(address).status_code for address in addresses(log)] == [404] * 4
    front = client.get("/").content.decode()
    assert "secret" not in front
    assert "hush" not in front


def test_a_private_project_looks_to_a_stranger_as_one_that_does_not_exist(client: Client, log: LogFile) -> None:
    private, missing = client.get("/p/secret/").content.decode(), client.get("/p/nothing/").content.decode()
    assert private.replace("secret", "nothing") == missing


def test_staff_sees_a_private_project(client: Client, log: LogFile) -> None:
    client.force_login(User.objects.create(username="ada", is_staff=True))
    assert [client.get(address).status_code for address in addresses(log)] == [200] * 4
    assert "secret" in client.get("/").content.decode()


def test_a_token_of_the_project_sees_it_and_one_of_another_does_not(client: Client, log: LogFile) -> None:
    own = make_token(project=log.step.build.builder.project)
    other = make_token(project=make_project("other"))
    assert client.get("/p/secret/", **bearer(own)).status_code == 200
    assert client.get("/p/secret/", **bearer(other)).status_code == 404


def test_a_token_that_is_no_good_gets_a_page_that_says_so(client: Client) -> None:
    make_project()
    answer = client.get("/p/demo/", **bearer("bl_wrong"))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "That token is no good" in answer.content.decode()


@pytest.mark.parametrize(
    "address",
    [
        "/p/demo/linux/2/",
        "/p/demo/linux/99999999999999999999/",
        "/p/demo/other/",
        "/p/demo/linux/1/compile/other/",
        "/p/demo/linux/1/other/stdio/",
        "/p/de%00mo/",
        "/p/demo/linux/1/compile/st%00dio/",
    ],
)
def test_what_does_not_exist_is_not_found(client: Client, address: str) -> None:
    make_log()
    answer = client.get(address)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


def test_pages_are_read_and_nothing_else(client: Client) -> None:
    make_project()
    assert client.head("/p/demo/").status_code == 200
    assert client.post("/p/demo/").status_code == 405
