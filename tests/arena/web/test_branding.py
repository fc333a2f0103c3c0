"""The operator's name, logo and texts in pages and the API, as text and never as code."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from source_arena import client_of, make_source_arena

from arena.errors import ConfigurationError
from arena.site import UNNAMED, svg_fault
from arena.web.frontend.navigation import PAGES
from arena.web.frontend.streamlit_page import render_index
from arena.web.rendering.branding import about_markdown, logo_svg
from arena.web.server.listening import check_port, listen

NAMED = replace(
    UNNAMED, title='Lab <b> & "Co"', contact="arena@example.org", about="# Ours", privacy="No logs."
)


def test_the_header_shows_the_arenas_name() -> None:
    logo = logo_svg(NAMED)
    assert svg_fault(logo) is None
    root = ElementTree.fromstring(logo)  # noqa: S314  (made above)
    assert root[-1].text == NAMED.title
    assert "Hippodrome" in logo_svg(UNNAMED)


def test_the_operators_logo_replaces_the_shipped_one() -> None:
    assert logo_svg(replace(NAMED, logo="<svg/>")) == "<svg/>"


def test_the_about_page_has_the_operators_texts_around_the_shipped_one() -> None:
    text = about_markdown(NAMED, base_path="/arena")
    order = (
        "# Ours",
        "# How this arena works",
        "## Privacy",
        "No logs.",
        "mailto:arena@example.org",
    )
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "](/arena/" in text or "](/" not in text
    plain = about_markdown(UNNAMED, base_path="")
    assert plain.startswith("# How this arena works")
    assert "## Contact" not in plain


@pytest.mark.parametrize("page", PAGES)
def test_the_name_is_escaped_in_every_page(page: object) -> None:
    html = render_index(page, site=NAMED.title)  # type: ignore[arg-type]
    assert "Lab <b>" not in html
    assert 'name="application-name" content="Lab &lt;b&gt; &amp; &quot;Co&quot;"' in html


def test_the_api_states_name_and_contact(tmp_path: Path) -> None:
    arena = make_source_arena(tmp_path, title="Lab Arena", contact="https://example.org/arena")
    info = client_of(arena).get("/api/openapi.json").json()["info"]
    arena.database.dispose()
    assert info["title"] == "Lab Arena API"
    assert info["contact"] == {"name": "Lab Arena", "url": "https://example.org/arena"}


def test_a_taken_port_is_one_short_sentence() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError) as caught:
            check_port("127.0.0.1", port)
    assert str(caught.value) == f"Port {port} is in use: choose another with --port or PORT."
    check_port("127.0.0.1", port)
