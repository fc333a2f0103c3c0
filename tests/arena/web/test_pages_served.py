"""The HTML and files that browsers load first: real titles, real 404s, compressed files."""

import gzip
import re
from urllib.parse import urljoin

import httpx
import pytest
from page_files import files_of

from arena.web.frontend.navigation import PAGES, Page
from arena.web.frontend.static_files import accepts_gzip
from arena.web.frontend.streamlit_page import streamlit_page
from raw_http import exchange, header_lines, status

GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_its_own_title_and_description(address: str, page: Page) -> None:
    path = f"/{page.path}"
    html = httpx.get(f"{address}{path}").text
    title = re.findall(r"<title>(.*?)</title>", html)
    description = re.findall(r'<meta name="description" content="(.+?)"', html)
    assert len(title) == len(description) == 1
    assert title[0].endswith("Hippodrome")
    assert "Streamlit app" not in html
    others = [httpx.get(f"{address}/{other.path}").text for other in PAGES if other is not page]
    assert not any(title[0] in other or description[0] in other for other in others)


UNKNOWN = [
    "/nothing",
    "/leaderboard/nothing",
    "/about.html",
    "/index.html",
    "/wp-login.php",
    "/.env",
    "/static/",
    "/static/nothing.js",
    "/static/manifest.json",
    "/manifest.json",
    "/_stcore/metrics",
    "/_stcore/agent/openapi.json",
    "/_stcore/upload_file/a/b",
    "/_stcore/script-health-check",
    "/app/static/x",
    "/oauth2callback",
]


@pytest.mark.parametrize("path", UNKNOWN)
def test_an_unknown_page_is_404(address: str, path: str) -> None:
    response = httpx.get(f"{address}{path}")
    assert response.status_code == 404
    assert "Page not found" in response.text
    assert httpx.post(f"{address}{path}").status_code in {403, 404}


TRAVERSALS = [
    "/static/../../../../../../etc/passwd",
    "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/static/..%2f..%2f..%2fetc%2fpasswd",
    "/static//etc/passwd",
    "/static/js/../../index.html",
    "/static/..\\..\\index.html",
    "/clip/../../secret_key",
    "/clip/%2e%2e%2f%2e%2e%2fsecret_key",
    "/assets/x/../../secret_key",
    "/media/../secret_key",
    "/media/%2e%2e%2fsecret_key",
    "/component/../../x",
    "/component/..%2f..%2fx/y",
    "/_stcore/bidi-components/..%2f..%2fx",
    "//evil.example/%2e%2e",
    "///evil.example",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leaves_the_files_that_are_served(address: str, path: str) -> None:
    host = address.removeprefix("http://")
    response = exchange(address, header_lines(host, "Connection: close", path=path))
    assert status(response) in {400, 403, 404}
    assert b"root:" not in response
    assert b"location:" not in response.lower()


def test_a_trailing_slash_leads_to_the_page_with_a_relative_address(address: str) -> None:
    response = httpx.get(f"{address}/leaderboard/")
    assert (response.status_code, response.headers["location"]) == (308, "../leaderboard")


def test_robots_and_icons_are_real(address: str) -> None:
    robots = httpx.get(f"{address}/robots.txt")
    assert robots.headers["content-type"].startswith("text/plain")
    assert "Disallow: /clip/" in robots.text
    for path in ("/favicon.ico", "/favicon.svg", "/favicon.png"):
        icon = httpx.get(f"{address}{path}")
        assert icon.headers["content-type"] == "image/svg+xml"
        assert icon.text.startswith("<svg")
        assert "set-cookie" not in icon.headers


@pytest.mark.parametrize("path", ["/", "/leaderboard"])
def test_files_of_a_page_are_compressed_once_and_cached_for_ever(address: str, path: str) -> None:
    urls = files_of(httpx.get(f"{address}{path}").text)
    assert len(urls) > 20
    with httpx.Client(base_url=address) as client:
        for url in urls:
            place = urljoin(path, url)
            plain = client.get(place, headers=PLAIN)
            packed = client.get(place, headers=GZIP)
            assert plain.status_code == packed.status_code == 200, url
            assert packed.content == plain.content
            if "favicon" in place:
                continue
            assert plain.headers["cache-control"] == "public, max-age=31536000, immutable", url
            if len(plain.content) > 2000:
                assert packed.headers["content-encoding"] == "gzip", url
                assert int(packed.headers["content-length"]) < len(plain.content) * 0.6, url
                assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
                assert packed.headers["etag"] != plain.headers["etag"]


def test_a_client_that_has_a_file_gets_304(address: str) -> None:
    first = httpx.get(address, headers=GZIP)
    headers = {**GZIP, "If-None-Match": f'W/"other", {first.headers["etag"]}'}
    again = httpx.get(address, headers=headers)
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]
    assert httpx.get(address, headers={**GZIP, "If-None-Match": '"other"'}).status_code == 200


def test_no_page_names_a_font_and_the_style_sheet_loads_none_at_the_start(address: str) -> None:
    html = httpx.get(address).text
    assert ".woff" not in html
    sheet = next(url for url in files_of(html) if "/static/css/" in url)
    style = httpx.get(urljoin(address + "/", sheet)).text
    assert "Source Sans;" not in style
    faces = re.findall(r"@font-face\{font-family:Material[^}]*\}", style)
    assert len(faces) == 1
    assert "unicode-range:U+21-10FFFF" in faces[0]


def test_streamlits_page_still_has_the_parts_that_are_replaced() -> None:
    page = streamlit_page()
    for part in ("<title>", "</head>", '<div id="root">', "./static/css/index.", "shortcut icon"):
        assert part in page, part


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("gzip;q=x", False),
        ("x-gzip2", False),
    ],
)
def test_accept_encoding_is_read_with_its_weights(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


def test_clips_and_the_api_are_not_compressed(voter: httpx.Client) -> None:
    battle = voter.post("/api/v1/battles", json={"track": "bars-audio"}, headers=GZIP)
    clip = voter.get(battle.json()["a"]["video"], headers=GZIP)
    assert clip.status_code == 200
    for response in (battle, clip):
        assert "content-encoding" not in response.headers
        assert "etag" not in response.headers
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(clip.content)
