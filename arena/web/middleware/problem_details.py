"""Error responses as problem documents (RFC 9457)."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from arena.error_log import ErrorLog
from arena.errors import ArenaError, StoreUnavailable, TooEarly, TooMany
from arena.validation import first_problem

MEDIA_TYPE = "application/problem+json"
POLICY_VIOLATION = 1008  # close code of a WebSocket (RFC 6455)
STORE_RETRY_S = 2
store_errors = ErrorLog(logging.getLogger(__name__), "A statement of the database")
EARLY_RETRY_S = 1


def problem(
    status: int,
    kind: str,
    detail: str,
    *,
    title: str | None = None,
    headers: dict[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """Return a problem document; `kind` is its `type`, `more` its extension members."""
    body = {
        "type": kind,
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    } | dict(more or {})
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


async def refuse(refusal: JSONResponse, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a refusal and close the connection: what follows on it may not be a request."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        return
    refusal.headers["Connection"] = "close"
    await refusal(scope, receive, send)


def _retry_after_s(error: ArenaError) -> int | None:
    if isinstance(error, TooMany):
        return error.retry_after_s
    if isinstance(error, TooEarly):
        return EARLY_RETRY_S
    return STORE_RETRY_S if error.http_status == HTTPStatus.SERVICE_UNAVAILABLE else None


async def on_arena_error(request: Request, error: Exception) -> JSONResponse:
    """Return the problem document of an error of the arena or its database; raise others."""
    if isinstance(error, DBAPIError):
        store_errors.failed(str(error.orig))
        error = StoreUnavailable("The database is unavailable: try again.")
    if not isinstance(error, ArenaError):
        raise error
    wait_s = _retry_after_s(error)
    detail = str(error)
    if isinstance(error, StoreUnavailable):  # what a driver reports may contain addresses
        nothing = " Nothing was stored." if request.method == "POST" else ""
        detail = error.sentence + nothing
    return problem(
        error.http_status,
        error.type,
        detail,
        title=error.title,
        headers=None if wait_s is None else {"Retry-After": str(wait_s)},
        more=error.details,
    )


async def _on_invalid_request(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    return problem(422, "malformed", describe_validation_error(list(error.errors())))


def describe_validation_error(errors: list[Any]) -> str:
    """The first of pydantic's errors as a sentence."""
    if not errors:
        return "The request cannot be read."
    first = first_problem(errors, ignore=frozenset({"body", "query"}))
    return f"{first.location}: {first.message}." if first.location else f"{first.message}."


async def _on_http_exception(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # FastAPI's own, for a body that Python cannot read, such as text in no encoding or arrays
        # nested too deeply. Other malformed bodies are a `RequestValidationError`.
        return problem(422, "malformed", describe_validation_error([]))
    kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, kind, str(error.detail), headers=headers)


async def _on_unexpected_error(_request: Request, _error: Exception) -> JSONResponse:
    # The cause is in the server's log only: a response that contained it could name an entrant.
    return problem(500, "internal", "An internal error occurred and was logged.")


def install_error_handlers(app: FastAPI) -> None:
    """Return a problem document for every error of the application."""
    app.add_exception_handler(ArenaError, on_arena_error)
    app.add_exception_handler(DBAPIError, on_arena_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_unexpected_error)
