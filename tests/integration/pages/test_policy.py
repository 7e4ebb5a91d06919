"""The Content-Security-Policy is on whatever leaves the site."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory

from logviewer.pages.policy import ADMIN_POLICY, DOCS_POLICY, HEADER, PAGES_POLICY, ContentSecurityPolicyMiddleware
from tests.factories import make_log

pytestmark = pytest.mark.django_db


def test_every_page_has_the_strict_policy(client: Client) -> None:
    log = make_log()
    build = log.step.build
    nouns = (build.builder.project, build.builder, build, log)
    for address in ["/", "/nothing/", "/p/nothing/", *(noun.get_absolute_url() for noun in nouns)]:
        assert client.get(address).headers[HEADER] == PAGES_POLICY


def test_the_strict_policy_allows_the_sites_own_files_alone_and_no_html_from_strings() -> None:
    assert "default-src 'none'" in PAGES_POLICY
    assert "script-src 'self';" in PAGES_POLICY
    assert "style-src 'self';" in PAGES_POLICY
    assert "require-trusted-types-for 'script'; trusted-types 'none'" in PAGES_POLICY
    assert "frame-ancestors 'none'" in PAGES_POLICY
    assert "unsafe" not in PAGES_POLICY + ADMIN_POLICY


def test_the_admin_and_the_api_docs_have_policies_of_their_own(client: Client) -> None:
    client.force_login(User.objects.create_superuser("ada"))
    assert client.get("/admin/").headers[HEADER] == ADMIN_POLICY
    assert client.get("/api/v1/docs").headers[HEADER] == DOCS_POLICY
    assert "script-src 'self';" in DOCS_POLICY


async def test_the_policy_is_there_when_the_request_comes_over_asgi() -> None:
    answer = await AsyncClient().get("/nothing/")
    assert answer.headers[HEADER] == PAGES_POLICY


def test_a_response_that_brings_its_own_policy_keeps_it() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("<p>", headers={HEADER: "sandbox"})

    answer = ContentSecurityPolicyMiddleware(view)(RequestFactory().get("/"))
    assert isinstance(answer, HttpResponse)
    assert answer.headers[HEADER] == "sandbox"


def test_no_page_has_scripts_or_styles_of_its_own(client: Client) -> None:
    log = make_log()
    build = log.step.build
    for noun in (build.builder.project, build.builder, build, log):
        page = client.get(noun.get_absolute_url()).content.decode()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
