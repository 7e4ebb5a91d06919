"""A server as it stands on the internet: what every answer bears, and that no secret comes out where things fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

from tests.acceptance.client import Writer, entry
from tests.acceptance.server import SEALS_NOTHING, Server, running_server

PASSWORD = "S3CRET-password"
REDIS_PASSWORD = "S3CRET-of-redis"
TOO_LARGE_BYTES = 1_200_000
HTTPS = {"X-Forwarded-Proto": "https"}
PREPARE = f"""
from django.contrib.auth.models import User
from logviewer.models import Project, Visibility
Project.objects.filter(slug="demo").update(visibility=Visibility.PUBLIC)
User.objects.create_superuser("ada", password={PASSWORD!r})
"""
ONCE_A_YEAR = "max-age=31536000"


class Production:
    """A server with production's settings, whose Redis is away; a public and a private log, one of type html."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.token = server.token()
        writer = Writer(server.url, self.token)
        writer.http.headers.update(HTTPS)
        self.private = self._finished(writer, "secret", "stdio")
        self.public = self._finished(writer, "demo", "stdio")
        self.html = writer.post(f"/steps/{self.public['step']}/logs", {"name": "page", "type": "html"})
        server.manage("shell", "--verbosity", "0", "--command", PREPARE)
        self.http = httpx.Client(base_url=server.url, headers=HTTPS, timeout=30)
        self.page = httpx.URL(self.public["url"]).path

    @staticmethod
    def _finished(writer: Writer, project: str, name: str) -> dict[str, Any]:
        log = writer.new_log(name, project)
        assert writer.chunks(log["id"], entry(0, b"hello\n" * 1000), 0).status_code == 200
        assert writer.finish(log["id"]).status_code == 200
        return log

    def log_in(self, password: str) -> httpx.Response:
        """Post the form of login, as a browser would."""
        self.http.cookies.clear()
        form = self.http.get("/login/")
        csrf = str(form.cookies["csrftoken"])
        headers = {"Cookie": f"csrftoken={csrf}", "Referer": f"https://127.0.0.1:{self.server.port}/login/"}
        fields = {"csrfmiddlewaretoken": csrf, "username": "ada", "password": password}
        return self.http.post("/login/", data=fields, headers=headers)

    def said(self) -> str:
        """All that the server has written so far."""
        return self.server.log_path.read_text()


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    environment = {
        **SEALS_NOTHING,
        "BUILDLOGS_DEBUG": "0",
        "BUILDLOGS_HTTPS": "1",
        "BUILDLOGS_LOG_FORMAT": "json",
        "REDIS_URL": f"redis://:{REDIS_PASSWORD}@127.0.0.1:9/0",
    }
    with running_server(tmp_path_factory.mktemp("production"), environment=environment) as server:
        yield Production(server)


WALK: list[tuple[str, str, dict[str, str], int]] = [
    ("GET", "/", {}, 200),
    ("GET", "/p/demo/", {}, 200),
    ("GET", "/p/demo/linux/", {}, 200),
    ("GET", "/p/demo/linux/1/", {}, 200),
    ("GET", "{page}", {}, 200),
    ("GET", "/favicon.ico", {}, 302),
    ("GET", "/nothing/", {}, 404),
    ("POST", "/", {}, 403),
    ("GET", "/", {"Host": "elsewhere.example.org"}, 400),
    ("GET", "/", {"Authorization": "Bearer bl_no"}, 401),
    ("GET", "/", {"X-Forwarded-Proto": "http"}, 301),
    ("GET", "/admin/", {}, 302),
    ("GET", "/admin/login/", {}, 302),
    ("GET", "/login/", {}, 200),
    ("GET", "/static/logviewer/css/base.css", {}, 200),
    ("GET", "/static/nothing.css", {}, 404),
    ("GET", "/healthz", {}, 200),
    ("GET", "/readyz", {}, 503),
    ("GET", "/metrics", {}, 401),
    ("GET", "/api/v1/builds", {}, 200),
    ("GET", "/api/v1/builds", {"Authorization": "Bearer bl_no"}, 401),
    ("POST", "/api/v1/builds", {"Content-Type": "application/json"}, 401),
    ("GET", "/api/v1/nothing", {}, 404),
    ("DELETE", "/api/v1/projects", {}, 405),
    ("GET", "/api/v1/openapi.json", {}, 200),
    ("GET", "/api/v1/docs", {}, 200),
    ("GET", "/api/v1/builds/{build}/logs.zip", {}, 200),
    ("GET", "/api/v1/logs/{log}/raw", {}, 200),
    ("HEAD", "/api/v1/logs/{log}/raw", {}, 200),
    ("GET", "/api/v1/logs/{log}/raw?download=1", {}, 200),
    ("GET", "/api/v1/logs/{log}/raw", {"Range": "bytes=0-3"}, 206),
    ("GET", "/api/v1/logs/{log}/raw", {"If-None-Match": "*"}, 304),
    ("GET", "/api/v1/logs/{log}/raw", {"Range": "bytes=999999-"}, 416),
    ("GET", "/api/v1/logs/{private}/raw", {}, 404),
    ("PUT", "/api/v1/logs/{log}/raw", {}, 405),
    ("GET", "/api/v1/logs/{log}/chunks", {}, 200),
    ("POST", "/api/v1/logs/{log}/chunks", {}, 401),
    ("POST", "/api/v1/logs/{log}/chunks", {}, 413),
    ("GET", "/api/v1/logs/{log}/lines", {}, 200),
    ("GET", "/api/v1/logs/{log}/marks", {}, 200),
    ("GET", "/api/v1/logs/{log}/search?q=hello", {}, 200),
    ("GET", "/api/v1/logs/{log}/search", {}, 400),
    ("GET", "/api/v1/logs/{log}/progressiveText", {}, 200),
    ("GET", "/html-logs/{html}", {}, 200),
    ("GET", "/html-logs/{log}", {}, 404),
]


@pytest.mark.parametrize(("method", "path", "headers", "status"), WALK, ids=lambda value: str(value)[:60])
def test_every_kind_of_answer_bears_the_headers_of_the_site(
    production: Production, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    places = {
        "log": production.public["id"],
        "private": production.private["id"],
        "html": production.html["id"],
        "build": production.public["build"],
        "page": production.page,
    }
    production.http.cookies.clear()
    body = b"x" * TOO_LARGE_BYTES if status == 413 else b""
    asked = {"X-Request-ID": "walk-1", **headers}
    answer = production.http.request(method, path.format(**places), headers=asked, content=body)
    assert answer.status_code == status, answer.text[:300]
    check_headers(answer.headers)
    if status != 413:  # the guard says that before there is a request
        is_secure = headers.get("X-Forwarded-Proto") != "http"
        assert answer.headers.get("strict-transport-security") == (ONCE_A_YEAR if is_secure else None)
        assert answer.headers["x-request-id"] == "walk-1"


def check_headers(headers: httpx.Headers) -> None:
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] in ("same-origin", "no-referrer")
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert headers["x-frame-options"] in ("DENY", "SAMEORIGIN")
    names = [name for name, _value in headers.multi_items() if name not in ("set-cookie", "vary")]
    assert len(names) == len(set(names)), "a header is there twice"
    directives = headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in directives
    for directive in directives:
        name, _, value = directive.partition(" ")
        assert "unsafe-eval" not in value
        assert "*" not in value
        assert "http:" not in value
        assert name != "script-src" or value == "'self'"
    assert any(directive.startswith(("frame-ancestors '", "sandbox")) for directive in directives)


def test_pages_of_somebody_who_is_logged_in_bear_them_too_and_cookies_are_kept_close(production: Production) -> None:
    answer = production.log_in(PASSWORD)
    assert answer.status_code == 302
    check_headers(answer.headers)
    cookies = {cookie.split("=")[0]: cookie for cookie in answer.headers.get_list("set-cookie")}
    assert {"sessionid", "csrftoken"} <= set(cookies)
    for cookie in cookies.values():
        assert "Secure" in cookie
        assert "SameSite=Lax" in cookie
    assert "HttpOnly" in cookies["sessionid"]
    session = cookies["sessionid"].split(";")[0]
    admin = production.http.get("/admin/", headers={"Cookie": session})
    assert admin.status_code == 200
    check_headers(admin.headers)


TOKEN = "bl_S3CRET-token"
COOKIE = "sessionid=S3CRET-cookie; csrftoken=S3CRET-csrf"
QUERY = "token=H1DDEN-query"  # comes back in addresses, to whoever sent it; it must not be in the log
FAILING = [
    *(("GET", path) for _method, path, _headers, _status in WALK if "{" in path),
    ("GET", "/"),
    ("GET", "/admin/"),
    ("GET", "/metrics"),
    ("GET", "/readyz"),
    ("GET", "/api/v1/builds"),
    ("POST", "/api/v1/builds"),
    ("POST", "/api/v1/logs/{log}/chunks"),
    ("POST", "/api/v1/logs/{log}/finish"),
    ("PATCH", "/api/v1/builds/{build}"),
]


def fail_everywhere(production: Production) -> list[str]:
    """Send secrets where they are refused or where things break; returns all that came back."""
    places = {
        "log": production.public["id"],
        "private": production.private["id"],
        "html": production.html["id"],
        "build": production.public["build"],
        "page": production.page,
    }
    back: list[str] = []
    for method, path in FAILING:
        address = path.format(**places)
        for headers in (
            {"Authorization": f"Bearer {TOKEN}"},
            {"Authorization": "Basic UzNDUkVULXBhc3N3b3Jk", "Cookie": COOKIE},
            {"Authorization": f"Bearer {production.token}", "Host": "elsewhere.example.org"},
            {"Cookie": COOKIE, "X-CSRFToken": "S3CRET-csrf", "X-Request-ID": "S3CRET id"},
        ):
            query = f"{'&' if '?' in address else '?'}{QUERY}"
            answer = production.http.request(method, f"{address}{query}", headers=headers)
            back.append(f"{answer.headers} {answer.text}")
    back += [production.log_in("S3CRET-guess").text, *fail_sockets(production), *fail_inside(production)]
    return back


def fail_sockets(production: Production) -> list[str]:
    back = []
    for path in (
        f"/ws/logs/{production.private['id']}/",
        "/ws/builds/1/",
        "/ws/projects/secret/",
        "/ws/intake/",
        "/ws/",
    ):
        for headers in (
            {"Authorization": f"Bearer {TOKEN}"},
            {"Cookie": COOKIE, "Origin": f"http://127.0.0.1:{production.server.port}"},
            {"Authorization": f"Bearer {production.token}", "X-Forwarded-Proto": "https"},
        ):
            address = f"{production.server.websocket_url}{path}?{QUERY}"
            try:
                with connect(address, additional_headers=headers, compression=None, open_timeout=10) as socket:
                    socket.send('{"type": "nonsense"}')
                    back += [str(message) for message in socket]
            except InvalidStatus as refused:
                back.append(f"{refused.response.headers} {refused.response.body!r}")
            except WebSocketException as closed:
                back.append(str(closed))
    return back


def fail_inside(production: Production) -> list[str]:
    """Break a log's files, so that the server itself fails, and ask for it with what it would let in."""
    [index] = (production.server.data_dir / "logs" / "secret").rglob(f"*-{production.private['id']}.idx")
    index.unlink()
    index.mkdir()
    headers = {"Authorization": f"Bearer {production.token}", "Cookie": COOKIE}
    answers = [
        production.http.get(f"/api/v1/logs/{production.private['id']}/{door}", headers=headers)
        for door in ("raw", "lines", "search?q=hello", "marks", "chunks")
    ]
    assert any(answer.status_code == 500 for answer in answers)
    return [f"{answer.headers} {answer.text}" for answer in answers]


def test_no_secret_comes_out_where_things_fail(production: Production) -> None:
    back = fail_everywhere(production)
    assert len(back) > 100
    said = production.said()
    assert '"status": 401' in said
    assert '"status": 500' in said
    assert "Traceback" in said
    assert "127.0.0.1:9" in said  # Redis, of which only the password is left out
    assert "H1DDEN" not in said
    for place in (said, *back):
        assert "S3CRET" not in place, place[:2000]
        assert "UzNDUkVU" not in place
        assert production.token not in place
    for answer in back:
        assert "Traceback" not in answer
        assert str(production.server.data_dir) not in answer
