"""`/metrics`: what a Prometheus server reads. Counts of this process; no voter, no names."""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.votes = Counter(
            "arena_votes", "Votes acknowledged", ["choice"], registry=self.registry
        )
        self.battles = Counter(
            "arena_battles", "Battles asked for", ["track"], registry=self.registry
        )
        self.requests = Histogram(
            "arena_request_seconds",
            "Requests to the API, the clips and the checks",
            ["route", "method", "status"],
            buckets=SECONDS,
            registry=self.registry,
        )

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)


class RequestMetricsMiddleware:
    """Middleware: how long each answer took to begin, by route, never by address."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = time.perf_counter()

        async def send_and_measure(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "unknown")
                self.metrics.requests.labels(route, scope["method"], message["status"]).observe(
                    time.perf_counter() - started
                )
            await send(message)

        await self.app(scope, receive, send_and_measure)
