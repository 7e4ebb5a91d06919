"""A server's /metrics as Prometheus would read them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.server import Server

WAIT_SECONDS = 10
POLL_SECONDS = 0.05


@dataclass
class Metrics:
    """One scrape."""

    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def __call__(self, name: str, **labels: str) -> float:
        """The sample of that name and exactly these labels; 0 where there is none."""
        return self.samples.get((name, frozenset(labels.items())), 0.0)


def scrape(server: Server, token: str) -> Metrics:
    """Ask the server."""
    answer = httpx.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert answer.status_code == 200, answer.text
    return Metrics(
        {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }
    )


def scrape_until(
    server: Server, token: str, condition: Callable[[Metrics], object], seconds: float = WAIT_SECONDS
) -> Metrics:
    """Ask until the condition holds; fails where it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition(metrics := scrape(server, token)):
        assert time.monotonic() < deadline, sorted(metrics.samples.items(), key=str)
        time.sleep(POLL_SECONDS)
    return metrics
