"""The part of the vote page's HTML that loads the page's own modules.

Streamlit needs its scripts, a WebSocket and a run of the script before it shows anything. The vote
page needs none of them: it starts as soon as its modules are there, at the same time as Streamlit.
"""

from arena.web.assets import STYLES, asset_url, duel_assets

ENTRY = "mount.js"


def vote_page_head() -> str:
    """The elements that load the vote page's styles and modules, in HTML.

    Every module is preloaded: the browser would otherwise find them one import after another.
    """
    modules = sorted(name for name in duel_assets() if name.endswith(".js"))
    return "\n".join(
        [
            *(f'<link rel="stylesheet" href=".{asset_url(name)}">' for name in STYLES),
            f'<script type="module" src=".{asset_url(ENTRY)}"></script>',
            *(
                f'<link rel="modulepreload" href=".{asset_url(name)}">'
                for name in modules
                if name != ENTRY
            ),
        ]
    )
