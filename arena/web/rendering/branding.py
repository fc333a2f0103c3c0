"""The operator's logo and texts as the pages show them."""

from html import escape
from importlib.resources import files

from arena.settings import DEFAULT_TITLE
from arena.site import Site

SHIPPED = files("arena.web.rendering")
# The shipped logo with another name: the mark, then the name at 24 px.
WORDMARK = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 40" role="img" \
aria-label="{title}"><style>.ring {{ fill: none; stroke: #a8500b; stroke-width: 3.4 }} .name {{ \
font: 600 24px Georgia, "Times New Roman", serif; fill: #1d1f24 }} @media (prefers-color-scheme: \
dark) {{ .ring {{ stroke: #f2b04c }} .name {{ fill: #ecebe6 }} }}</style><rect class="ring" x="2" \
y="9" width="38" height="22" rx="11"/><path class="ring" d="M14 20h14" stroke-linecap="round"/>\
<text class="name" x="51" y="28">{title}</text></svg>"""
LETTER_WIDTH = 18  # at 24 px in a wide serif font, so that a name is not cut
NAME_START = 51


def logo_svg(site: Site) -> str:
    """Return the logo of the pages' header: the operator's, or the mark with the arena's name."""
    if site.logo is not None:
        return site.logo
    if site.title == DEFAULT_TITLE:
        return (SHIPPED / "logo.svg").read_text(encoding="utf-8")
    width = NAME_START + LETTER_WIDTH * len(site.title)
    return WORDMARK.format(width=width, title=escape(site.title, quote=True))


def about_markdown(site: Site, *, base_path: str) -> str:
    """Return the about page: the operator's text, how the arena works, privacy, contact.

    Streamlit shows Markdown without HTML and without addresses that run scripts.
    """
    shipped = (SHIPPED / "about.md").read_text(encoding="utf-8")
    parts = [site.about, shipped.replace("](/", f"]({base_path}/").strip()]
    if site.privacy:
        parts.append(f"## Privacy\n{site.privacy}")
    if site.contact:
        parts.append(f"## Contact\n[{site.contact}]({site.contact_url})")
    return "\n\n".join(part for part in parts if part)
