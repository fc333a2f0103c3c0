"""Error responses in the format of the OpenAI API.

ApiError
├── BadRequest    400  a parameter is invalid; `param` names it
├── Unauthorized  401  the API key is missing or wrong
├── NotFound      404  the video, model or path does not exist
├── TooLarge      413  the body exceeds the limit
└── QueueFull     429  the queue is full; Retry-After says when to retry
"""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

INVALID = "invalid_request_error"


class ApiError(Exception):
    """One sentence for the client: what is wrong, and what to do."""

    status = 400
    type = INVALID

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    def as_response(self) -> JSONResponse:
        """Build the response."""
        return _response(
            self.status,
            str(self),
            kind=self.type,
            param=self.param,
            code=self.code,
            headers=self.headers,
        )


class BadRequest(ApiError):
    """A parameter is invalid."""


class Unauthorized(ApiError):
    """The API key is missing or wrong."""

    status = 401


class NotFound(ApiError):
    """The resource does not exist, or no longer."""

    status = 404


class TooLarge(ApiError):
    """The body exceeds the limit."""

    status = 413


class QueueFull(ApiError):
    """The maximum number of videos is waiting."""

    status = 429
    type = "rate_limit_error"


def on_api_error(_: Request, error: Exception) -> JSONResponse:
    """Handle an error raised by this package."""
    if not isinstance(error, ApiError):
        raise error
    return error.as_response()


def on_http_error(request: Request, error: Exception) -> JSONResponse:
    """Handle an error raised by the framework: unknown paths, methods, malformed forms."""
    if not isinstance(error, HTTPException):
        raise error
    message = error.detail.rstrip(".")
    if error.status_code in (404, 405):
        message = f"{request.method} {request.url.path} does not exist"
    return _response(
        error.status_code, f"{message}.", kind=INVALID, headers=dict(error.headers or {})
    )


def on_unhandled_error(_: Request, __: Exception) -> JSONResponse:
    """Handle an unexpected error; the traceback is logged."""
    return _response(500, "Internal server error; see the server's log.", kind="server_error")


def _response(
    status: int,
    message: str,
    *,
    kind: str,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    error = {"message": message, "type": kind, "param": param, "code": code}
    return JSONResponse({"error": error}, status_code=status, headers=dict(headers or {}))
