"""Signing in and out, one's own account, another password; and how often a password may be tried."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from logviewer.models import Member, Role, SignInBucket
from logviewer.models.sign_in import MAX_FORGOTTEN, OF_ACCOUNT, OF_ADDRESS
from tests.factories import make_project

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
NEW_PASSWORD = "staple and much else"


@pytest.fixture
def ann() -> User:
    return User.objects.create_user("ann", password=PASSWORD)


def sign_in(client: Client, name: str = "ann", password: str = PASSWORD, **extra: Any) -> Any:
    return client.post("/login/", {"username": name, "password": password}, **extra)


def is_signed_in(client: Client) -> bool:
    return bool(get_user(client).is_authenticated)  # type: ignore[arg-type]  # it wants the session alone


def test_the_right_password_signs_in_and_leads_on(client: Client, ann: User) -> None:
    answer = client.post("/login/", {"username": "ann", "password": PASSWORD, "next": "/p/demo/"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/p/demo/")
    assert is_signed_in(client)
    assert 'aria-label="Your account: ann"' in client.get("/").content.decode()


def test_nobody_is_led_off_the_site(client: Client, ann: User) -> None:
    answer = client.post("/login/", {"username": "ann", "password": PASSWORD, "next": "https://evil.example/"})
    assert answer.headers["Location"] == "/"


def test_a_wrong_name_and_a_wrong_password_are_told_in_the_same_words(client: Client, ann: User) -> None:
    User.objects.create_user("locked", password=PASSWORD, is_active=False)
    User.objects.create_user("elsewhere")  # who signs in by OpenID Connect
    pages = {
        sign_in(client, name, password).content.decode().replace(name, "NAME")
        for name, password in (("ann", "no"), ("nobody", "no"), ("locked", PASSWORD), ("elsewhere", "no"))
    }
    assert len({page.partition("<form")[2].partition('value="')[0] for page in pages}) == 1
    assert all("do not belong together" in page for page in pages)
    assert not is_signed_in(client)


def test_an_unknown_name_costs_as_much_as_a_wrong_password(
    client: Client, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password is hashed in both cases: that is nearly all of the time that a try takes."""
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counting(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return str(encode(self, password, salt))

    monkeypatch.setattr(MD5PasswordHasher, "encode", counting)
    sign_in(client, "ann", "wrong")
    known = len(hashed)
    sign_in(client, "nobody", "wrong")
    assert known == len(hashed) - known == 1


@pytest.mark.bad_input("too many tries at a password")
def test_after_ten_tries_an_account_has_to_wait_and_the_right_password_does_not_help(client: Client, ann: User) -> None:
    for _ in range(OF_ACCOUNT.at_once):
        assert sign_in(client, password="wrong").status_code == 200
    answer = sign_in(client)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= OF_ACCOUNT.seconds_each
    assert f"Wait {answer.headers['Retry-After']} seconds" in answer.content.decode()
    assert not is_signed_in(client)
    assert sign_in(client, "nobody", "wrong").status_code == 200  # others are not kept waiting
    _let_pass(seconds=OF_ACCOUNT.seconds_each)
    assert sign_in(client).status_code == 302


def test_a_name_that_is_nobodys_is_counted_as_any_other(client: Client) -> None:
    statuses = [sign_in(client, "nobody", "wrong").status_code for _ in range(OF_ACCOUNT.at_once + 1)]
    assert statuses == [200] * OF_ACCOUNT.at_once + [429]


def test_an_address_has_to_wait_when_it_tries_many_names(client: Client, ann: User) -> None:
    statuses = [sign_in(client, f"name-{number}", "x").status_code for number in range(OF_ADDRESS.at_once + 1)]
    assert statuses == [200] * OF_ADDRESS.at_once + [429]
    assert sign_in(client).status_code == 429
    assert sign_in(client, REMOTE_ADDR="192.0.2.7").status_code == 302


def test_whoever_knows_the_password_may_sign_in_as_often_as_they_like(client: Client, ann: User) -> None:
    for _ in range(OF_ACCOUNT.at_once * 2):
        assert sign_in(client).status_code == 302


def test_the_address_is_the_client_s_behind_a_trusted_proxy_alone(client: Client, settings: Any) -> None:
    for number in range(OF_ADDRESS.at_once):
        sign_in(client, f"name-{number}", "x", HTTP_X_FORWARDED_FOR=f"192.0.2.{number}")
    assert sign_in(client, "last", "x", HTTP_X_FORWARDED_FOR="192.0.2.99").status_code == 429
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.1")]
    assert sign_in(client, "last", "x", HTTP_X_FORWARDED_FOR="192.0.2.99").status_code == 200


def test_buckets_that_are_full_again_are_forgotten_and_hold_no_names(client: Client) -> None:
    old = timezone.now() - timedelta(days=1)
    SignInBucket.objects.bulk_create([SignInBucket(key=f"{number:064}", full_at=old) for number in range(250)])
    sign_in(client, "somebody", "x")
    assert SignInBucket.objects.count() == 250 - MAX_FORGOTTEN + 2
    for _ in range(2):
        sign_in(client, "somebody", "x")
    assert SignInBucket.objects.count() == 2
    assert all(len(key) == 64 for key in SignInBucket.objects.values_list("key", flat=True))


def test_the_admins_own_form_leads_to_the_page_that_counts(client: Client) -> None:
    for address in ("/admin/login/", "/admin/login/?next=/admin/logviewer/project/"):
        answer = client.get(address)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/login/?next=%2Fadmin%2F")
    assert client.post("/admin/login/", {"username": "ann", "password": "x"}).status_code == 302
    assert client.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/login/")
    assert client.get("/admin/password_change/").headers["Location"] == "/account/password/"


def test_a_user_who_may_not_open_the_admin_is_told_so_and_not_sent_round_in_circles(client: Client, ann: User) -> None:
    client.force_login(ann)
    page = client.get("/admin/", follow=True)
    assert page.status_code == 200
    assert "who may not open that page" in page.content.decode()


def test_the_account_page_says_who_one_is_and_which_roles_one_has(
    client: Client, ann: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        Member.objects.create(project=make_project(f"p{number}", public=False), user=ann, role=Role.WRITER)
    client.force_login(ann)
    with django_assert_max_num_queries(4):
        page = client.get("/account/").content.decode()
    assert page.count("writer: reads and writes") == 20
    assert 'href="/p/p7/"' in page


def test_the_account_page_is_for_whoever_is_signed_in(client: Client) -> None:
    assert client.get("/account/").headers["Location"] == "/login/?next=/account/"


def test_signing_out_is_a_post_and_a_link_to_it_signs_nobody_out(client: Client, ann: User) -> None:
    client.force_login(ann)
    assert client.get("/logout/").headers["Location"] == "/account/"
    assert is_signed_in(client)
    assert client.post("/logout/").headers["Location"] == "/"
    assert not is_signed_in(client)


def test_signing_in_and_out_wants_the_form_of_this_site(ann: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert sign_in(client).status_code == 403
    client.force_login(ann)
    assert client.post("/logout/").status_code == 403


def change(client: Client, old: str, new: str = NEW_PASSWORD) -> Any:
    return client.post("/account/password/", {"old_password": old, "new_password1": new, "new_password2": new})


def test_a_new_password_ends_the_other_sessions_and_not_this_one(client: Client, ann: User) -> None:
    other = Client()
    sign_in(other)
    sign_in(client)
    assert change(client, PASSWORD).headers["Location"] == "/account/"
    assert "Your password was changed" in client.get("/account/").content.decode()
    assert not is_signed_in(other)
    assert sign_in(Client(), password=NEW_PASSWORD).status_code == 302


def test_the_old_password_is_counted_there_as_well(client: Client, ann: User) -> None:
    client.force_login(ann)
    for _ in range(OF_ACCOUNT.at_once):
        assert "old password" in change(client, "wrong").content.decode()
    assert "Too many tries" in change(client, PASSWORD).content.decode()
    ann.refresh_from_db()
    assert ann.check_password(PASSWORD)


def test_a_weak_password_is_refused_and_the_old_one_stays(client: Client, ann: User) -> None:
    client.force_login(ann)
    assert "too common" in change(client, PASSWORD, "password").content.decode()
    ann.refresh_from_db()
    assert ann.check_password(PASSWORD)


def test_the_pages_keep_to_the_strictest_policy_and_are_kept_by_nobody(client: Client, ann: User) -> None:
    client.force_login(ann)
    for path in ("/login/", "/account/", "/account/password/"):
        answer = client.get(path)
        assert "require-trusted-types-for" in answer.headers["Content-Security-Policy"]
        assert "no-store" in answer.headers["Cache-Control"], path
        assert "<script>" not in answer.content.decode()
        assert 'style="' not in answer.content.decode()


def test_the_session_s_cookie_is_out_of_reach_of_scripts_and_other_sites(client: Client, ann: User) -> None:
    answer = sign_in(client)
    cookie = answer.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def _let_pass(*, seconds: int) -> None:
    """As if it was longer ago."""
    for bucket in SignInBucket.objects.all():
        bucket.full_at -= timedelta(seconds=seconds)
        bucket.save()
