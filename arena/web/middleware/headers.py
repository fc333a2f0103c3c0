"""Security headers on every response, and the content security policy on HTML pages.

The policy is as strict as Streamlit's front end allows; comments name what needs each exception.
"""

import base64
import hashlib
import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.web.frontend.streamlit_page import streamlit_page

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
HSTS = b"max-age=31536000"
_OWN_HEADERS = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
_OWN_NAMES = {
    *(name for name, _ in _OWN_HEADERS),
    *(b"strict-transport-security", b"content-security-policy"),
}


def content_security_policy() -> str:
    """The policy of HTML pages: nothing may be loaded from other hosts."""
    return "; ".join(
        (
            "default-src 'none'",
            # Streamlit imports a component's module from a blob:, its index page has inline
            # scripts (the hashes), and Vega compiles expressions ('unsafe-eval').
            f"script-src 'self' blob: 'unsafe-eval' {' '.join(_inline_script_hashes())}",
            "style-src 'self' 'unsafe-inline'",  # Emotion adds style elements
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self'",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "object-src 'none'",
            "frame-ancestors 'none'",
        )
    )


def _inline_script_hashes() -> list[str]:
    scripts = re.findall(r"<script>(.*?)</script>", streamlit_page(), re.DOTALL)
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


def _is_html(content_type: bytes) -> bool:
    return content_type.startswith(b"text/html")


class SecurityHeadersMiddleware:
    """Add the security headers to every response, and the policy to HTML."""

    def __init__(self, app: ASGIApp, *, public_https: bool) -> None:
        self.app = app
        self.public_https = public_https
        self.policy = content_security_policy().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        https = self.public_https or scope["scheme"] == "https"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                # One pass over the headers: `MutableHeaders` looks through all of them for each.
                headers = [header for header in message["headers"] if header[0] not in _OWN_NAMES]
                headers += _OWN_HEADERS
                if https:
                    headers.append((b"strict-transport-security", HSTS))
                if any(name == b"content-type" and _is_html(value) for name, value in headers):
                    headers.append((b"content-security-policy", self.policy))
                message["headers"] = headers
            await send(message)

        await self.app(scope, receive, send_with_headers)
