"""Colours, fonts and all Streamlit settings, set from Python instead of a configuration file.

The fonts (Source Serif for headings, Source Sans for text) ship with Streamlit, so pages load
nothing from other hosts. Text has a contrast of at least 4.5 to 1 in both themes.
"""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Palette:
    """Colours of one theme.

    Attributes:
        paper: background of pages.
        panel: background of controls and table headings.
        ink: text.
        soft: secondary text.
        line: borders and grid lines.
        accent: links, the leader, and the high end of a colour scale.
        quiet: the middle of a colour scale.
        cold: the low end of a colour scale.
    """

    paper: str
    panel: str
    ink: str
    soft: str
    line: str
    accent: str
    quiet: str
    cold: str

    def as_css(self, prefix: str = "") -> str:
        """The colours as custom properties: `--ink: #1d1f24; ...`."""
        return " ".join(f"--{prefix}{name}: {value};" for name, value in asdict(self).items())


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


def vote_page_theme() -> str:
    """A style sheet with the colours of both themes, for the vote page."""
    return (
        f":root {{ color-scheme: light dark; {LIGHT.as_css('duel-')} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {DARK.as_css('duel-')} }} }}\n"
    )


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
    """Both themes; Streamlit follows the browser's preference."""
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
    """Every Streamlit setting that the arena depends on."""
    return {
        "server.cookieSecret": cookie_secret,  # by default random in each process
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "none",
        "global.developmentMode": False,
        # Streamlit runs a full garbage collection over all sessions after every script run; `app`
        # runs one a minute instead.
        "runner.postScriptGC": False,
        "runner.magicEnabled": False,
        **theme_options(),
    }
