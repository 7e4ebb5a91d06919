"""Signing in by OpenID Connect: a real server, and a provider on loopback that can also misbehave."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from logviewer.models.sign_in import OF_ADDRESS
from tests.acceptance.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, new_key
from tests.acceptance.server import SEALS_NOTHING, Server

START = "/login/oidc/"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider().serving() as serving:
        yield serving


@pytest.fixture(scope="module")
def site(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose people sign in at the provider."""
    environment = {
        **SEALS_NOTHING,
        "BUILDLOGS_OIDC_ISSUER": provider.url,
        "BUILDLOGS_OIDC_CLIENT_ID": CLIENT_ID,
        "BUILDLOGS_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "BUILDLOGS_OIDC_NAME": "Example <Login>",
    }
    server = Server(tmp_path_factory.mktemp("oidc"), environment=environment)
    server.migrate()
    server.manage("migrate", "--verbosity", "0")  # allauth's tables come when it is switched on
    server.manage(
        "shell",
        "--verbosity=0",
        "--command",
        "from django.contrib.auth.models import User; User.objects.create_superuser('ada', 'ada@example.org', 'pw')",
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def visitor(site: Server, provider: Provider) -> Iterator[httpx.Client]:
    provider.reset()
    with httpx.Client(base_url=site.url) as client:
        yield client


def sign_in(visitor: httpx.Client, provider: Provider, start: str = START) -> httpx.Response:
    """The way there and back; returns what the callback answers."""
    leaving = visitor.get(start)
    assert leaving.status_code == 302, leaving.text
    return visitor.get(provider.authorize(leaving.headers["Location"]))


def signed_in_as(visitor: httpx.Client) -> str | None:
    """Whose name stands in the corner of the first page."""
    page = visitor.get("/").text
    _, found, rest = page.partition('aria-label="Your account: ')
    return rest.partition('"')[0] if found else None


def test_the_sign_in_page_offers_the_provider_and_asks_it_nothing(visitor: httpx.Client, provider: Provider) -> None:
    page = visitor.get("/login/?next=/account/")
    assert page.status_code == 200
    assert "Continue with" in page.text
    assert "Example &lt;Login&gt;" in page.text
    assert f'href="{START}?next=/account/"' in page.text.replace("%2F", "/")
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    assert provider.asked == []


def test_whoever_the_provider_lets_in_has_an_account_and_is_no_member_of_anything(
    visitor: httpx.Client, provider: Provider
) -> None:
    answer = sign_in(visitor, provider, f"{START}?next=/account/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/account/")
    assert signed_in_as(visitor) == "grace"
    account = visitor.get("/account/").text
    assert "Grace Hopper" in account
    assert "no password of yours here" in account
    assert "Admin" not in account
    assert {"/token", "/keys", "/userinfo"} <= set(provider.asked)


def test_the_same_person_comes_back_to_the_same_account_and_keeps_its_name(
    visitor: httpx.Client, provider: Provider
) -> None:
    provider.person = {"sub": "7", "preferred_username": "barbara"}
    sign_in(visitor, provider)
    visitor.cookies.clear()
    provider.person = {"sub": "7", "preferred_username": "liskov"}
    sign_in(visitor, provider)
    assert signed_in_as(visitor) == "barbara"


def test_nobody_becomes_somebody_else_by_having_their_name_or_address(
    visitor: httpx.Client, provider: Provider
) -> None:
    provider.person = {"sub": "9", "preferred_username": "ada", "email": "ada@example.org", "email_verified": True}
    sign_in(visitor, provider)
    name = signed_in_as(visitor)
    assert name is not None
    assert name != "ada"
    assert "Admin" not in visitor.get("/").text


def _another_key(provider: Provider) -> None:
    provider.signing_key = new_key()


def _another_audience(provider: Provider) -> None:
    provider.claims = {"aud": "somebody else"}


def _another_issuer(provider: Provider) -> None:
    provider.claims = {"iss": "https://elsewhere.example"}


def _expired(provider: Provider) -> None:
    provider.claims = {"iat": 1, "exp": 2}


def _another_person(provider: Provider) -> None:
    provider.userinfo = {"sub": "somebody else"}


def _broken(path: str) -> Callable[[Provider], None]:
    def breaks(provider: Provider) -> None:
        provider.broken = path

    return breaks


MISBEHAVIOUR: dict[str, Callable[[Provider], None]] = {
    "an ID token signed with another key": _another_key,
    "an ID token for somebody else": _another_audience,
    "an ID token of another issuer": _another_issuer,
    "an ID token that has expired": _expired,
    "a userinfo of another person": _another_person,
    "a token endpoint that answers nonsense": _broken("/token"),
    "a userinfo endpoint that answers nonsense": _broken("/userinfo"),
    "keys that are none": _broken("/keys"),
}


@pytest.mark.bad_input("a provider that misbehaves")
@pytest.mark.parametrize("how", MISBEHAVIOUR)
def test_a_provider_that_misbehaves_signs_nobody_in(visitor: httpx.Client, provider: Provider, how: str) -> None:
    leaving = visitor.get(START)
    back = provider.authorize(leaving.headers["Location"])
    MISBEHAVIOUR[how](provider)
    answer = visitor.get(back)
    assert answer.status_code == 401
    assert "did not work" in answer.text
    assert "Traceback" not in answer.text
    assert signed_in_as(visitor) is None


def test_a_provider_that_is_away_is_said_on_the_page(visitor: httpx.Client, provider: Provider) -> None:
    provider.broken = "/.well-known/openid-configuration"
    answer = visitor.get(START)
    assert answer.status_code == 401
    assert "did not work" in answer.text


def test_an_answer_that_this_browser_did_not_ask_for_signs_nobody_in(
    visitor: httpx.Client, provider: Provider, site: Server
) -> None:
    with httpx.Client(base_url=site.url) as attacker:
        back = provider.authorize(attacker.get(START).headers["Location"])
    for address in (back, f"{START}callback/", f"{START}callback/?code=x&state=y"):
        assert visitor.get(address).status_code == 401
    assert signed_in_as(visitor) is None


def test_whoever_turns_round_at_the_provider_is_back_at_the_sign_in_page(
    visitor: httpx.Client, provider: Provider
) -> None:
    leaving = visitor.get(START)
    state = httpx.URL(leaving.headers["Location"]).params["state"]
    answer = visitor.get(f"{START}callback/?error=access_denied&state={state}")
    assert answer.status_code == 200
    assert "You left before" in answer.text


def test_nobody_is_joined_to_the_account_that_is_signed_in(visitor: httpx.Client, provider: Provider) -> None:
    for wish in ("process=connect", "process=redirect", "scope=admin", "auth_params=prompt%3Dnone"):
        answer = visitor.get(f"{START}?{wish}")
        assert answer.status_code == 400, wish
        assert "Location" not in answer.headers


def test_nobody_is_led_off_the_site_afterwards(visitor: httpx.Client, provider: Provider) -> None:
    answer = sign_in(visitor, provider, f"{START}?next=https://evil.example/")
    assert answer.headers["Location"] == "/"


def test_an_account_that_is_locked_here_stays_out(visitor: httpx.Client, provider: Provider, site: Server) -> None:
    provider.person = {"sub": "11", "preferred_username": "mallory"}
    sign_in(visitor, provider)
    command = "from django.contrib.auth.models import User; User.objects.filter(username='mallory').update(is_active=0)"
    site.manage("shell", "--verbosity=0", "--command", command)
    assert signed_in_as(visitor) is None
    visitor.cookies.clear()
    answer = sign_in(visitor, provider)
    assert answer.status_code == 403
    assert "locked" in answer.text
    assert signed_in_as(visitor) is None


@pytest.mark.parametrize("path", ["signup", "password/reset", "email", "social/signup", "3rdparty", "oidc/other"])
def test_allauth_brings_no_other_page(visitor: httpx.Client, path: str) -> None:
    for before in ("/", "/login/", "/accounts/", "/account/"):
        assert visitor.get(f"{before}{path}/").status_code == 404


def test_passwords_go_on_working_beside_it(visitor: httpx.Client) -> None:
    visitor.get("/login/")
    form = {"username": "ada", "password": "pw", "csrfmiddlewaretoken": visitor.cookies["csrftoken"]}
    assert visitor.post("/login/", data=form).status_code == 302
    assert signed_in_as(visitor) == "ada"
    admin = visitor.get("/admin/").text
    assert "Social applications" not in admin
    assert "Email addresses" not in admin


@pytest.fixture
def buckets(site: Server) -> Iterator[None]:
    """All of them full, before and after."""
    empty = "from logviewer.models import SignInBucket; SignInBucket.objects.all().delete()"
    site.manage("shell", "--verbosity=0", "--command", empty)
    yield
    site.manage("shell", "--verbosity=0", "--command", empty)


def sessions(site: Server) -> int:
    count = "from django.contrib.sessions.models import Session; print(Session.objects.count())"
    return int(site.manage("shell", "--verbosity=0", "--command", count))


@pytest.mark.bad_input("too many sign-ins begun elsewhere")
def test_who_begins_too_many_sign_ins_has_to_wait_and_fills_no_database(
    site: Server, visitor: httpx.Client, provider: Provider, buckets: None
) -> None:
    begun = 0
    while (answer := httpx.get(f"{site.url}{START}")).status_code == 302:
        begun += 1
        assert begun < 2 * OF_ADDRESS.at_once, "one comes back every ten seconds"
    assert begun >= OF_ADDRESS.at_once
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= OF_ADDRESS.seconds_each
    assert "Too many tries. Wait " in answer.text
    before = sessions(site)
    for _ in range(3):
        assert httpx.head(f"{site.url}{START}").status_code in (302, 429)
    assert sessions(site) <= before + 1
    visitor.get("/login/")
    form = {"username": "ada", "password": "pw", "csrfmiddlewaretoken": visitor.cookies["csrftoken"]}
    assert visitor.post("/login/", data=form).status_code == 302, "passwords have a bucket of their own"


def test_whoever_the_provider_lets_in_may_sign_in_as_often_as_they_like(
    visitor: httpx.Client, provider: Provider, buckets: None
) -> None:
    for _ in range(OF_ADDRESS.at_once + 20):
        visitor.cookies.clear()
        assert sign_in(visitor, provider).status_code == 302


def test_the_server_s_log_has_no_secret(site: Server) -> None:
    log = site.log_path.read_text()
    assert "signing in by OpenID Connect failed" in log
    assert CLIENT_SECRET not in log
    assert "opaque" not in log
