"""Every Streamlit setting that the arena depends on, set from Python.

Streamlit would also read `.streamlit/config.toml` and `secrets.toml` of the working folder and of
the user's home. They could switch off its checks of origins, so it reads neither.
"""

from typing import Any

from streamlit import config
from streamlit.web import bootstrap

from arena.public_url import PublicUrl
from arena.web.rendering.theme import theme_options

SECONDS_UNTIL_FORGOTTEN = 120  # a session whose connection is lost


def _no_files(file_name: str) -> list[str]:
    return []


def apply_streamlit_settings(*, cookie_secret: str, public: PublicUrl | None) -> None:
    """Set all of Streamlit's settings; none comes from a file."""
    config.get_config_files = _no_files
    bootstrap.load_config_options(streamlit_options(cookie_secret, public=public))


def streamlit_options(cookie_secret: str, *, public: PublicUrl | None = None) -> dict[str, Any]:
    """The settings by name."""
    return {
        "server.cookieSecret": cookie_secret,  # by default random in each process
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        # The page's own origin is always allowed, and `HostMiddleware` checks the host before.
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.xsrfCookieSameSite": "lax",
        "server.corsAllowedOrigins": [public.origin] if public else [],
        # Otherwise Streamlit asks a service on the internet for this machine's address whenever
        # the origin of a WebSocket is another one.
        "browser.serverAddress": public.host if public else "localhost",
        "server.allowedHosts": [],
        "server.trustedUserHeaders": {},
        "server.enableStaticServing": False,
        "server.enableAgentApi": False,
        "server.scriptHealthCheckEnabled": False,
        "server.baseUrlPath": "",
        "server.maxUploadSize": 1,
        "server.disconnectedSessionTTL": SECONDS_UNTIL_FORGOTTEN,
        "secrets.files": [],
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "none",
        "client.allowedOrigins": [],
        "global.developmentMode": False,
        # Streamlit runs a full garbage collection over all sessions after every script run; `app`
        # runs one a minute instead.
        "runner.postScriptGC": False,
        "runner.magicEnabled": False,
        **theme_options(),
    }
