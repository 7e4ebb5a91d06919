"""What `many_builds.py` asks for: every page, every list of the API and of the admin, by each of their filters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from benchmarks.many_others import MEMBER, TOKEN
from benchmarks.many_rows import BUILDERS, BUILDERS_A_PROJECT, Size

STAFF, NOBODY, A_MEMBER, A_TOKEN = "staff", "nobody", "a member", "a token"
BUSY, IDLE = "project1/builder1", f"idle/builder{BUILDERS - BUILDERS_A_PROJECT + 1}"
UNMEASURED_PAGES = frozenset({"favicon", "login", "logout", "password"})
"""They show nothing that there are many of."""


@dataclass(frozen=True)
class Calls:
    """Addresses that take turns, and who asks for them."""

    name: str
    addresses: list[str]
    caller: str = STAFF


def all_calls(size: Size) -> list[Calls]:
    """All of them; SystemExit if a page or a list is not among them."""
    calls = [*pages(size), *lists_of_builds(), *other_lists(), *admin_lists(), *filtered_admin_lists(size)]
    missing = sorted(uncovered(urlsplit(address).path for each in calls for address in each.addresses))
    if missing:
        raise SystemExit(f"not measured: {', '.join(missing)}")
    return calls


def uncovered(paths: Iterable[str]) -> set[str]:
    """The pages, the API's lists and the admin's lists that none of these addresses is of."""
    from django.contrib import admin
    from django.urls import Resolver404, resolve

    from logviewer.api.root import api
    from logviewer.pages.urls import urlpatterns

    paths = set(paths)
    names = set()
    for path in paths:
        try:
            names.add(resolve(path).url_name)
        except Resolver404:
            raise SystemExit(f"there is no {path}") from None
    wanted = {str(each.name) for each in urlpatterns} - UNMEASURED_PAGES - names
    for model in admin.site._registry:
        wanted |= {f"admin: {model._meta.label}"} - {
            f"admin: {model._meta.label}"
            for path in paths
            if path == f"/admin/{model._meta.label_lower.replace('.', '/')}/"
        }
    for template, operations in api.get_openapi_schema(path_prefix="/api/v1/")["paths"].items():
        answer = str(operations.get("get", {}).get("responses", {}).get(200, {}))
        pattern = re.sub(r"\{[^}]*\}", "[^/]+", template)
        if "schemas/Page_" in answer and not any(re.fullmatch(pattern, path) for path in paths):
            wanted.add(f"GET {template}")
    return wanted


def clients() -> dict[str, object]:
    """For each caller what it asks with."""
    from django.contrib.auth.models import User
    from django.test import Client

    staff, _ = User.objects.get_or_create(username="ada", defaults={"is_staff": True, "is_superuser": True})
    found = {STAFF: Client(), NOBODY: Client(), A_MEMBER: Client()}
    found[STAFF].force_login(staff)
    found[A_MEMBER].force_login(User.objects.get(username=MEMBER))
    return found | {A_TOKEN: Client(headers={"authorization": f"Bearer {TOKEN}"})}


def pages(size: Size) -> Iterator[Calls]:
    """The site's own pages."""
    from logviewer.models import Build, LogFile

    of_builder = Build.objects.filter(builder__slug="builder1").order_by("number")
    middle = of_builder[: size.builds][size.builds // 100]
    failed = Build.objects.filter(results="failure").select_related("builder__project").latest("pk")
    log = LogFile.objects.select_related("step__build__builder__project").filter(step__build=failed).earliest("pk")
    builder = failed.builder.get_absolute_url()
    yield Calls("the first page", ["/"])
    yield Calls("the first page", ["/"], NOBODY)
    yield Calls("a project's page", ["/p/project1/", "/p/project7/", "/p/idle/"])
    yield Calls("a builder's page", [f"/p/{BUSY}/", f"/p/{IDLE}/", f"/p/{BUSY}/?before={middle.number}"])
    words = ("state=running", "results=retry", "results=success", "branch=main", "branch=topic-77", "branch=nothing")
    yield Calls("a builder's page, filtered", [f"/p/{BUSY}/?{word}" for word in words])
    words = ("results=retry", "results=failure", "branch=topic-77", "branch=nothing", "branch=main&results=failure")
    yield Calls("a builder's feed", [f"/p/{BUSY}/feed.atom", *(f"/p/{BUSY}/feed.atom?{word}" for word in words)])
    yield Calls("a builder's badge", [f"/p/{BUSY}/badge.svg", f"/p/{BUSY}/badge.svg?branch=nothing"])
    yield Calls("a build's page", [failed.get_absolute_url(), f"/p/{BUSY}/{middle.number}/", f"{builder}1/"])
    yield Calls("a log's page", [log.get_absolute_url()])
    yield Calls("the account", ["/account/"], A_MEMBER)


def lists_of_builds() -> Iterator[Calls]:
    """`GET /builds` by each filter, some of several, for whoever may see all, some, or one project."""
    api = "/api/v1/builds"
    since = moments()
    years, hour = since["years"], since["hour"]
    yield Calls("GET /builds", [api, f"{api}?limit=200"])
    filters = ("", "?state=finished", "?results=retry", f"?since={hour}", "?results=exception", "?branch=topic-77")
    for caller in (NOBODY, A_MEMBER, A_TOKEN):
        yield Calls("GET /builds", [f"{api}{word}" for word in filters], caller)
    slugs = ("project1", "project7", "idle", "nothing")
    yield Calls("GET /builds?project=", [f"{api}?project={slug}" for slug in slugs])
    both = [each.replace("/", "&builder=") for each in (BUSY, IDLE)]
    yield Calls("GET /builds?project=&builder=", [f"{api}?project={each}" for each in both])
    yield Calls("GET /builds?builder=", [f"{api}?builder={each.partition('/')[2]}" for each in (BUSY, IDLE)])
    yield Calls("GET /builds?state=", [f"{api}?state={word}" for word in ("running", "abandoned", "finished")])
    words = ("success", "failure", "retry", "exception")
    yield Calls("GET /builds?results=", [f"{api}?results={word}" for word in words])
    yield Calls("GET /builds?branch=", [f"{api}?branch={word}" for word in ("main", "topic-77", "nothing")])
    yield Calls("GET /builds?since=", [f"{api}?since={moment}" for moment in since.values()])
    several = (
        *("project=project1&results=retry", "project=project1&results=success&state=finished"),
        *("project=idle&results=failure", "project=project1&branch=topic-77", "project=idle&state=running"),
        *(
            "branch=topic-77&results=success&state=finished",
            f"results=retry&since={hour}",
            f"project=idle&since={hour}",
        ),
        *(
            f"project=idle&since={years}&state=finished",
            f"project={both[0]}&results=retry",
            "branch=main&state=running",
        ),
        f"project=idle&state=finished&results=success&branch=main&since={years}&limit=200",
        f"project={both[0]}&state=finished&results=failure&branch=topic-77&since={years}",
    )
    for word in several:
        yield Calls(f"GET /builds?{re.sub(r'20[^&]*Z', 'TIME', word)}", [f"{api}?{word}"])


def moments() -> dict[str, str]:
    """For `since`."""
    spans = {"hour": timedelta(hours=1), "month": timedelta(days=30), "years": timedelta(days=800)}
    return {word: (datetime.now(UTC) - span).strftime("%Y-%m-%dT%H:%M:%SZ") for word, span in spans.items()}


def other_lists() -> Iterator[Calls]:
    """The API's other lists."""
    from logviewer.models import Build, Webhook

    audit, projects = "/api/v1/audit", "/api/v1/projects"
    since = moments()
    words = ("project=project1", "project=idle", "act=pin", "act=seal", *(f"since={each}" for each in since.values()))
    yield Calls("GET /audit", [audit, *(f"{audit}?{word}" for word in words)])
    several = ["project=idle&since={month}&act=pin", "project=project1&act=pin", "project=idle&since={years}&act=pin"]
    yield Calls("GET /audit of several filters", [f"{audit}?{word.format_map(since)}" for word in several])
    yield Calls("GET /audit", [audit, f"{audit}?act=pin", f"{audit}?since={since['month']}"], A_TOKEN)
    for caller in (STAFF, NOBODY, A_MEMBER):
        yield Calls("GET /projects", [projects, f"{projects}?limit=3"], caller)
    for noun in ("builders", "members", "tokens", "webhooks"):
        yield Calls(f"GET /projects/{{slug}}/{noun}", [f"{projects}/{slug}/{noun}" for slug in ("project1", "idle")])
    webhook = Webhook.objects.earliest("pk").pk
    deliveries = f"/api/v1/webhooks/{webhook}/deliveries"
    words = ("?state=waiting", "?state=given-up", "?state=delivered&limit=200")
    yield Calls("GET /webhooks/{id}/deliveries", [deliveries, *(f"{deliveries}{word}" for word in words)])
    failed = Build.objects.filter(results="failure").latest("pk").pk
    yield Calls("GET /builds/{id}, with its steps and logs", [f"/api/v1/builds/{failed}"])


def admin_lists() -> Iterator[Calls]:
    """All lists of the admin as they open; those of what is not builds or logs by their filters as well."""
    from logviewer.models import Delivery

    admin = "/admin/logviewer"
    nouns = ("project", "builder", "build", "step", "logfile", "auditentry", "token", "member", "webhook", "delivery")
    for noun in (*nouns, "job", "jobrun", "damagedlog"):
        yield Calls(f"admin: {noun} list", [f"{admin}/{noun}/"])
    yield Calls("admin: accounts", ["/admin/auth/user/", "/admin/auth/user/?q=user77", "/admin/auth/group/"])
    yield Calls(
        "admin: the last page of a list", [f"{admin}/{noun}/?p=20" for noun in ("build", "logfile", "delivery")]
    )
    words = ("state=given-up", "state=waiting", "event=logFinished", "project=idle", "project=project1&state=given-up")
    yield Calls("admin: deliveries, filters", [f"{admin}/delivery/?{word}" for word in words])
    terms = (Delivery.objects.earliest("pk").name, "msg_nothing", "project1", "nothing")
    yield Calls("admin: deliveries, search", [f"{admin}/delivery/?q={term}" for term in terms])
    words = ("valid=yes", "valid=revoked", "project=idle", "q=token+7")
    yield Calls("admin: tokens, filters", [f"{admin}/token/?{word}" for word in words])
    words = ("role=admin", "q=vera", "q=project1")
    yield Calls("admin: members, filters", [f"{admin}/member/?{word}" for word in words])
    yield Calls("admin: webhooks, filters", [f"{admin}/webhook/?{word}" for word in ("project=idle", "q=receiver3")])


def filtered_admin_lists(size: Size) -> Iterator[Calls]:
    """The admin's lists of builds, logs and acts by their filters and searches; its other pages."""
    from logviewer.models import LogFile

    admin = "/admin/logviewer"
    filters = (
        *("state=running", "state=finished", "state=abandoned", "results=success", "results=retry"),
        *("results=exception", "pinned=yes", "project=project1", "project=idle", "project=nothing", "started=1h"),
        *(
            "started=2025",
            "project=project1&results=retry",
            "project=idle&state=finished",
            "project=idle&results=failure",
        ),
        *("project=project1&results=success", "pinned=yes&results=failure", "started=30d&results=retry"),
        *("started=2025-12&state=finished", "project=project1&started=30d", "project=idle&started=2025"),
        *("pinned=yes&project=idle", "pinned=yes&started=2025", "results=failure&state=finished&started=2025-06"),
    )
    for word in filters:
        yield Calls(f"admin: builds, {word}", [f"{admin}/build/?{word}"])
    filters = (
        *("state=open", "state=finished", "state=abandoned", "form=plain", "form=unsealed", "form=sealed"),
        *("form=archived", "completeness=verified", "completeness=omitted", "completeness=abandoned", "type=html"),
        *("type=stdio", "project=project1", "project=idle", "started=1h", "started=2025", "started=2025-12-24"),
        *("o=7", "o=-7", "o=-10", "completeness=omitted&state=finished", "project=project1&form=plain"),
        *("started=30d&completeness=omitted", "type=html&completeness=verified&form=sealed", "started=30d&state=open"),
        *(
            "project=idle&state=open",
            "started=2025&type=text",
            "type=text&completeness=omitted",
            "started=30d&form=plain",
        ),
    )
    for word in filters:
        yield Calls(f"admin: logs, {word}", [f"{admin}/logfile/?{word}"])
    log = LogFile.objects.order_by("pk")[0].pk
    terms = ("1", str(size.builds), f"{BUSY}+%237", BUSY, IDLE, "project1", "idle", "nothing", "?!")
    yield Calls("admin: builds, search", [f"{admin}/build/?q={term}" for term in terms])
    yield Calls(
        "admin: logs, search", [f"{admin}/logfile/?q={term}" for term in (*terms, "made/1/2/3/4", f"made/{log}")]
    )
    yield Calls("admin: steps, filters and search", [f"{admin}/step/?{word}" for word in ("project=idle", f"q={BUSY}")])
    yield Calls("admin: builders, filters and search", [f"{admin}/builder/?{w}" for w in ("project=idle", f"q={BUSY}")])
    words = ("act=pin", "act=seal", "project=idle", "started=30d", "started=2025", "act=pin&project=idle")
    yield Calls("admin: audit log, filters", [f"{admin}/auditentry/?{word}" for word in words])
    yield Calls("admin: audit log, search", [f"{admin}/auditentry/?q={term}" for term in terms])
    yield Calls(
        "admin: a build, a log", [f"{admin}/build/{size.builds // 2}/change/", f"{admin}/logfile/{log}/change/"]
    )
    yield Calls("admin: a project", [f"{admin}/project/1/change/"])
    ids = ",".join(str(number) for number in range(1000, 1100))
    yield Calls("admin: delete 100 builds? (preview)", [f"{admin}/build/act/delete/?ids={ids}"])
    yield Calls("admin: storage", ["/admin/storage/"])
