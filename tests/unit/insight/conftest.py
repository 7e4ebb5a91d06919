import pytest

from logviewer.insight import search
from logviewer.insight.remembered import Remembered


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "remembered", Remembered())
