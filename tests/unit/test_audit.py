"""script/audit: what it makes of pip-audit's answers. Asking pypi.org itself is not a test's business."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
VULNERABLE = {
    "dependencies": [
        {"name": "sound", "version": "1.0", "vulns": []},
        {"name": "weak", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": []}]},
        {"name": "unheard", "skip_reason": "not on PyPI"},
    ]
}
SOUND = {"dependencies": VULNERABLE["dependencies"][:1]}
CONNECTION = "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose .venv is filled as far as the script can tell."""
    shutil.copytree(ROOT / "script", tmp_path / "script")
    (tmp_path / "script" / "_venv.sh").write_text('VENV="$ROOT/.venv"\nensure_venv() { :; }\nfail() { exit 1; }\n')
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    python = binaries / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return tmp_path


def audit(
    checkout: Path, report: Any, *arguments: str, said: str = "", code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run it with a pip-audit that reports so."""
    command = checkout / "pip-audit"
    (checkout / "report").write_text(report if isinstance(report, str) else json.dumps(report))
    command.write_text(
        '#!/bin/bash\nwhile [ $# -gt 0 ]; do [ "$1" = --output ] && out=$2; [ "$1" = -r ] && list=$2; shift; done\n'
        f'grep -q "^Django==" "$list" || exit 9\n[ -s "{checkout}/report" ] && cp "{checkout}/report" "$out"\n'
        f"echo {json.dumps(said)} >&2\nexit {code}\n"
    )
    command.chmod(0o755)
    return subprocess.run(
        ["bash", str(checkout / "script" / "audit"), *arguments],
        env={"PATH": os.environ["PATH"], "PIP_AUDIT": str(command)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_nothing_known_is_0(checkout: Path) -> None:
    done = audit(checkout, SOUND)
    assert (done.returncode, done.stdout) == (0, "1 packages audited, 0 vulnerabilities known\n")


def test_a_vulnerability_is_1_and_named_with_what_mends_it(checkout: Path) -> None:
    done = audit(checkout, VULNERABLE, code=1)
    assert done.returncode == 1
    assert "weak 2.0: PYSEC-1; mended in: 2.1\n" in done.stdout
    assert "not known to pip-audit: unheard\n" in done.stdout


@pytest.mark.parametrize("report", ["", "{", "[]", {"dependencies": []}])
def test_without_an_answer_it_says_that_nothing_was_audited_and_what_to_do(checkout: Path, report: Any) -> None:
    done = audit(checkout, report, said=CONNECTION, code=1)
    assert done.returncode == 3
    assert "NOT AUDITED" in done.stderr
    assert CONNECTION in done.stderr
    assert "--list > installed.txt" in done.stderr


def test_where_no_package_is_known_nothing_was_audited(checkout: Path) -> None:
    """As behind a mirror that has packages but no records of them: pip-audit itself ends with 0 then."""
    done = audit(checkout, {"dependencies": VULNERABLE["dependencies"][2:]})
    assert done.returncode == 3
    assert "NOT AUDITED: pip-audit found no records of any package" in done.stderr


def test_wrong_arguments_are_2(checkout: Path) -> None:
    assert audit(checkout, SOUND, "--nonsense").returncode == 2
