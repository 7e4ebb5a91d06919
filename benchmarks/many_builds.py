"""Pages, lists and searches over 1,000,000 builds with 10,000,000 logs: p50 and p95 of each, in milliseconds.

The rows are made by the database itself (no files: nothing measured here reads any), in a temporary SQLite file or in
the empty database of `--database`, which is left as it is: `--keep` measures one that was filled before. A few builders
have most of the builds, and one project has been idle since the first hundredth of them: its builds are the oldest of
all, which a list "newest first" must not go through all others to find. Requests are answered in this process.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import Report, arguments, conclude, percentile

PROJECTS = 50
BUILDERS_A_PROJECT = 20
BUILDERS = PROJECTS * BUILDERS_A_PROJECT
STEPS_A_BUILD = 2
RUNNING_BUILDS = 200
BUILDS_AN_ENTRY = 5  # of the audit log
SPAN_DAYS = 730
TOPICS = 5000
PRIME = 1_000_003
FACTOR = 2_654_435_761  # Knuth's: spreads neighbours
MAX_LIST_MS = 150.0
MAX_DASHBOARD_MS = 300.0
IDLE_SHARE = 100


@dataclass(frozen=True)
class Size:
    """How much there is to be."""

    builds: int
    logs: int

    @property
    def logs_a_build(self) -> int:
        return self.logs // self.builds


def fill(size: Size) -> None:
    """Make the rows, their indexes after them."""
    from django.db import connection

    from logviewer.models import AuditEntry, Build, LogFile

    models = (Build, LogFile, AuditEntry)
    with connection.schema_editor() as editor:
        for model in models:
            for index in model._meta.indexes:
                editor.remove_index(model, index)
    begin = int((datetime.now(UTC) - timedelta(days=SPAN_DAYS)).timestamp())
    pace = SPAN_DAYS * 86_400 / size.builds
    for name, statement in statements(size, begin, pace, connection.vendor):
        whole = with_defaults(statement)
        timed(name, lambda whole=whole: execute(whole))

    def add_indexes() -> None:
        for model in models:
            for index in model._meta.indexes:
                with connection.schema_editor() as editor:
                    editor.add_index(model, index)

    timed("indexes", add_indexes)
    if connection.vendor == "postgresql":
        timed("VACUUM ANALYZE", lambda: execute("VACUUM ANALYZE"))


def with_defaults(statement: str) -> str:
    """The statement with the columns that its table has beyond those that matter here, each with its default."""
    from django.apps import apps
    from django.db import connection

    found = re.match(r"INSERT INTO (\w+) \(([^)]*)\) SELECT ", statement)
    if found is None:
        return statement
    model = next(model for model in apps.get_models() if model._meta.db_table == found[1])
    named = set(found[2].split(", "))
    more = {
        field.column: field.get_db_prep_save(field.get_default(), connection)
        for field in model._meta.concrete_fields
        if field.column not in named and not field.primary_key and not field.null
    }
    begin = f"INSERT INTO {found[1]} ({', '.join([*more, found[2]])}) SELECT "
    return begin + "".join(f"{literal(value)}, " for value in more.values()) + statement[found.end() :]


def literal(value: object) -> str:
    """A number, a truth, a moment or a text as SQL."""
    if isinstance(value, bool | int | float):
        return str(value).lower()  # both databases know true and false
    return f"'{value}'"


def execute(statement: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)


def timed(name: str, do: Callable[[], object]) -> None:
    began = time.monotonic()
    do()
    print(f"  {name}: {time.monotonic() - began:.1f} s", flush=True)


def statements(size: Size, begin: int, pace: float, vendor: str) -> Iterator[tuple[str, str]]:
    """The statements that make the rows, each with what it makes; integers alone, which both databases reckon alike."""
    sqlite = vendor == "sqlite"

    def numbers(count: int) -> str:
        if sqlite:
            return (
                f"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n)"
            )
        return f"(SELECT i FROM generate_series(1::bigint, {count}) AS n(i))"

    def moment(seconds: str) -> str:
        return f"datetime({seconds}, 'unixepoch')" if sqlite else f"to_timestamp({seconds})"

    def whole(expression: str) -> str:
        return f"CAST({expression} AS INTEGER)" if sqlite else f"floor({expression})::bigint"

    def dice(number: str, salt: int) -> str:
        return f"((({number} + {salt}) * {FACTOR}) % {PRIME})"

    true, false = ("1", "0") if sqlite else ("true", "false")
    json = "'{}'" if sqlite else "'{}'::jsonb"
    now = moment(str(int(time.time())))
    text = "CAST({} AS TEXT)"
    yield (
        "projects",
        "INSERT INTO logviewer_project (id, slug, name, visibility, created_at, version) "
        f"SELECT i, CASE WHEN i = {PROJECTS} THEN 'idle' ELSE 'project' || {text.format('i')} END, 'A project', "
        f"CASE WHEN i % 2 = 0 THEN 'public' ELSE 'private' END, {now}, 1 FROM {numbers(PROJECTS)} AS n",
    )
    yield (
        "builders",
        "INSERT INTO logviewer_builder (id, project_id, slug, next_number, created_at) "
        f"SELECT i, 1 + (i - 1) / {BUILDERS_A_PROJECT}, 'builder' || {text.format('i')}, {size.builds + 1}, {now} "
        f"FROM {numbers(BUILDERS)} AS n",
    )
    roll = dice("i", 0)
    cubed = f"({BUILDERS} * (({roll} * {roll} / {PRIME}) * {roll} / {PRIME})) / {PRIME} + 1"
    idle_from = BUILDERS - BUILDERS_A_PROJECT
    started = moment(f"{begin} + {whole(f'i * {pace}')}")
    finished = moment(f"{begin} + {whole(f'i * {pace}')} + 600")
    running = f"i > {size.builds - RUNNING_BUILDS}"
    kind = dice("i", 17)
    yield (
        "builds",
        "INSERT INTO logviewer_build (id, builder_id, number, external_id, title, branch, revision, reason, "
        "origin_url, properties, state, results, started_at, finished_at, heartbeat_at, abandoned_at, "
        "ended_by_silence, pinned, version) "
        "SELECT i, builder, row_number() OVER (PARTITION BY builder ORDER BY i), NULL, 'Build of a change', "
        f"CASE WHEN {kind} % 10 < 6 THEN 'main' ELSE 'topic-' || {text.format(f'{kind} % {TOPICS}')} END, "
        f"'0123456789abcdef', 'push', '', {json}, "
        f"CASE WHEN {running} THEN 'running' ELSE 'finished' END, "
        f"CASE WHEN {running} THEN NULL WHEN {kind} < 800000 THEN 'success' WHEN {kind} < 920000 THEN 'failure' "
        f"WHEN {kind} < 970000 THEN 'warnings' WHEN {kind} < 999900 THEN 'cancelled' ELSE 'retry' END, "
        f"{started}, CASE WHEN {running} THEN NULL ELSE {finished} END, {finished}, NULL, {false}, "
        f"CASE WHEN {kind} % 1000 = 0 THEN {true} ELSE {false} END, 1 "
        f"FROM (SELECT i, CASE WHEN i > {size.builds // IDLE_SHARE} AND {cubed} > {idle_from} "
        f"THEN {cubed} - {BUILDERS_A_PROJECT} ELSE {cubed} END AS builder FROM {numbers(size.builds)} AS n) AS b",
    )
    yield (
        "steps",
        "INSERT INTO logviewer_step (id, build_id, number, name, slug, state, results, started_at, finished_at) "
        f"SELECT (b.id - 1) * {STEPS_A_BUILD} + i, b.id, i, 'step ' || {text.format('i')}, "
        f"'step-' || {text.format('i')}, b.state, b.results, b.started_at, b.finished_at "
        f"FROM logviewer_build AS b CROSS JOIN {numbers(STEPS_A_BUILD)} AS n ORDER BY b.id, i",
    )
    log = f"((b.id - 1) * {size.logs_a_build} + i)"
    size_bytes = f"(500 + ({dice(log, 3)} * {dice(log, 3)} / {PRIME}) / 2)"
    word = dice(log, 5)
    is_open = "b.state = 'running'"
    yield (
        "logs",
        "INSERT INTO logviewer_logfile (id, step_id, name, slug, type, state, size, lines, received, omitted, errors, "
        "warnings, looked_bytes, looked_through, sha256, text_sha256, completeness, form, stored_bytes, storage_key, "
        "started_at, finished_at, written_at) "
        f"SELECT {log}, (b.id - 1) * {STEPS_A_BUILD} + 1 + (i - 1) % {STEPS_A_BUILD}, 'log ' || {text.format('i')}, "
        f"'log-' || {text.format('i')}, CASE WHEN {word} % 1000 = 1 THEN 'html' WHEN {word} % 20 = 0 THEN 'text' "
        f"ELSE 'stdio' END, CASE WHEN {is_open} THEN 'open' ELSE 'finished' END, {size_bytes}, {size_bytes} / 60, "
        f"{size_bytes}, 0, 0, 0, {size_bytes}, CASE WHEN {is_open} THEN {false} ELSE {true} END, NULL, NULL, "
        f"CASE WHEN {is_open} THEN NULL WHEN {word} % 1000 = 2 THEN 'omitted' WHEN {word} % 1000 = 3 THEN 'abandoned' "
        f"WHEN {word} % 100 = 4 THEN 'unverified' ELSE 'verified' END, "
        f"CASE WHEN {is_open} THEN 'plain' ELSE 'sealed' END, CASE WHEN {is_open} THEN 0 ELSE {size_bytes} / 12 END, "
        f"'made/' || {text.format(log)}, b.started_at, b.finished_at, b.heartbeat_at "
        f"FROM logviewer_build AS b CROSS JOIN {numbers(size.logs_a_build)} AS n ORDER BY b.id, i",
    )
    yield (
        "audit log",
        "INSERT INTO logviewer_auditentry (at, act, actor, project_id, project_slug, target, build_number, log_id, "
        "reason, details) "
        f"SELECT b.started_at, CASE WHEN b.id % 100 = 0 THEN 'pin' ELSE 'delete' END, 'buildlogs', p.id, p.slug, "
        f"p.slug || '/' || r.slug || ' #' || {text.format('b.number')}, b.number, NULL, 'retention', {json} "
        "FROM logviewer_build AS b JOIN logviewer_builder AS r ON r.id = b.builder_id "
        f"JOIN logviewer_project AS p ON p.id = r.project_id WHERE b.id % {BUILDS_AN_ENTRY} = 0 "
        "ORDER BY b.id",
    )
    if not sqlite:
        for table in ("project", "builder", "build", "step", "logfile"):
            yield (
                f"ids of {table}",
                f"SELECT setval(pg_get_serial_sequence('logviewer_{table}', 'id'), max(id)) FROM logviewer_{table}",
            )


Scenario = tuple[str, list[str]]


def scenarios(size: Size) -> Iterator[Scenario]:
    """What is asked for: names with addresses, which take turns."""
    from logviewer.models import Build, LogFile

    now = datetime.now(UTC)
    busy, idle = "project1/builder1", f"idle/builder{BUILDERS - BUILDERS_A_PROJECT + 1}"
    middle = Build.objects.filter(builder__slug="builder1").order_by("number")[: size.builds][size.builds // 100]
    yield "the first page", ["/"]
    yield "a project's page", ["/p/project1/", "/p/project7/", "/p/idle/"]
    yield "a builder's page", [f"/p/{busy}/", f"/p/{idle}/", f"/p/{busy}/?before={middle.number}"]
    words = ("state=running", "results=retry", "results=success", "branch=main", "branch=topic-77", "branch=nothing")
    yield "a builder's page, filtered", [f"/p/{busy}/?{word}" for word in words]

    api = "/api/v1/builds"
    since = {
        word: (now - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        for word, days in (("hour", 1 / 24), ("month", 30), ("years", 800))
    }
    yield "GET /builds", [api, f"{api}?limit=200"]
    yield (
        "GET /builds, of nobody",
        [api, f"{api}?state=finished", f"{api}?results=retry", f"{api}?since={since['hour']}"],
    )
    yield "GET /builds?project=", [f"{api}?project={slug}" for slug in ("project1", "project7", "idle", "nothing")]
    yield "GET /builds?project=&builder=", [f"{api}?project={each.replace('/', '&builder=')}" for each in (busy, idle)]
    yield "GET /builds?builder=", [f"{api}?builder={each.partition('/')[2]}" for each in (busy, idle)]
    yield "GET /builds?state=", [f"{api}?state={word}" for word in ("running", "abandoned", "finished")]
    yield "GET /builds?results=", [f"{api}?results={word}" for word in ("success", "failure", "retry", "exception")]
    yield "GET /builds?branch=", [f"{api}?branch={word}" for word in ("main", "topic-77", "nothing")]
    yield "GET /builds?since=", [f"{api}?since={moment}" for moment in since.values()]
    yield (
        "GET /builds of several filters",
        [
            f"{api}?project=project1&results=retry",
            f"{api}?project=project1&results=success&state=finished",
            f"{api}?project=idle&results=failure",
            f"{api}?project=project1&branch=topic-77",
            f"{api}?branch=topic-77&results=success&state=finished",
            f"{api}?results=retry&since={since['hour']}",
            f"{api}?project=idle&since={since['hour']}",
            f"{api}?project=idle&since={since['years']}&state=finished",
        ],
    )
    audit = "/api/v1/audit"
    yield (
        "GET /audit",
        [
            audit,
            *(f"{audit}?{word}" for word in ("project=project1", "project=idle", "act=pin", "act=seal")),
            *(f"{audit}?since={moment}" for moment in since.values()),
            f"{audit}?project=idle&since={since['month']}&act=pin",
        ],
    )

    admin = "/admin/logviewer"
    for noun in ("project", "builder", "build", "step", "logfile", "token", "auditentry"):
        yield f"admin: {noun} list", [f"{admin}/{noun}/"]
    yield "admin: the last page of a list", [f"{admin}/build/?p=20", f"{admin}/logfile/?p=20"]
    filters = (
        *(
            "state=running",
            "state=finished",
            "state=abandoned",
            "results=success",
            "results=retry",
            "results=exception",
        ),
        *("pinned=yes", "project=project1", "project=idle", "project=nothing", "started=1h", "started=2025"),
        *("project=project1&results=retry", "project=idle&state=finished", "project=project1&results=success"),
        *("pinned=yes&results=failure", "started=30d&results=retry", "started=2025-12&state=finished"),
        "project=project1&started=30d",
    )
    for word in filters:
        yield f"admin: builds, {word}", [f"{admin}/build/?{word}"]
    filters = (
        *("state=open", "state=finished", "state=abandoned", "form=plain", "form=unsealed", "form=sealed"),
        *("form=archived", "completeness=verified", "completeness=omitted", "completeness=abandoned", "type=html"),
        *("type=stdio", "project=project1", "project=idle", "started=1h", "started=2025", "started=2025-12-24"),
        *("o=7", "o=-7", "o=-10", "completeness=omitted&state=finished", "project=project1&form=plain"),
        *("started=30d&completeness=omitted", "type=html&completeness=verified&form=sealed", "started=30d&state=open"),
    )
    for word in filters:
        yield f"admin: logs, {word}", [f"{admin}/logfile/?{word}"]
    log = LogFile.objects.order_by("pk")[0].pk
    terms = ("1", str(size.builds), f"{busy} #7".replace(" #", "+%23"), busy, idle, "project1", "idle", "nothing", "?!")
    yield "admin: builds, search", [f"{admin}/build/?q={term}" for term in terms]
    yield "admin: logs, search", [f"{admin}/logfile/?q={term}" for term in (*terms, "made/1/2/3/4", f"made/{log}")]
    yield (
        "admin: audit log, filters",
        [
            f"{admin}/auditentry/?{word}"
            for word in ("act=pin", "act=seal", "project=idle", "started=30d", "started=2025")
        ],
    )
    yield "admin: audit log, search", [f"{admin}/auditentry/?q={term}" for term in terms]
    yield "admin: a build, a log", [f"{admin}/build/{size.builds // 2}/change/", f"{admin}/logfile/{log}/change/"]
    ids = ",".join(str(number) for number in range(1000, 1100))
    yield "admin: delete 100 builds? (preview)", [f"{admin}/build/act/delete/?ids={ids}"]
    yield "admin: storage", ["/admin/storage/"]


def measure(report: Report, size: Size, times: int) -> None:
    """Ask for everything, each so many times after once that does not count."""
    from django.contrib.auth.models import User
    from django.test import Client

    user, _ = User.objects.get_or_create(username="ada", defaults={"is_staff": True, "is_superuser": True})
    staff = Client()
    staff.force_login(user)
    nobody = Client()
    for name, addresses in scenarios(size):
        client = nobody if name.endswith("of nobody") else staff
        for address in addresses:
            answer = client.get(address)
            if answer.status_code not in (200, 404):
                raise SystemExit(f"{address}: {answer.status_code} {answer.content[:300]!r}")
        took = sorted(milliseconds(client, address) for address in islice(cycle(addresses), max(times, len(addresses))))
        goal = MAX_DASHBOARD_MS if name == "admin: storage" else MAX_LIST_MS
        report.add(f"{name}, p50", percentile(took, 50), "ms")
        report.add(f"{name}, p95", percentile(took, 95), "ms", ("<=", goal))


def milliseconds(client: Any, address: str) -> float:
    began = time.perf_counter()
    client.get(address).close()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--builds", type=int, default=1_000_000)
    parser.add_argument("--logs", type=int, default=10_000_000)
    parser.add_argument("--database", metavar="URL", help="an empty database; by default a temporary SQLite file")
    parser.add_argument("--keep", action="store_true", help="the database is filled already, with as many rows")
    parser.add_argument("--times", type=int, default=20, help="requests of each kind (default: %(default)s)")
    options = parser.parse_args()
    size = Size(2000, 20_000) if options.quick else Size(options.builds, options.logs)
    times = 2 if options.quick else options.times
    with tempfile.TemporaryDirectory(prefix="many-builds-") as directory:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "buildlogs.settings",
            "DATABASE_URL": options.database or f"sqlite:///{directory}/many.sqlite3",
            "BUILDLOGS_DATA_DIR": directory,
            "BUILDLOGS_SECRET_KEY": "of no use outside of this measurement " * 2,
            "BUILDLOGS_ALLOWED_HOSTS": "testserver",
            "BUILDLOGS_UPKEEP_IN_SERVER": "0",
            "BUILDLOGS_INSIGHT_IN_SERVER": "0",
        }
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        from logviewer.upkeep.survey import survey_now

        call_command("migrate", verbosity=0)
        report = Report(f"many_builds_{connection.vendor}")
        if not options.keep:
            fill(size)
        began = time.monotonic()
        survey_now()
        report.add("a survey of all logs, in slices", time.monotonic() - began, "s")
        measure(report, size, times)
        conclude(report, options)


if __name__ == "__main__":
    main()
