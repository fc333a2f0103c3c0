"""The part of the vote page's HTML that loads the page's own modules.

Streamlit needs its scripts, a WebSocket and a run of the script before it shows anything. The vote
page needs none of them: it starts as soon as its modules are there, and leaves the network and the
processor to the clips. `assets/navigation.js` fetches Streamlit's files when the voter turns to a
link to another page.
"""

import re

from arena.web.frontend.assets import STYLES, asset_url, duel_assets

ENTRY = "mount.js"
OF_OTHER_PAGES = frozenset({"own-votes.js"})
STREAMLIT_ELEMENT = re.compile(
    r"<script type=\"module\" crossorigin src=\"\./static/[^\"]+\"></script>"
    r"|<link rel=\"(?:modulepreload|stylesheet)\" crossorigin href=\"\./static/[^\"]+\">"
)


def vote_page_head() -> str:
    """The elements that load the vote page's styles and modules, in HTML.

    Every module is preloaded: the browser would otherwise find them one import after another.
    """
    files = duel_assets().keys() - OF_OTHER_PAGES
    modules = sorted(name for name in files if name.endswith(".js"))
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


def defer_streamlit(html: str) -> str:
    """Move what loads Streamlit into a template, whose content the browser does not load.

    Raises:
        RuntimeError: the page does not load Streamlit in the known way.
    """
    elements = STREAMLIT_ELEMENT.findall(html)
    if not any(element.startswith("<script") for element in elements):
        raise RuntimeError("Streamlit's index page has no script of the known kind")
    template = "\n".join(['<template id="streamlit">', *elements, "</template>", "</head>"])
    return STREAMLIT_ELEMENT.sub("", html).replace("</head>", template, 1)
