"""The web server: Streamlit for pages, FastAPI for everything else.

The pages' scripts run in a process of their own, which gets their connections from the one that
answers everything else (`arena/web/server/pages_process.py`). A dispatcher routes requests by path,
so votes and clips bypass Streamlit's session, gzip and path middleware. Streamlit's application
handles the lifespan.
"""

import asyncio
import gc
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from importlib.resources import files
from pathlib import Path
from threading import Event

import streamlit as st
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.catalog.sources import store_missing_sources
from arena.catalog.withholding import restore_intact
from arena.context import Arena
from arena.database import Database
from arena.errors import ConfigurationError, DatabaseError, StoreUnavailable
from arena.site import Site, read_site
from arena.standings.job import StandingsJob
from arena.standings.standings import follow_job
from arena.voting.fetches import FetchLedger
from arena.web.frontend import assets
from arena.web.frontend.pages import PagesMiddleware
from arena.web.frontend.streamlit_settings import apply_streamlit_settings
from arena.web.middleware.base_path import BasePathMiddleware
from arena.web.middleware.csrf import CsrfMiddleware
from arena.web.middleware.direct_routes import DirectRoutesMiddleware
from arena.web.middleware.headers import SecurityHeadersMiddleware
from arena.web.middleware.hosts import HostMiddleware, HostPolicy, is_loopback
from arena.web.middleware.metrics import Metrics, RequestMetricsMiddleware
from arena.web.middleware.problem_details import install_error_handlers
from arena.web.middleware.public_api import HeadMiddleware, PublicApiMiddleware
from arena.web.middleware.request_limits import RequestLimitsMiddleware
from arena.web.middleware.voter_cookie import VoterCookieMiddleware
from arena.web.routes import api, api_page, clips, health, releases, seals
from arena.web.routes.clip_urls import ClipUrls
from arena.web.server.background import background_process
from arena.web.server.http_protocol import allow_many_connections
from arena.web.server.listening import listen
from arena.web.server.log import log_to_stderr
from arena.web.server.options import server_options
from arena.web.server.pages_process import pages_process
from arena.web.server.workers import run_workers
from arena.web.views.app_state import get_arena, set_arena

CLIP_PREFIX = "/clip/"
API_PREFIXES = ("/api/", CLIP_PREFIX, "/assets/")
API_PATHS = ("/api", "/clip", "/healthz", "/readyz", "/metrics")
COLLECT_EVERY_S = 60.0
WRITE_TEST_S = 2.0  # how long a process that starts waits for the lock of the database

logger = logging.getLogger(__name__)


def make_api(arena: Arena) -> FastAPI:
    """Everything but the pages. It is stateless and can also run alone."""
    base_path = arena.settings.base_path
    clip_urls = ClipUrls(arena.settings.signing_key(), base_path=base_path)
    metrics = Metrics()
    site = read_site(arena.settings)
    fetches = FetchLedger(arena.database)
    app = FastAPI(
        title=f"{site.title} API",
        contact=_contact(site),
        version="1",
        description="Battles, votes and leaderboards of a blind-test arena for generated video.",
        docs_url=None,
        redoc_url=None,
        openapi_url=api_page.OPENAPI_URL,
        # A redirect would name the host and scheme of the request, which a proxy changes.
        redirect_slashes=False,
        # Otherwise every request reads the environment to see whether OpenTelemetry is set up.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        servers=[{"url": base_path or "/"}],
    )
    install_error_handlers(app)
    app.state.votes = votes = api.Votes(
        arena, clip_urls=clip_urls, metrics=metrics, fetches=fetches
    )
    router = api.make_router(arena, votes)
    app.include_router(router)
    app.include_router(seals.make_router(arena))
    app.include_router(releases.make_router(arena))
    sent_clips = clips.Clips(arena, clip_urls, fetches)
    clip_router = clips.make_router(sent_clips)
    app.include_router(clip_router)
    app.include_router(health.make_router(arena, metrics))
    app.include_router(assets.make_router())
    app.include_router(api_page.make_router(app))
    app.add_middleware(PublicApiMiddleware)
    app.add_middleware(HeadMiddleware, own=(CLIP_PREFIX, releases.PREFIX))
    app.add_middleware(
        DirectRoutesMiddleware,
        routers=[router, clip_router],
        routes=[api.direct_route(votes), clips.direct_route(sent_clips)],
    )
    app.add_middleware(RequestMetricsMiddleware, metrics=metrics)
    return app


def _contact(site: Site) -> dict[str, str] | None:
    """The operator for the API's description; None if no contact is set."""
    if not site.contact:
        return None
    return {"name": site.title, "email" if "@" in site.contact else "url": site.contact}


def add_security(app: ASGIApp, arena: Arena, hosts: HostPolicy | None = None) -> ASGIApp:
    """Wrap an application with what every request passes, from the outside inwards.

    Args:
        app: answers paths below the arena's base path.
        arena: whose settings apply.
        hosts: which host names are answered; None: all, for an application behind such a check.
    """
    settings = arena.settings
    https = settings.public is not None and settings.public.scheme == "https"
    app = CsrfMiddleware(app, public=settings.public)
    app = VoterCookieMiddleware(
        app, secret=settings.signing_key(), public_https=https, base_path=settings.base_path
    )
    app = BasePathMiddleware(app, settings.base_path)
    if hosts is not None:
        app = HostMiddleware(app, hosts)
    app = RequestLimitsMiddleware(app)
    return SecurityHeadersMiddleware(app, public_https=https)


def dispatch(*, api: ASGIApp, pages: ASGIApp) -> ASGIApp:
    """Route the API's paths to `api`; pages, WebSockets and the lifespan to `pages`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_api = path in API_PATHS or path.startswith(API_PREFIXES)
        target = api if scope["type"] == "http" and is_api else pages
        await target(scope, receive, send)

    return app


async def _collect_garbage() -> None:
    while True:
        await asyncio.sleep(COLLECT_EVERY_S)
        gc.collect()


def _can_write(database: Database) -> bool:
    try:
        with database.writing(until=time.monotonic() + WRITE_TEST_S):
            return True
    except DatabaseError:
        return False


def _lifespan(votes: api.Votes) -> Callable[[st.App], AbstractAsyncContextManager[None]]:
    """Return what runs beside the requests, from the start of the server to its end."""

    @asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[None]:
        # Objects created by imports are never garbage: exclude them from collections.
        gc.collect()
        gc.freeze()
        arena = get_arena()
        collecting = asyncio.create_task(_collect_garbage())
        # What the background process computes is read from the database; if that cannot be
        # written, this process computes what it shows.
        follow_job(arena.database)
        job = None
        if not await asyncio.to_thread(_can_write, arena.database):
            job = StandingsJob(arena.database)
            job.start()
        yield
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)
        await asyncio.to_thread(votes.close)
        if job is not None:
            await asyncio.to_thread(job.stop)

    return lifespan


def make_app(arena: Arena, *, host: str = "127.0.0.1") -> ASGIApp:
    """Build the ASGI application of an arena. Streamlit allows one in each process.

    Args:
        arena: what to serve.
        host: the name or address that the server listens on.
    """
    set_arena(arena)
    settings = arena.settings
    apply_streamlit_settings(cookie_secret=settings.signing_key(), public=settings.public)
    script = Path(str(files("arena.web.views") / "script.py"))
    answers = make_api(arena)
    pages = PagesMiddleware(
        st.App(script, lifespan=_lifespan(answers.state.votes)),
        base_path=settings.base_path,
        site=settings.title,
    )
    return add_security(
        dispatch(api=answers, pages=pages),
        arena,
        HostPolicy(settings.public, listens_on=host),
    )


class _Server(uvicorn.Server):
    """A server that calls back once it accepts connections."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


def serve(
    arena: Arena,
    *,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
    workers: int = 1,
) -> None:
    """Serve until Ctrl-C.

    Args:
        arena: what to serve.
        host: the name or address to listen on.
        port: 0 for any that is free.
        on_ready: called with the URL once the server accepts connections.
        workers: number of processes.

    Raises:
        ConfigurationError: the port cannot be used, or rate limits are off on a public address.
    """
    if arena.settings.limits_off and not is_loopback(host):
        raise ConfigurationError(
            f"ARENA_RATE_LIMIT=off is allowed on the loopback only, and {host} is reachable from "
            "other machines: set a limit, or serve on 127.0.0.1."
        )
    for problem in read_site(arena.settings).problems:
        logger.warning(problem)
    for fault in store_missing_sources(arena.database, arena.store):
        logger.warning(fault)
    with suppress(StoreUnavailable):  # then `/readyz` says so
        for sentence in restore_intact(arena.database, arena.store):
            logger.warning(sentence)
    allow_many_connections()
    with listen(host, port) as listening:
        bound = listening.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        # Streamlit adds a handler to this logger, and URLs contain battle tokens.
        logging.getLogger("uvicorn.access").disabled = True
        log_to_stderr()

        # The processes beside the server start after it: each needs seconds of a core to load.
        accepts = Event()

        def announce() -> None:
            accepts.set()
            on_ready(f"http://{shown}:{bound}")

        with (
            suppress(KeyboardInterrupt),
            background_process(arena.settings, after=accepts),
            pages_process(arena.settings, host=host, after=accepts) as handoff,
        ):
            if workers > 1:
                arena.database.dispose()
                run_workers(
                    arena.settings,
                    listening,
                    host=host,
                    workers=workers,
                    handoff=handoff,
                    on_ready=announce,
                )
            else:
                config = uvicorn.Config(
                    make_app(arena, host=host), **server_options(arena.settings, handoff)
                )
                _Server(config, announce).run(sockets=[listening])
    arena.database.dispose()
