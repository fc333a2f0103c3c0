"""`/healthz` (the process runs), `/readyz` (database and media work) and `/metrics`."""

import asyncio
import logging

import anyio
import anyio.to_thread
from fastapi import APIRouter, Response

from arena.context import Arena
from arena.error_log import ErrorLog
from arena.health import Health, check_health
from arena.web.middleware.metrics import Metrics
from arena.web.middleware.problem_details import STORE_RETRY_S, problem

log = logging.getLogger(__name__)


class Readiness:
    """Checks the stores on a thread of its own, one check at a time for all who ask."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._limiter = anyio.CapacityLimiter(1)
        self._check: asyncio.Task[Health] | None = None
        self._log = ErrorLog(log, "The readiness check")

    async def check(self) -> Health:
        """Return the state of the stores."""
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(self._run())
        return await asyncio.shield(self._check)

    async def _run(self) -> Health:
        health = await anyio.to_thread.run_sync(check_health, self._arena, limiter=self._limiter)
        if health.ok:
            self._log.succeeded()
        else:
            self._log.failed(" ".join(filter(None, (health.database, health.media))))
        return health


def make_router(arena: Arena, metrics: Metrics) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    readiness = Readiness(arena)

    # Neither needs one of the threads that other requests may have taken.
    @router.get("/healthz")
    async def get_health() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz", response_model=None)
    async def get_readiness() -> Response | dict[str, str]:
        health = await readiness.check()
        stores = {"database": health.database or "ok", "media": health.media or "ok"}
        if health.ok:
            return {"status": "ready"} | stores
        return problem(
            503,
            "store-unavailable",
            " ".join(filter(None, (health.database, health.media))),
            title="The arena is temporarily unavailable",
            headers={"Retry-After": str(STORE_RETRY_S)},
            more=stores,
        )

    @router.get("/metrics")
    def get_metrics() -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
