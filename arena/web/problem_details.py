"""Errors as RFC 9457 problem documents: one shape, one place."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from arena.errors import ArenaError, StoreUnavailable, TooEarly, TooMany
from arena.validation import first_problem

MEDIA_TYPE = "application/problem+json"
STORE_RETRY_S = 2
EARLY_RETRY_S = 1


def problem(
    status: int,
    kind: str,
    detail: str,
    *,
    title: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """A problem document; `kind` is its type, a slug that programs tell apart by."""
    body = {
        "type": kind,
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _retry_after_s(error: ArenaError) -> int | None:
    if isinstance(error, TooMany):
        return error.retry_after_s
    if isinstance(error, TooEarly):
        return EARLY_RETRY_S
    return STORE_RETRY_S if error.http_status == HTTPStatus.SERVICE_UNAVAILABLE else None


async def _on_arena_error(_request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, DBAPIError):
        # Whatever the driver met, the store did not take the request.
        error = StoreUnavailable("The database does not answer: nothing was stored; try again.")
    if not isinstance(error, ArenaError):
        raise error
    wait_s = _retry_after_s(error)
    return problem(
        error.http_status,
        error.type,
        str(error),
        title=error.title,
        headers=None if wait_s is None else {"Retry-After": str(wait_s)},
    )


async def _on_invalid_request(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    return problem(422, "malformed", describe_validation_error(list(error.errors())))


def describe_validation_error(errors: list[Any]) -> str:
    """The first of pydantic's complaints as a sentence."""
    if not errors:
        return "The request cannot be read."
    found = first_problem(errors, ignore=frozenset({"body", "query"}))
    return f"{found.location}: {found.message}." if found.location else f"{found.message}."


async def _on_http_exception(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, kind, str(error.detail), headers=headers)


async def _on_defect(_request: Request, _error: Exception) -> JSONResponse:
    # The server's log has the cause; an answer that named it could name an entrant.
    return problem(500, "internal", "Something broke here; it is logged.")


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error of this application with a problem document."""
    app.add_exception_handler(ArenaError, _on_arena_error)
    app.add_exception_handler(DBAPIError, _on_arena_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_defect)
