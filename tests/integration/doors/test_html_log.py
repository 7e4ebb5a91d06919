"""A log of type html: a document in a sandbox, never the site's own page."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
from django.test import Client

from buildlogs.asgi import application
from logviewer.chunkstore import Channel, Entry
from logviewer.live.store import chunk_store
from logviewer.models import LogFile, LogType
from tests.factories import bearer, make_build, make_builder, make_log, make_project, make_step, make_token

pytestmark = pytest.mark.django_db(transaction=True)
DOCUMENT = b"<h1>Coverage</h1><script>parent.document.title = 'taken'</script>"


def make_html_log(*, public: bool = True, kind: str = LogType.HTML) -> LogFile:
    project = make_project(public=public)
    log = make_log(step=make_step(build=make_build(builder=make_builder(project=project))), type=kind)
    chunk_store().append(log.key, [Entry(Channel.STDOUT, DOCUMENT, None)])
    return log


def ask(log: LogFile, method: str = "GET", **headers: str) -> Any:
    async def asking() -> httpx.Response:
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.request(method, f"/html-logs/{log.pk}", headers=headers)

    return asking()


async def in_thread(function: Any, *args: Any, **options: Any) -> Any:
    return await asyncio.to_thread(function, *args, **options)


async def test_it_is_sent_as_a_sandbox_without_scripts() -> None:
    log = await in_thread(make_html_log)
    answer = await ask(log)
    assert (answer.status_code, answer.content) == (200, DOCUMENT)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(directive.partition(" ")[::2] for directive in answer.headers["content-security-policy"].split("; "))
    assert policy["sandbox"] == ""  # no allow-scripts, no allow-same-origin
    assert policy["default-src"] == "'none'"
    assert "script-src" not in policy
    assert (policy["frame-ancestors"], answer.headers["x-frame-options"]) == ("'self'", "SAMEORIGIN")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"


async def test_head_has_the_headers_alone() -> None:
    answer = await ask(await in_thread(make_html_log), "HEAD")
    assert (answer.headers["content-length"], answer.content) == (str(len(DOCUMENT)), b"")


@pytest.mark.parametrize("kind", [LogType.STDIO, LogType.TEXT])
async def test_a_log_of_another_type_is_no_document(kind: str) -> None:
    answer = await ask(await in_thread(make_html_log, kind=kind))
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_private_one_is_not_there_for_others() -> None:
    log = await in_thread(make_html_log, public=False)
    assert (await ask(log)).status_code == 404
    token = await in_thread(make_token)
    assert (await ask(log, authorization=f"Bearer {token}")).status_code == 200


def test_its_page_shows_it_in_a_sandboxed_frame_and_nothing_of_it_itself(client: Client) -> None:
    log = make_html_log()
    page = client.get(log.get_absolute_url()).content.decode()
    [frame] = re.findall(r"<iframe[^>]*>", page)
    assert f'src="/html-logs/{log.pk}"' in frame
    assert re.search(r"\ssandbox(\s|>)", frame)
    assert "allow-" not in frame
    assert "Coverage" not in page


def test_its_source_is_shown_as_any_text(client: Client) -> None:
    log = make_html_log()
    page = client.get(f"{log.get_absolute_url()}?source").content.decode()
    assert "<iframe" not in page
    assert "&lt;h1&gt;Coverage" in page
    assert "<h1>Coverage" not in page


def test_a_private_ones_page_is_not_there_for_others(client: Client) -> None:
    log = make_html_log(public=False)
    assert client.get(log.get_absolute_url()).status_code == 404
    assert client.get(log.get_absolute_url(), **bearer(make_token())).status_code == 200  # type: ignore[arg-type]
