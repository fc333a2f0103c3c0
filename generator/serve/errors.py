"""What a client is told when something is wrong, in the shape of the OpenAI API.

ApiError
├── BadRequest    400  a parameter is wrong; `param` names it
├── Unauthorized  401  the key is missing or wrong
├── NotFound      404  there is no such video, model or address
├── TooLarge      413  the body is larger than the server takes
└── QueueFull     429  no place in the queue; Retry-After says when to come again
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
        """The error as the client reads it."""
        return _response(
            self.status,
            str(self),
            kind=self.type,
            param=self.param,
            code=self.code,
            headers=self.headers,
        )


class BadRequest(ApiError):
    """A parameter cannot be taken as it is."""


class Unauthorized(ApiError):
    """The request has no key, or another than the server's."""

    status = 401


class NotFound(ApiError):
    """What the address names is not there, or no more."""

    status = 404


class TooLarge(ApiError):
    """The body has more bytes than the server takes."""

    status = 413


class QueueFull(ApiError):
    """As many videos wait as may wait."""

    status = 429
    type = "rate_limit_error"


def on_api_error(_: Request, error: Exception) -> JSONResponse:
    """The response for an error that this package raised."""
    if not isinstance(error, ApiError):
        raise error
    return error.as_response()


def on_http_error(request: Request, error: Exception) -> JSONResponse:
    """The response for what the framework refuses: addresses, methods, forms that do not parse."""
    if not isinstance(error, HTTPException):
        raise error
    message = error.detail.rstrip(".")
    if error.status_code in (404, 405):
        message = f"There is no {request.method} {request.url.path} here"
    return _response(
        error.status_code, f"{message}.", kind=INVALID, headers=dict(error.headers or {})
    )


def on_unhandled_error(_: Request, __: Exception) -> JSONResponse:
    """The response where the server itself is at fault; the log has the traceback."""
    return _response(500, "The server failed; its log says where.", kind="server_error")


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
