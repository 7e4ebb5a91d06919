"""What is told about this process: collectors that read, at the moment of the scrape, what is counted elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from logviewer import __version__
from logviewer.doors.metrics.loop_lag import lateness
from logviewer.doors.metrics.site import JobFigures, SiteFigures
from logviewer.doors.metrics.traffic import OTHER, SOCKETS, VIEWERS, Traffic, traffic
from logviewer.live import chunk_store
from logviewer.live.announce import announcer
from logviewer.live.hub import all_hubs
from logviewer.live.threads import Occupancy, reading, writing
from logviewer.webhooks.background import RESULTS, results


class TrafficCollector(Collector):
    """Requests, sockets, and the bytes that went out."""

    def __init__(self, counts: Traffic) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        counts = self._counts
        responses = CounterMetricFamily(
            "buildlogs_http_requests",
            "HTTP requests by door, method and class of the answer (none: the client had gone before it).",
            labels=["door", "method", "code"],
        )
        for (door, method, code), count in counts.responses.items():
            responses.add_metric([door, method, code], count)
        yield responses
        yield _gauge("buildlogs_http_requests_open", "HTTP requests under way now.", counts.requests_open)
        yield _counter_by(
            "buildlogs_http_sent_bytes",
            "Bytes of HTTP bodies sent, by door (raw, chunks and zip are downloads).",
            "door",
            counts.response_bytes.items(),
        )
        yield _gauge_by(
            "buildlogs_viewers",
            "WebSockets of viewers open now, by what they watch.",
            "kind",
            [(kind, counts.sockets_open[kind]) for kind in VIEWERS],
        )
        yield _gauge("buildlogs_intake_sockets", "WebSockets of writers open now.", counts.sockets_open["intake"])
        yield _counter_by(
            "buildlogs_sockets_opened",
            "WebSockets that were opened, by kind.",
            "kind",
            [(kind, counts.sockets_opened[kind]) for kind in (*SOCKETS.values(), OTHER)],
        )
        yield _counter_by(
            "buildlogs_frames_sent_bytes",
            "Bytes of WebSocket messages sent, by kind of socket.",
            "kind",
            [(kind, counts.frame_bytes[kind]) for kind in (*SOCKETS.values(), OTHER)],
        )


class LiveCollector(Collector):
    """What came in, who is fed with it, and what is said about it to other processes."""

    def collect(self) -> Iterator[Metric]:
        """Yield the families; on the thread of the hubs' loop."""
        appended = chunk_store().appended
        yield _counter("buildlogs_received_bytes", "Bytes of output stored, without framing.", appended.received_bytes)
        yield _counter("buildlogs_received_chunks", "Chunks of output stored.", appended.chunks)
        yield _counter("buildlogs_received_bodies", "Request bodies and frames they came in.", appended.bodies)
        hubs = all_hubs()
        lags = [follower.bytes_behind for hub in hubs for follower in hub.followers]
        yield _gauge("buildlogs_watched_logs", "Logs that somebody watches.", sum(hub.watched_logs for hub in hubs))
        yield _gauge("buildlogs_log_streams", "Viewers that a log is sent to, by WebSocket or follow=1.", len(lags))
        yield _gauge(
            "buildlogs_slowest_viewer_lag_bytes",
            "Bytes that are stored and not yet sent to the viewer who is furthest behind.",
            max(lags, default=0),
        )
        yield _counter(
            "buildlogs_gap_fills",
            "Times that the look at the store found what no announcement had told.",
            sum(hub.gap_fills for hub in hubs),
        )
        yield _counter("buildlogs_announcements_sent", "Announcements sent to other processes.", announcer.sent)
        yield _counter("buildlogs_announcements_lost", "Announcements that could not be sent.", announcer.lost)


class LoadCollector(Collector):
    """What keeps the process busy."""

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        kinds: list[tuple[str, Occupancy]] = [("reading", reading), ("writing", writing)]
        yield _gauge_by("buildlogs_threads_busy", "Threads that read or write logs now.", "kind", _busy(kinds))
        yield _gauge_by(
            "buildlogs_threads", "Threads that may do so at once.", "kind", [(kind, of.threads) for kind, of in kinds]
        )
        yield _gauge("buildlogs_asyncio_tasks", "Tasks on the event loop.", _tasks())
        for family in lateness.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


class WebhookCollector(Collector):
    """What came of telling webhooks."""

    def collect(self) -> Iterator[Metric]:
        """Yield the family."""
        yield _counter_by(
            "buildlogs_webhook_deliveries",
            "Attempts to tell a webhook, by what came of them.",
            "result",
            [(word, results[word]) for word in RESULTS],
        )


class BuildCollector(Collector):
    """Which buildlogs this is."""

    def collect(self) -> Iterator[Metric]:
        """Yield the family."""
        yield InfoMetricFamily("buildlogs_build", "The version of buildlogs.", {"version": __version__})


class SiteCollector(Collector):
    """What database and disk said for this scrape; families whose source did not answer are left out."""

    def __init__(self) -> None:
        self.figures = SiteFigures()

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        logs, disk, webhooks = self.figures.logs, self.figures.disk, self.figures.webhooks
        if logs is not None:
            yield _gauge("buildlogs_open_logs", "Logs of the site that are being written.", logs.open)
            yield _gauge("buildlogs_seal_queue_logs", "Logs that are finished and not sealed yet.", logs.to_seal)
            yield _gauge_by(
                "buildlogs_stored_bytes",
                "Bytes that the logs take, by form; archived ones lie in another store.",
                "form",
                logs.stored_bytes.items(),
            )
            yield _gauge("buildlogs_damaged_logs", "Logs that the last check found damaged.", logs.damaged)
            yield from _upkeep(logs.jobs)
        if webhooks is not None:
            yield _gauge("buildlogs_webhook_waiting_deliveries", "Deliveries that wait to be tried.", webhooks.waiting)
            yield _gauge(
                "buildlogs_webhook_oldest_waiting_seconds",
                "Age of the oldest of them, 0 where none waits.",
                webhooks.oldest_seconds,
            )
        if disk is not None:
            yield _gauge("buildlogs_disk_size_bytes", "Size of the data directory's file system.", disk.size)
            yield _gauge("buildlogs_disk_free_bytes", "Bytes free in the data directory's file system.", disk.free)


site_collector = SiteCollector()


def make_registry() -> CollectorRegistry:
    """All that is told, of this process and for this site."""
    registry = CollectorRegistry(auto_describe=False)
    own = (TrafficCollector(traffic), LiveCollector(), LoadCollector(), WebhookCollector(), BuildCollector())
    for collector in (*own, site_collector):
        registry.register(collector)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def _upkeep(jobs: Iterable[JobFigures]) -> Iterator[Metric]:
    """How the jobs of upkeep went, in whatever process."""
    jobs = list(jobs)
    yield _gauge_by(
        "buildlogs_upkeep_last_success_timestamp_seconds",
        "When a job of upkeep last came to its end without a failure, in seconds since 1970.",
        "job",
        [(job.name, job.succeeded_at.timestamp()) for job in jobs if job.succeeded_at is not None],
    )
    yield _counter_by(
        "buildlogs_upkeep_failures",
        "Runs of a job of upkeep in which something failed.",
        "job",
        [(job.name, job.failures) for job in jobs],
    )
    yield _gauge_by(
        "buildlogs_upkeep_duration_seconds",
        "How long the last run of a job of upkeep took.",
        "job",
        [(job.name, job.seconds) for job in jobs if job.seconds is not None],
    )


def _busy(kinds: Iterable[tuple[str, Occupancy]]) -> list[tuple[str, int]]:
    return [(kind, occupancy.busy) for kind, occupancy in kinds]


def _tasks() -> int:
    """How many tasks the running loop has; 0 where none runs."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return 0


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _gauge_by(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for word, value in values:
        family.add_metric([word], value)
    return family


def _counter_by(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for word, value in values:
        family.add_metric([word], value)
    return family
