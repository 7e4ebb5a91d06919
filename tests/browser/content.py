"""Something of everything: days of history, a build that failed, one that runs, and one whose every word is hostile."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from tests.acceptance.client import entry
from tests.browser.site import PUBLIC, Site

BUILDER = "linux-gcc"
HOSTILE_BUILDER = "a" * 63
HOSTILE_TITLE = "<script>alert(1)</script> \"'&amp; \u202efdp.exe https://example.org/" + "x" * 350
HOSTILE_STEP = "<b>bold</b> " + "w" * 180
HOSTILE_LOG = (
    b"<img src=x onerror=alert(1)><script>alert(1)</script>\n"
    b"\x1b]0;title\x07\x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07 \x00 \x1b[2J\x9b31m\n"
    + "if access == \u202e\u2066// admin\u2069 \u2066user: \ufeffyes\n".encode()
    + b"\xff\xfe not UTF-8 \xc3\n"
    + b"x" * 30_000
    + b"\n"
)
LIMITED_BUILDER, DAMAGED_BUILDER, SILENT_BUILDER = "limited", "damaged", "silent"
HTML_BUILDER = "html"
HTML_LOG = (
    b"<!doctype html><title>Coverage</title><style>td { padding: 4px 12px }</style><h1>Coverage</h1>"
    b"<table><tr><td>chunkstore<td>97 %<tr><td>doors<td>94 %</table>"
)
LINES = b"".join(b"object %04d of the link\n" % number for number in range(1, 1001))
HISTORY = "sssswssssssfffsssssscsswsssssfsss"  # the results of the builds before those of the agent, oldest first
FAILED, RUNNING = len(HISTORY) + 1, len(HISTORY) + 2
LONG_BUILDER, MANY_BUILDER, EMPTY_BUILDER = "long", "many-steps", "empty"
LONG_LINES, LONG_ERROR = 300_000, 299_123
STEPS, FAILED_STEP = 2_000, 1_234
ADMIN = "ada"
PASSWORD = "only for the time of a screenshot"
BUILD_SECONDS = 90
MAX_CHUNK_BYTES = 1_000_000

_RESULTS = {"s": "success", "f": "failure", "w": "warnings", "c": "cancelled"}
_TITLES = (
    "Seal a log's last extent when the writer is gone",
    "Say which variable is wrong, in one line",
    "Read the index from its end: opening a log costs the same at any size",
    "Let a slow viewer fall behind on its own",
    "Merge branch 'retention'",
    "Take 4096 runs in a frame",
)

# Real commands, each a moment long.
_PASSING = r"""
export PYTEST="python -m pytest --color=yes -v -c /dev/null --rootdir . -p no:cacheprovider"
export PYTEST_ADDOPTS="-p no:django -p no:playwright -p no:asyncio"
$BUILDLOGS step environment -- bash -c 'python -VV; uname -sm; df -h /'
$BUILDLOGS step compile -- python -m compileall -f agent logviewer/models logviewer/live
$BUILDLOGS step unit-tests -- $PYTEST agent/tests/test_wire.py
"""
# Fails, for it checks a deployment without HTTPS.
_FAILING_STEP = r"""
export BUILDLOGS_HTTPS=0 BUILDLOGS_DATA_DIR=$(mktemp -d)
$BUILDLOGS step deploy-check -- python manage.py check --deploy --fail-level WARNING --force-color; code=$?
rm -r "$BUILDLOGS_DATA_DIR"; exit $code
"""
# Goes on until its input ends.
_RUNNING_STEP = r"""
$BUILDLOGS step agent-tests -- bash -c \
    '$PYTEST agent/tests/test_lines.py agent/tests/test_configuration.py </dev/null; cat'
"""
_ADD_ADMIN = f"""
from django.contrib.auth.models import User
User.objects.create_superuser({ADMIN!r}, password={PASSWORD!r})
"""
_LIMIT = f"""
from logviewer.models import Project
Project.objects.filter(slug={PUBLIC!r}).update(max_log_bytes={{size}}, max_tail_bytes={{tail}})
"""
# What the API wrote within a second becomes some days of history: the times are moved, nothing else.
_MOVE_INTO_THE_PAST = f"""
import random
from datetime import timedelta
from django.utils import timezone
from logviewer.models import Build, LogFile, Step
chance = random.Random(1)
moment = timezone.now() - timedelta(minutes=25)
for build in Build.objects.filter(builder__project__slug={PUBLIC!r}).order_by("-number", "builder"):
    took = timedelta(seconds=chance.gauss(14, 2) * (0.4 if build.results == "failure" else 1))
    times = dict(started_at=moment - took, finished_at=moment)
    Build.objects.filter(pk=build.pk).update(**times)
    Step.objects.filter(build=build).update(**times)
    LogFile.objects.filter(step__build=build).update(**times)
    moment -= timedelta(minutes=chance.randint(12, 260))
"""
# Steps as no build machine writes them within a second, and builds that have nothing to show yet, or ever.
_ADD_STEPS = f"""
from datetime import timedelta
from django.utils import timezone
from logviewer.models import Build, Builder, Step
now = timezone.now()
builders = Builder.objects.filter(project__slug={PUBLIC!r})
build = Build.objects.get(builder=builders.get(slug={MANY_BUILDER!r}))
began = now - timedelta(seconds=2 * {STEPS})
Build.objects.filter(pk=build.pk).update(state="finished", results="failure", started_at=began, finished_at=now)
Step.objects.bulk_create(
    Step(build=build, number=n, name=f"test {{n:04}}", slug=f"test-{{n:04}}", state="finished",
         results="failure" if n in ({FAILED_STEP}, 1300) else "skipped" if n % 7 == 0 else "success",
         started_at=began + timedelta(seconds=2 * n - 2), finished_at=began + timedelta(seconds=2 * n))
    for n in range(1, {STEPS} + 1)
)
ended = Build.objects.filter(builder=builders.get(slug={EMPTY_BUILDER!r}), number=3)
ended.update(state="finished", results="cancelled", finished_at=now)
"""
# The writer of both builds was heard two hours ago; of the first one, yesterday's, nobody expects anything any more.
_FALL_SILENT = f"""
from datetime import timedelta
from django.utils import timezone
from logviewer.intake.silence import abandon_build, end_abandoned_build
from logviewer.models import Build, LogFile, Step
now = timezone.now()
for ago, build in zip((26, 2), Build.objects.filter(builder__slug={SILENT_BUILDER!r}).order_by("pk")):
    heard, began = now - timedelta(hours=ago), now - timedelta(hours=ago, minutes=8)
    Build.objects.filter(pk=build.pk).update(started_at=began, heartbeat_at=heard)
    Step.objects.filter(build=build).update(started_at=began)
    Step.objects.filter(build=build, results="success").update(finished_at=began + timedelta(minutes=2))
    LogFile.objects.filter(step__build=build).update(started_at=began, written_at=heard)
    abandon_build(build.pk, now)
    if ago > 24:
        end_abandoned_build(build.pk, now)
"""


@contextmanager
def filled(site: Site) -> Iterator[None]:
    """Fill the site; a build runs as long as the context is open."""
    site.add_projects()
    site.run(_ADD_ADMIN)
    add_history(site, BUILDER, HISTORY)
    add_history(site, "macos-clang", HISTORY[:7])
    site.run(_MOVE_INTO_THE_PAST)
    add_long(site)
    _add_steps(site)
    add_hostile(site)
    _add_limited(site)
    _add_damaged(site)
    add_html(site)
    add_silent(site)
    failed = _begin(site, _PASSING + _FAILING_STEP, "Check what a deployment needs")
    failed.communicate(timeout=BUILD_SECONDS)
    assert failed.returncode != 0
    running = _begin(site, _PASSING + _RUNNING_STEP, "Follow the end of a log without polling")
    assert running.stdout is not None
    summaries = (line for line in running.stdout if b" passed" in line)
    assert len(list(islice(summaries, 2))) == 2, "two steps run pytest; the second one is still there after it"
    try:
        yield
    finally:
        running.communicate(timeout=BUILD_SECONDS)


def _add_limited(site: Site) -> None:
    """Add a log of which only head and tail are kept."""
    site.run(_LIMIT.format(size=400, tail=200))
    about = {"builder": LIMITED_BUILDER, "title": "Print more than anybody reads"}
    _add_build(site, about, "success", ["stdio"], LINES)
    site.run(_LIMIT.format(size=None, tail=None))


def add_html(site: Site, text: bytes = HTML_LOG) -> str:
    """Add a build whose log is a document; returns the log's address."""
    about = {"builder": HTML_BUILDER, "title": "Measure what the tests reach"}
    return f"{_add_build(site, about, 'success', ['page'], text, kind='html')}compile/page/"


def _add_damaged(site: Site) -> None:
    """Add a sealed log whose second half a disk has lost."""
    about = {"builder": DAMAGED_BUILDER, "title": "Outlive a disk"}
    _add_build(site, about, "success", ["stdio"], LINES * 30)
    site.server.manage("upkeep")
    (sealed,) = site.server.data_dir.glob(f"logs/{PUBLIC}/{DAMAGED_BUILDER}/**/*.zst")
    data = bytearray(sealed.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    sealed.write_bytes(data)


def add_silent(site: Site) -> None:
    """Add two builds whose writer went silent: one that was finished for it, and one that may still go on."""
    for title in _TITLES[:2]:
        build = site.writer.post("/builds", {"project": PUBLIC, "builder": SILENT_BUILDER, "title": title})
        done = site.writer.post(f"/builds/{build['id']}/steps", {"name": "configure"})
        site.writer.post(f"/steps/{done['id']}/finish", {"results": "success"})
        step = site.writer.post(f"/builds/{build['id']}/steps", {"name": "link"})
        log = site.writer.post(f"/steps/{step['id']}/logs", {"name": "stdio"})
        assert site.writer.chunks(log["id"], entry(0, LINES)).status_code == 200
    site.run(_FALL_SILENT)


def long_log() -> bytes:
    """300,000 lines of a compiler and its tests, in groups; one of them, late, says what failed."""
    lines = []
    for number in range(1, LONG_LINES + 1):
        if number == LONG_ERROR:
            lines.append(b"src/store/archive.c:418:17: error: implicit declaration of function 'seal_extent'")
        elif number % 5_000 == 1:
            lines.append(b"::group::component %d" % (number // 5_000))
        elif number % 5_000 == 0:
            lines.append(b"::endgroup::")
        else:
            lines.append(
                b"[%6d/%d] cc -O2 -c src/unit_%06d.c -o build/unit_%06d.o" % ((number, LONG_LINES, number, number))
            )
    return b"\n".join(lines) + b"\n"


def add_long(site: Site) -> str:
    """Add a build with 300,000 lines that fails on one; returns its address."""
    about = {"builder": LONG_BUILDER, "title": "Link everything in one go", "branch": "main"}
    return _add_build(site, about, "failure", ["stdio"], long_log())


def _add_steps(site: Site) -> None:
    """Add a build of 2000 steps, one without any, one whose step wrote nothing, and one that ended without a step."""
    site.writer.post("/builds", {"project": PUBLIC, "builder": MANY_BUILDER, "title": "Test each case alone"})
    builds = [site.writer.post("/builds", {"project": PUBLIC, "builder": EMPTY_BUILDER}) for _ in range(3)]
    site.writer.post(f"/builds/{builds[1]['id']}/steps", {"name": "compile"})
    site.run(_ADD_STEPS)


def _begin(site: Site, script: str, title: str) -> subprocess.Popen[bytes]:
    about = ("--title", title, "--branch", "main", "--revision", "9e3779b97f4a7c15f39cc0605cedc8341082276b")
    origin = ("--url", "https://example.org/changes/4172", "--reason", "push")
    return site.start_agent("build", "--builder", BUILDER, *about, *origin, "--", "bash", "-c", script)


def add_history(site: Site, builder: str, history: str) -> None:
    """Add builds with these results, a letter each."""
    for place, letter in enumerate(history):
        about = {"title": _TITLES[place % len(_TITLES)], "branch": "main" if place % 5 else "retention"}
        revision = f"{(place + 1) * 0x9E3779B97F4A7C15 % 2**160:040x}"[::-1]
        _add_build(site, {"builder": builder, "revision": revision, **about}, _RESULTS[letter], ["stdio"], b"done\n")


def add_hostile(site: Site) -> str:
    """Add a build whose names and log are made to break pages; returns its address."""
    about = {
        "builder": HOSTILE_BUILDER,
        "title": HOSTILE_TITLE,
        "branch": "b" * 200,
        "revision": "r" * 200,
        "reason": "<i>" + "y" * 400,
        "properties": {"k" * 100: "v" * 2000},
    }
    return _add_build(site, about, "failure", ["stdio", "l" * 150, "<u>"], HOSTILE_LOG, step=HOSTILE_STEP)


def _add_build(
    site: Site,
    about: dict[str, object],
    results: str,
    logs: list[str],
    text: bytes,
    step: str = "compile",
    kind: str = "stdio",
) -> str:
    post = site.writer.post
    build = post("/builds", {"project": PUBLIC, **about})
    begun = post(f"/builds/{build['id']}/steps", {"name": step})
    for name in logs:
        log = post(f"/steps/{begun['id']}/logs", {"name": name, "type": kind})
        for start in range(0, max(1, len(text)), MAX_CHUNK_BYTES):
            piece = entry(0, text[start : start + MAX_CHUNK_BYTES])
            assert site.writer.chunks(log["id"], piece).status_code == 200
        assert site.writer.finish(log["id"]).status_code == 200
    post(f"/steps/{begun['id']}/finish", {"results": results})
    post(f"/builds/{build['id']}/finish", {"results": results})
    return str(build["url"])
