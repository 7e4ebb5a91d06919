"""What one machine's agents know of each other."""

from __future__ import annotations

import os
from pathlib import Path

from buildlogs_agent.ledger import Ledger, open_ledger


def test_a_build_is_kept_as_long_as_its_keeper_lives(tmp_path: Path) -> None:
    keeper = open_ledger(tmp_path)
    keeper.keep_build("7")
    assert Ledger(tmp_path).is_kept("7")


def test_steps_that_ask_after_a_dead_keeper_do_not_pass_for_it(tmp_path: Path) -> None:
    keeper = open_ledger(tmp_path)
    keeper.keep_build("7")
    for descriptor in keeper._locks:  # what the kernel does when the process dies
        os.close(descriptor)
    first, second = Ledger(tmp_path), Ledger(tmp_path)
    assert not first.is_kept("7")
    assert not second.is_kept("7")
