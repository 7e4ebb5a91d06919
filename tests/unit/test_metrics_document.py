"""docs/metrics.md against the registry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric

from logviewer import __version__
from logviewer.doors.metrics.collectors import site_collector
from logviewer.doors.metrics.door import registry
from logviewer.doors.metrics.site import DiskFigures, LogFigures, SiteFigures, WebhookFigures
from logviewer.doors.metrics.traffic import DOORS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "metrics.md").read_text()
ROW = re.compile(r"^\| `(?P<name>[a-z_]+)` \| (?P<type>[a-z]+) \| (?P<meaning>[^|]+) \|$", re.MULTILINE)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Metric]:
    """All that is ever told, by the name it has in the text format."""
    figures = SiteFigures(LogFigures(0, 0, {}), DiskFigures(1, 1), WebhookFigures(0, 0.0))
    monkeypatch.setattr(site_collector, "figures", figures)
    return {shown_name(family): family for family in registry.collect()}


def shown_name(family: Metric) -> str:
    suffixes = {"counter": "_total", "info": "_info"}
    return family.name + suffixes.get(family.type, "")


def test_the_table_has_all_metrics_and_no_others(told: dict[str, Metric]) -> None:
    names = [row["name"] for row in ROW.finditer(TEXT)]
    assert sorted(names) == sorted(told)


def test_the_table_says_the_right_types(told: dict[str, Metric]) -> None:
    types = {name: "gauge" if family.type == "info" else family.type for name, family in told.items()}
    assert {row["name"]: row["type"] for row in ROW.finditer(TEXT)} == types


def test_names_end_in_their_unit_and_each_has_a_help(told: dict[str, Metric]) -> None:
    own = {name: family for name, family in told.items() if name.startswith("buildlogs_")}
    assert len(own) > 20
    assert [name for name, family in own.items() if not family.documentation.endswith(".")] == []
    for name in own:
        assert not re.search(r"_(ms|mib|kb|percent)(_|$)", name)


def test_alerts_and_labels_name_what_there_is(told: dict[str, Metric]) -> None:
    series = set(told) | {f"{name}_bucket" for name in told}
    used = set(re.findall(r"\bbuildlogs_[a-z_]+", TEXT.partition("## Alerts")[2]))
    assert used
    assert used <= series
    named = TEXT.partition("`door` is one of ")[2].partition("\n")[0]
    assert set(re.findall(r"`(\w+)`", named)) == DOORS


def test_the_version_is_the_packages() -> None:
    assert f'\nversion = "{__version__}"\n' in (ROOT / "pyproject.toml").read_text()
