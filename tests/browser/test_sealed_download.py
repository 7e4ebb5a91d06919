"""A browser decodes a sealed log that is handed to it as it lies: all frames of it, and past the table at its end."""

from __future__ import annotations

import hashlib

from playwright.sync_api import Page

from tests.acceptance.client import entry
from tests.acceptance.test_codings import seal
from tests.browser.site import PUBLIC, Site

MIB = 1024 * 1024
TEXT = b"".join(b"line %d of a log that is sealed\n" % number for number in range(100_000))  # three frames and a bit

FETCH = """async (url) => {
    const answer = await fetch(url);
    const body = await answer.arrayBuffer();
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
    return {
        coding: answer.headers.get("content-encoding"),
        bytes: body.byteLength,
        sha256: Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join(""),
    };
}"""


def test_a_browser_that_takes_zstandard_gets_the_whole_text(page: Page, site: Site, builder: str) -> None:
    log = site.writer.new_log(project=PUBLIC, builder=builder)
    for start in range(0, len(TEXT), MIB):
        assert site.writer.chunks(log["id"], entry(0, TEXT[start : start + MIB]), start).status_code == 200
    assert site.writer.finish(log["id"]).status_code == 200
    seal(site.server, log)
    page.goto(log["url"])
    found = page.evaluate(FETCH, f"/api/v1/logs/{log['id']}/raw")
    assert found == {"coding": "zstd", "bytes": len(TEXT), "sha256": hashlib.sha256(TEXT).hexdigest()}
