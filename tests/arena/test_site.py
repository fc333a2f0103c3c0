"""The operator's own name, logo and texts; what is not safe is left out, and said."""

from pathlib import Path

import pytest

from arena.errors import ConfigurationError
from arena.settings import Settings, load_settings
from arena.site import read_site, svg_fault

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10">{}</svg>'
LOGO = SVG.format(
    '<defs><linearGradient id="a"><stop offset="0"/></linearGradient></defs>'
    '<style>.b{fill:url(#a)}</style><g><rect class="b" width="9" height="9"/>'
    '<use href="#a"/></g><text x="1">Arena</text>'
)


def test_without_settings_the_arena_has_the_shipped_name_and_texts(tmp_path: Path) -> None:
    site = read_site(Settings(home=tmp_path))
    assert (site.title, site.contact, site.licence) == ("Hippodrome", "", "")
    assert (site.about, site.privacy, site.logo, site.problems) == (None, None, None, ())


def test_settings_and_files_in_the_home_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    monkeypatch.setenv("ARENA_TITLE", " Lab <b>Arena</b> ")
    monkeypatch.setenv("ARENA_CONTACT", "arena@example.org")
    monkeypatch.setenv("ARENA_RELEASE_LICENCE", "CC0-1.0")
    (tmp_path / "about.md").write_text("# Our arena\n", encoding="utf-8")
    (tmp_path / "privacy.md").write_text("No logs.", encoding="utf-8")
    (tmp_path / "logo.svg").write_text(LOGO, encoding="utf-8")
    site = read_site(load_settings())
    assert (site.title, site.licence) == ("Lab <b>Arena</b>", "CC0-1.0")
    assert site.contact_url == "mailto:arena@example.org"
    assert (site.about, site.privacy, site.logo) == ("# Our arena", "No logs.", LOGO)
    assert site.problems == ()


@pytest.mark.parametrize(
    ("drawing", "fault"),
    [
        ("<script>alert(1)</script>", "the element <script>"),
        ('<rect onload="alert(1)"/>', "the attribute onload"),
        ("<foreignObject><p/></foreignObject>", "the element <foreignObject>"),
        ('<a href="https://example.org"><rect/></a>', "the element <a>"),
        ('<use href="https://example.org/x.svg#a"/>', "outside the file"),
        ('<use xmlns:x="http://www.w3.org/1999/xlink" x:href="data:image/svg+xml,x"/>', "outside"),
        ('<image href="https://example.org/x.png"/>', "the element <image>"),
        ("<style>@import 'https://example.org/x.css';</style>", "outside the file"),
        ('<rect style="fill:url(https://example.org/x)"/>', "outside the file"),
        ('<set attributeName="href" to="javascript:alert(1)"/>', "the element <set>"),
        ("<rect", "it is not SVG"),
    ],
)
def test_a_logo_that_could_run_or_load_something_is_not_used(
    tmp_path: Path, drawing: str, fault: str
) -> None:
    (tmp_path / "logo.svg").write_text(SVG.format(drawing), encoding="utf-8")
    site = read_site(Settings(home=tmp_path))
    assert site.logo is None
    (problem,) = site.problems
    assert problem.startswith(f"{tmp_path / 'logo.svg'} is not used: ")
    assert fault in problem
    assert "\n" not in problem


@pytest.mark.parametrize(
    "document",
    [
        "<html><svg/></html>",
        "<svg/>",  # of no namespace, which browsers do not draw
        '<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + SVG.format("<text>&a;</text>"),
        "",
    ],
)
def test_other_documents_are_not_logos(document: str) -> None:
    assert svg_fault(document)


def test_the_shipped_logo_is_a_safe_one() -> None:
    folder = Path(__file__).parent.parent.parent / "arena" / "web" / "rendering"
    assert svg_fault((folder / "logo.svg").read_text(encoding="utf-8")) is None


def test_texts_that_cannot_be_shown_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "about.md").write_bytes(b"\xff\xfe not text")
    (tmp_path / "privacy.md").write_text("x" * 300_000, encoding="utf-8")
    (tmp_path / "logo.svg").mkdir()
    site = read_site(Settings(home=tmp_path))
    assert (site.about, site.privacy, site.logo) == (None, None, None)
    assert len(site.problems) == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TITLE", "x" * 101),
        ("TITLE", "two\nlines"),
        ("CONTACT", "javascript:alert(1)"),
        ("CONTACT", "nobody"),
        ("CONTACT", 'a@example.org"><script>'),
        ("RELEASE_LICENCE", "two\nlines"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"ARENA_{name}", value)
    with pytest.raises(ConfigurationError, match=f"^ARENA_{name} must be .*[^.][.]$"):
        load_settings()
