"""The rows of `many_builds.py`: builds with their steps and logs, and their audit log, made by the database itself.

A few builders have most of the builds, and one project has been idle since the first hundredth of them: its builds are
the oldest of all, which a list "newest first" must not go through all others to find.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

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


def analyse() -> None:
    """Have PostgreSQL look at what there is, as its autovacuum would soon; SQLite is not asked to by anybody."""
    from django.db import connection

    if connection.vendor == "postgresql":
        timed("VACUUM ANALYZE", lambda: execute("VACUUM ANALYZE"))


def with_defaults(statement: str) -> str:
    """The statement with the columns that its table has beyond those that matter here, each with its default."""
    from django.apps import apps

    found = re.match(r"INSERT INTO (\w+) \(([^)]*)\) SELECT ", statement)
    if found is None:
        return statement
    model = next(model for model in apps.get_models() if model._meta.db_table == found[1])
    more = other_columns(model, found[2].split(", "))
    begin = f"INSERT INTO {found[1]} ({', '.join([*more, found[2]])}) SELECT "
    return begin + "".join(f"{value}, " for value in more.values()) + statement[found.end() :]


def other_columns(model: Any, named: Iterable[str]) -> dict[str, str]:
    """The columns of a model's table that are not named and may not be null, each with its default as SQL."""
    from django.db import connection

    return {
        field.column: literal(field.get_db_prep_save(field.get_default(), connection))
        for field in model._meta.concrete_fields
        if field.column not in named and not field.primary_key and not field.null
    }


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
