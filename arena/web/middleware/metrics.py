"""Prometheus metrics for `/metrics`, of all processes of this server: no voters, no entrants."""

import os
import time
from collections.abc import Callable
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.web.server.workers import METRICS_FOLDER

MOST_LABELS = 1024  # sets of them that are remembered
BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.votes = Counter(
            "arena_votes", "Acknowledged votes and skips", ["choice"], registry=self.registry
        )
        self.unchecked_votes = Counter(
            "arena_votes_unchecked_watch_time",
            "Acknowledged votes whose reported watch time is missing or too short",
            registry=self.registry,
        )
        self.battles = Counter(
            "arena_battles", "Requests for a battle", ["track"], registry=self.registry
        )
        self.requests = Histogram(
            "arena_request_seconds",
            "Time until the response starts, for every path but the pages",
            ["route", "method", "status"],
            buckets=BUCKETS_S,
            registry=self.registry,
        )

    def render(self) -> bytes:
        """The metrics in Prometheus' text format."""
        if METRICS_FOLDER not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def _by_labels(histogram: Histogram) -> Callable[..., Callable[[float], None]]:
    """Return a function that finds the counters of some labels, and remembers them."""

    @lru_cache(maxsize=MOST_LABELS)
    def observe(*labels: object) -> Callable[[float], None]:
        return histogram.labels(*labels).observe

    return observe


class RequestMetricsMiddleware:
    """Measure the time until each response starts, by route: URLs hold battle tokens."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        self.observe = _by_labels(metrics.requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = time.perf_counter()

        async def send_and_measure(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "unknown")
                observe = self.observe(route, scope["method"], message["status"])
                observe(time.perf_counter() - started)
            await send(message)

        await self.app(scope, receive, send_and_measure)
