"""The headers that carry a key. Kling's older keys are pairs, which sign a short-lived token."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping

from generator.backends.api.schema_parts import Key

LIFETIME_S = 1800
EARLIER_S = 5  # the token is valid from a little before now, for clocks that differ


def key_headers(key: Key, values: Mapping[str, str]) -> Callable[[], dict[str, str]]:
    """Return a function that makes the header with the key, anew for each request.

    Args:
        key: what the provider file says of it.
        values: of its environment variables.
    """

    def headers() -> dict[str, str]:
        value = values[key.variable]
        if key.signer == "kling-jwt" and key.secret_variable is not None:
            value = kling_token(value, values[key.secret_variable], now=time.time())
        return {key.header: key.prefix + value}

    return headers


def kling_token(access_key: str, secret: str, *, now: float) -> str:
    """A JSON Web Token (RFC 7519) with HMAC-SHA-256, as Kling's older API wants it."""
    header = {"alg": "HS256", "typ": "JWT"}
    claims = {"iss": access_key, "exp": int(now) + LIFETIME_S, "nbf": int(now) - EARLIER_S}
    signed = ".".join(
        _encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims)
    )
    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_encode(digest)}"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
