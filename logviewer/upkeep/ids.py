"""Ids after a restore: those that were given out after the copy was taken are not given out again.

A writer that still has one would else write to another's log, and a new log would find the files of the one that had
its id before.
"""

from __future__ import annotations

from django.apps import apps
from django.db import connection, models, transaction


def advance_ids(by: int) -> int:
    """Have all tables of this app give out ids from `by` above the last one on; returns how many tables there are."""
    tables = [
        model._meta.db_table
        for model in apps.get_app_config("logviewer").get_models()
        if isinstance(model._meta.pk, models.AutoField)
    ]
    advance = _advance_sqlite if connection.vendor == "sqlite" else _advance_postgresql
    with transaction.atomic():
        for table in tables:
            advance(table, by)
    return len(tables)


def _advance_sqlite(table: str, by: int) -> None:
    """SQLite keeps the last id of each table that ever had a row."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sqlite_sequence SET seq = seq + %s WHERE name = %s", [by, table])
        if not cursor.rowcount:
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, by])


def _advance_postgresql(table: str, by: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [table])
        (sequence,) = cursor.fetchone()
        cursor.execute("SELECT setval(%s, nextval(%s) + %s)", [sequence, sequence, by])
