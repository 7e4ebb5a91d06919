"""Deleting finished builds with their logs: rows, files and audit entry, one build a transaction, SQLite, one process.

Each build has ten logs of a few lines, five errors each; half of them are sealed. The yardstick removes files of the
same number and directories of the same depth, and nothing else.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import Report, arguments, conclude

BUILDS = 200
QUICK_BUILDS = 10
LOGS_A_BUILD = 10
ERRORS_A_LOG = 5
TEXT = b"gcc -Wall -c file.c\n" * 50
MIN_LOGS_PER_SECOND = 500
YARDSTICK = "unlink and rmdir alone"


def open_django(data_dir: Path) -> None:
    """Have Django on an empty database in this directory."""
    os.environ.update(
        BUILDLOGS_DATA_DIR=str(data_dir), BUILDLOGS_DEBUG="1", DJANGO_SETTINGS_MODULE="buildlogs.settings"
    )
    import django

    django.setup(set_prefix=False)
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def make_builds(count: int) -> list[int]:
    """Make so many finished builds with their logs; their ids."""
    from django.db import transaction

    from logviewer.chunkstore import Entry
    from logviewer.live.store import chunk_store
    from logviewer.models import Annotation, Build, Builder, LogFile, Project, Step
    from logviewer.models.logfile import storage_key

    project, _ = Project.objects.get_or_create(slug="demo", defaults={"name": "demo"})
    builder, _ = Builder.objects.get_or_create(project=project, slug="linux")
    first = builder.builds.count() + 1
    store, ids = chunk_store(), []
    with transaction.atomic():
        for number in range(first, first + count):
            build = Build.objects.create(builder=builder, number=number, state="finished", results="success")
            ids.append(build.pk)
            for place in range(LOGS_A_BUILD):
                step = Step.objects.create(build=build, number=place, name=f"step {place}", slug=f"step-{place}")
                log = LogFile(step=step, name="stdio", slug="stdio", state="finished", looked_through=True)
                log.size = log.looked_bytes = len(TEXT)
                log.save()
                log.storage_key = storage_key(log)
                store.create(log.key)
                store.append(log.key, [Entry(0, TEXT, None)])
                log.text_sha256 = store.finish(log.key).text_sha256
                if place % 2:
                    log.stored_bytes, log.form = store.seal(log.key, threads=1).size_bytes, "sealed"
                log.save()
                Annotation.objects.bulk_create(
                    Annotation(log=log, line=line + 1, level="error", message="error: no")
                    for line in range(ERRORS_A_LOG)
                )
    return ids


def delete_builds(ids: list[int]) -> float:
    """Delete them; the seconds that it takes."""
    from logviewer.models import SERVER
    from logviewer.upkeep.deleting import delete_build

    start = time.perf_counter()
    for build_id in ids:
        delete_build(build_id, SERVER, "a benchmark")
    return time.perf_counter() - start


def remove_files(directory: Path, logs: int) -> float:
    """Make as many files as so many logs have, remove them with their directories; the seconds that it takes."""
    places = [directory / f"demo/linux/{number // LOGS_A_BUILD}/{number}-step" for number in range(logs)]
    for place in places:
        place.mkdir(parents=True)
        (place / "stdio.log").write_bytes(TEXT)
        (place / "stdio.idx").write_bytes(bytes(160))
    start = time.perf_counter()
    for place in places:
        (place / "stdio.log").unlink()
        (place / "stdio.idx").unlink()
        place.rmdir()
    return time.perf_counter() - start


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    count = QUICK_BUILDS if options.quick else BUILDS
    report = Report("deleting")
    with tempfile.TemporaryDirectory(prefix="buildlogs-deleting-") as directory:
        open_django(Path(directory) / "data")
        for run in range(1 if options.quick else options.runs):
            logs = count * LOGS_A_BUILD
            seconds = delete_builds(make_builds(count))
            report.add("logs deleted with their builds", logs / seconds, "/s", (">=", MIN_LOGS_PER_SECOND), YARDSTICK)
            report.add(YARDSTICK, logs / remove_files(Path(directory) / str(run), logs), "/s")
    conclude(report, options)


if __name__ == "__main__":
    main()
