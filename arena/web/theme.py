"""The pages' look: Streamlit's settings, given from Python so that no folder must hold them.

The fonts (Source Serif for headings, Source Sans for text) come with Streamlit itself, so no page
fetches anything from elsewhere. Contrasts are at least 4.5 to 1 for text in both themes.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Palette:
    """Colours of one theme."""

    paper: str
    panel: str
    ink: str
    soft: str
    line: str
    accent: str
    quiet: str
    cold: str


LIGHT = Palette(
    paper="#fbf9f5",
    panel="#f2eee6",
    ink="#1d1f24",
    soft="#5f626b",
    line="#dcd5c8",
    accent="#a8500b",
    quiet="#efeae0",
    cold="#3d6f9e",
)
DARK = Palette(
    paper="#0f1114",
    panel="#181b20",
    ink="#ecebe6",
    soft="#a2a5ac",
    line="#2c3037",
    accent="#f2b04c",
    quiet="#1c2026",
    cold="#5b93c7",
)
PALETTES = {"light": LIGHT, "dark": DARK}


def _colours(section: str, palette: Palette) -> dict[str, Any]:
    return {
        f"{section}.primaryColor": palette.accent,
        f"{section}.backgroundColor": palette.paper,
        f"{section}.secondaryBackgroundColor": palette.panel,
        f"{section}.textColor": palette.ink,
        f"{section}.linkColor": palette.accent,
        f"{section}.borderColor": palette.line,
        f"{section}.chartCategoricalColors": [palette.accent, palette.cold],
    }


def theme_options() -> dict[str, Any]:
    """Both themes; the browser's preference chooses between them."""
    return {
        "theme.headingFont": "serif",
        "theme.font": "sans-serif",
        "theme.baseRadius": "10px",
        "theme.buttonRadius": "full",
        "theme.headingFontWeights": [600, 600, 600, 600, 600, 600],
        "theme.paddingTop": "1rem",
        **_colours("theme.light", LIGHT),
        **_colours("theme.dark", DARK),
    }


def streamlit_options(cookie_secret: str) -> dict[str, Any]:
    """Every setting of Streamlit's that the arena depends on."""
    return {
        "server.cookieSecret": cookie_secret,  # random for each process otherwise
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "none",
        "global.developmentMode": False,
        # A full collection after every run walks all sessions; `app` does one a minute instead.
        "runner.postScriptGC": False,
        "runner.magicEnabled": False,
        **theme_options(),
    }
