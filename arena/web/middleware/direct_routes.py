"""Answers votes and clips without FastAPI: each costs a good part less of the event loop.

Nearly every request of a busy arena is a vote or a clip. FastAPI's matching of routes, dependencies
and middleware for exceptions cost more than their own code. The routes stay registered with
FastAPI, which documents them and answers what does not match here, such as other methods.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.errors import ArenaError
from arena.web.middleware.problem_details import on_arena_error

# Answers a request, given the part of its path that the route's `{...}` stands for; None if its
# client has gone.
Answer = Callable[[Scope, Receive, str], Awaitable[Response | None]]


@dataclass(frozen=True)
class DirectRoute:
    """A route that is answered directly.

    Attributes:
        path: of the route in FastAPI, with one `{...}`.
        methods: that are answered.
        pattern: of what `{...}` may be, as a regular expression.
        answer: may raise `ArenaError`.
    """

    path: str
    methods: frozenset[str]
    pattern: str
    answer: Answer


class DirectRoutesMiddleware:
    """Answer some routes directly; pass on every other request.

    Args:
        app: the application.
        routers: have the routes.
        routes: which of them are answered directly.
    """

    def __init__(
        self, app: ASGIApp, routers: Sequence[APIRouter], routes: Sequence[DirectRoute]
    ) -> None:
        self.app = app
        registered = {
            route.path: route
            for router in routers
            for route in router.routes
            if isinstance(route, APIRoute)
        }
        self._routes = [
            (re.compile(_pattern(route)), route, registered[route.path]) for route in routes
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path, method = scope["path"], scope["method"]
            for pattern, route, registered in self._routes:
                if method in route.methods and (match := pattern.fullmatch(path)):
                    scope["route"] = registered
                    return await _answer(route.answer, match[1], scope, receive, send)
        await self.app(scope, receive, send)


def _pattern(route: DirectRoute) -> str:
    before, after = re.split(r"\{\w+\}", route.path)
    return f"{re.escape(before)}({route.pattern}){re.escape(after)}"


async def _answer(answer: Answer, part: str, scope: Scope, receive: Receive, send: Send) -> None:
    try:
        response = await answer(scope, receive, part)
    except (ArenaError, DBAPIError) as error:
        response = await on_arena_error(Request(scope, receive), error)
    if response is not None:
        await response(scope, receive, send)


async def read_body(receive: Receive) -> bytes | None:
    """Return the body of a request; None if its client has gone."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    return None if message["type"] == "http.disconnect" else body
