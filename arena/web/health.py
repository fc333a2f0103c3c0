"""`/healthz`: the process runs. `/readyz`: its stores answer too. `/metrics`."""

from fastapi import APIRouter, Response

from arena.context import Arena
from arena.web.metrics import Metrics


def make_router(arena: Arena, metrics: Metrics) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    def is_alive() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    def is_ready() -> dict[str, str]:
        arena.database.ping()
        arena.store.ping()
        return {"status": "ready", "database": "ok", "media": "ok"}

    @router.get("/metrics")
    def get_metrics() -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
