"""Colours and fonts of the pages.

Pages load no fonts, and nothing from other hosts. Text has a contrast of at least 4.5 to 1 in both
themes.
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


# Fonts of the reader's system. Streamlit's own are 1 MB, most of what a first visit loads.
TEXT_FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', Arial, sans-serif"
HEADING_FONT = "Charter, 'Iowan Old Style', Georgia, Cambria, 'Noto Serif', serif"
CODE_FONT = "ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace"

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
        "theme.headingFont": HEADING_FONT,
        "theme.font": TEXT_FONT,
        "theme.codeFont": CODE_FONT,
        "theme.baseRadius": "10px",
        "theme.buttonRadius": "full",
        "theme.headingFontWeights": [600, 600, 600, 600, 600, 600],
        "theme.paddingTop": "1rem",
        **_colours("theme.light", LIGHT),
        **_colours("theme.dark", DARK),
    }
