"""`/healthz` (the process runs), `/readyz` (database and media respond too) and `/metrics`."""

from fastapi import APIRouter, Response

from arena.context import Arena
from arena.web.metrics import Metrics


def make_router(arena: Arena, metrics: Metrics) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    def get_health() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    def get_readiness() -> dict[str, str]:
        arena.database.ping()
        arena.store.ping()
        return {"status": "ready", "database": "ok", "media": "ok"}

    @router.get("/metrics")
    def get_metrics() -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
