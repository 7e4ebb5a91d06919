"""A process that writes two logs without a pause, and does to others what it is told; DATABASE_URL names its rows.

The second one passes its limit at once. It prints the keys of these and of a third, then answers each line of its input
with one of its output.
"""

import hashlib
import os
import sys
import threading

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "buildlogs.settings")
django.setup()

from logviewer.chunkstore import NO_LIMITS, Entry, Limits  # noqa: E402 - Django first
from logviewer.intake import counters  # noqa: E402
from logviewer.intake.builds import NewBuild, create_build  # noqa: E402
from logviewer.intake.logs import create_log  # noqa: E402
from logviewer.intake.output import append_output, finish_log  # noqa: E402
from logviewer.intake.steps import create_step  # noqa: E402
from logviewer.live.store import chunk_store  # noqa: E402
from logviewer.models import LogFile  # noqa: E402

LIMITS = Limits(20_000, 10_000)


def line(number: int) -> bytes:
    return b"line %d %s\n" % (number, b"x" * (number * 37 % 300))


class Writer:
    """Writes lines to a log, by turns to stdout and stderr, until it is stopped; `received` is acknowledged."""

    def __init__(self, log: LogFile, limits: Limits) -> None:
        self.log = log
        self.limits = limits
        self.received = 0
        self.stopped = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.stopped.is_set():
            entry = Entry(number % 2, line(number))
            appended = append_output(self.log.pk, self.log.key, [entry], offset=self.received, limits=self.limits)
            self.received = appended.received
            counters.note(self.log.pk, appended.end)
            number += 1


def tell(*what: object) -> None:
    sys.stdout.write(" ".join(map(str, what)) + "\n")
    sys.stdout.flush()


def seal(log: LogFile) -> None:
    """Write more to a log, finish it, and seal it."""
    text = b"one\n" + b"two\n" * 1000
    append_output(log.pk, log.key, [Entry(0, text[4:])], offset=4)
    finish_log(log, received=len(text), sha256=hashlib.sha256(text).hexdigest(), unverified=False)
    chunk_store().seal(log.key)


def main() -> None:
    build = create_build(NewBuild("demo", "linux")).build
    step = create_step(build.pk, "compile").step
    busy, limited, sealed = (create_log(step.pk, name).log for name in ("busy", "limited", "sealed"))
    append_output(sealed.pk, sealed.key, [Entry(0, b"one\n")])
    writers = [Writer(busy, NO_LIMITS), Writer(limited, LIMITS)]
    threads = [threading.Thread(target=writer.run) for writer in writers]
    for thread in threads:
        thread.start()
    tell(busy.key, limited.key, sealed.key)
    try:
        for command in sys.stdin:
            if command == "received\n":
                tell(*(writer.received for writer in writers))
            elif command == "seal\n":
                seal(sealed)
                tell("done")
            elif command == "create\n":
                later = create_log(step.pk, "later").log
                append_output(later.pk, later.key, [Entry(0, b"after the database was copied\n")])
                tell(later.key)
    finally:
        for writer, thread in zip(writers, threads, strict=True):
            writer.stopped.set()
            thread.join()
        chunk_store().close()


if __name__ == "__main__":
    main()
