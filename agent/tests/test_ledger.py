"""What one machine's agents know of each other."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from buildlogs_agent.ledger import BuildEntry, Ledger, LogEntry, open_ledger


def test_a_build_is_kept_as_long_as_its_keeper_lives(tmp_path: Path) -> None:
    keeper = open_ledger(tmp_path)
    keeper.keep_build("7")
    assert Ledger(tmp_path).is_kept("7")


def test_what_an_agent_left_that_ended_while_it_wrote_goes_with_the_build(tmp_path: Path) -> None:
    ledger, kept = open_ledger(tmp_path), BuildEntry("7", 7)
    ledger.save_build(BuildEntry("77", 77))
    ledger.save_build(kept)
    script = (
        "import os, pathlib, sys\nfrom buildlogs_agent import ledger\nledger.json.dump = lambda *_: os._exit(0)\n"
        "ledger.Ledger(pathlib.Path(sys.argv[1])).save_build(ledger.BuildEntry(sys.argv[2], 7))"
    )
    for reference in ("7", "77"):
        subprocess.run([sys.executable, "-c", script, str(tmp_path), reference], check=True)
    assert len(list((tmp_path / "builds").iterdir())) == 4
    assert ledger.forget_build("7")
    left = [path.name for path in (tmp_path / "builds").iterdir()]
    assert len(left) == 2
    assert all(name.lstrip(".").startswith("77-") for name in left)


def test_steps_that_ask_after_a_dead_keeper_do_not_pass_for_it(tmp_path: Path) -> None:
    keeper = open_ledger(tmp_path)
    keeper.keep_build("7")
    for descriptor in keeper._locks:  # what the kernel does when the process dies
        os.close(descriptor)
    first, second = Ledger(tmp_path), Ledger(tmp_path)
    assert not first.is_kept("7")
    assert not second.is_kept("7")


def test_a_keeper_that_cannot_be_looked_at_keeps_nothing(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger._build_path("7", "keeper").mkdir()
    assert not ledger.is_kept("7")


def test_a_counter_of_steps_that_a_crash_tore_begins_anew(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger._build_path("7", "steps").write_bytes(b"\0\xff\0")
    assert [ledger.next_step_number("7"), ledger.next_step_number("7")] == [1, 2]


def test_a_reference_of_any_bytes_has_a_file_name(tmp_path: Path) -> None:
    assert not open_ledger(tmp_path).is_kept("\udcff/../..")


def test_a_machine_without_a_temporary_directory_has_a_spool_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert open_ledger(tmp_path).directory == tmp_path


def test_without_any_home_the_spool_is_in_the_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "~no-such-user-anywhere")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert open_ledger(None).directory.parent == tmp_path


def test_a_write_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    ledger = open_ledger(tmp_path)
    monkeypatch.setattr(json, "dump", full)
    with pytest.raises(OSError, match="No space left"):
        ledger.save_build(BuildEntry("pending:1"))
    assert list((tmp_path / "builds").iterdir()) == []


def open_below(directory: Path) -> list[str]:
    """The files there that this process has open; what other tests left open may go at any time."""
    names = []
    for descriptor in Path("/dev/fd").iterdir():
        with suppress(OSError):  # that of the listing itself
            names.append(str(descriptor.readlink()))
    return sorted(name for name in names if name.startswith(f"{directory}/"))


def test_logs_that_were_left_take_no_descriptors_until_their_turn(tmp_path: Path) -> None:
    dead = open_ledger(tmp_path)
    for number in range(30):
        path = dead.new_log()
        dead.save_log(path, LogEntry("http://server", "7", f"step {number}", number, results="success"))
    for descriptor in dead._locks[:20]:  # what the kernel does when a process dies
        os.close(descriptor)
    ledger, before = Ledger(tmp_path), open_below(tmp_path)
    left = ledger.left_logs("http://server", pytest.fail)
    assert (len(left.logs), len(left.in_work)) == (20, 10)
    assert len(before) >= 10
    assert open_below(tmp_path) == before
    with ledger.locked(left.logs[0][0]) as held, Ledger(tmp_path).locked(left.logs[0][0]) as held_twice:
        assert (held, held_twice) == (True, False)
