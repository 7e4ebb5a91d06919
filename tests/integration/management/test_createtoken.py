"""manage.py createtoken."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from logviewer.models import Project, Token, Visibility
from tests.factories import make_project
from tests.integration.api.client import ApiClient

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.django_db


def createtoken(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command printed, after checking that it is one word on one line."""
    call_command("createtoken", *arguments)
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.count("\n") == 1
    assert printed.out.split() == [printed.out.rstrip("\n")]
    return printed.out.rstrip("\n")


def test_without_a_project_the_token_creates_projects(capsys: pytest.CaptureFixture[str]) -> None:
    text = createtoken(capsys, "ci")
    assert ApiClient(text).post("/builds", {"project": "new", "builder": "linux"}).status == 201
    assert Token.objects.get().scopes == ["write", "read"]


def test_only_the_hash_of_the_token_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    text = createtoken(capsys, "ci")
    assert text not in str(Token.objects.values_list())


def test_with_a_project_the_token_is_for_that_one_only(capsys: pytest.CaptureFixture[str]) -> None:
    make_project("demo")
    client = ApiClient(createtoken(capsys, "ci", "--project", "demo"))
    assert client.post("/builds", {"project": "demo", "builder": "linux"}).status == 201
    assert client.post("/builds", {"project": "other", "builder": "linux"}).status == 403


def test_a_project_that_is_not_there_yet_is_made_private(capsys: pytest.CaptureFixture[str]) -> None:
    createtoken(capsys, "ci", "--project", "new")
    assert Project.objects.get().visibility == Visibility.PRIVATE


def test_scopes_and_expiry_are_as_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    createtoken(capsys, "reader", "--scopes", "read, admin,read", "--expires", "30")
    token = Token.objects.get()
    assert (token.name, token.scopes) == ("reader", ["read", "admin"])
    assert token.expires_at is not None
    assert abs(token.expires_at - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "arguments",
    [
        ["ci", "--scopes", "everything"],
        ["ci", "--scopes", ""],
        ["ci", "--project", "Not a slug"],
        ["ci", "--project", "new", "--scopes", "wrong"],
        ["ci", "--expires", "0"],
        ["ci", "--expires", "1000000000"],
        ["ci", "--expires", "soon"],
        [""],
        ["x" * 201],
        [],
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_and_nothing_is_stored(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(CommandError):
        call_command("createtoken", *arguments)
    assert capsys.readouterr().out == ""
    assert not Token.objects.exists()
    assert not Project.objects.exists()


def test_as_a_command_it_prints_the_token_and_nothing_else(tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("BUILDLOGS_", "DJANGO_"))},
        "BUILDLOGS_DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'b.sqlite3'}",
    }

    def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert manage("migrate", "--verbosity", "0").returncode == 0
    done = manage("createtoken", "ci")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("bl_")
    refused = manage("createtoken", "ci", "--scopes", "wrong")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.count("\n") == 1
