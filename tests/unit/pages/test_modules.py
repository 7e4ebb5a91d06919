"""Which modules a script needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from logviewer.pages.modules import modules_of

JS = Path(__file__).resolve().parents[3] / "static/logviewer/js"


def test_all_modules_behind_a_script_are_named_once() -> None:
    names = modules_of("log-page.js")
    assert len(set(names)) == len(names)
    assert {"logviewer/js/log-viewer.js", "logviewer/js/sgr.js", "logviewer/js/features.js"} <= set(names)
    assert "logviewer/js/log-page.js" not in names


def test_an_import_over_several_lines_counts_and_no_import_is_missed() -> None:
    names = {name.rpartition("/")[2] for name in modules_of("build.js")} | {"build.js"}
    imported = {found for name in names for found in re.findall(r'from "\./([\w-]+\.js)"', (JS / name).read_text())}
    assert imported <= names


def test_a_script_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError, match="no-such"):
        modules_of("no-such.js")
