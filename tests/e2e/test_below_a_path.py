"""The arena below a path, behind real proxies that remove the path or pass it on."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from playable import TRACK, make_playable_arena, served
from proxies import caddy, missing, nginx, reserved_port
from raw_http import connect, exchange, header_lines, read_head, status
from small_arena import NAMES

PROXIES = [
    ("nginx", False),
    ("nginx", True),
    ("caddy", False),
    ("caddy", True),
]
HANDSHAKE = (
    *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
NOTICE_MS = 11_000  # after which a page says that it is not connected
CLOSE_FRAME = b"\x88\x80\x00\x00\x00\x00"


@pytest.fixture(scope="module")
def public() -> Iterator[str]:
    with reserved_port() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory, public: str) -> Iterator[str]:
    home = tmp_path_factory.mktemp("arena")
    make_playable_arena(home).database.dispose()
    with served(home, ARENA_PUBLIC_URL=f"{public}/arena/") as address:
        yield address


@pytest.fixture(params=PROXIES, ids=lambda each: f"{each[0]}-{'strips' if each[1] else 'keeps'}")
def address(
    request: pytest.FixtureRequest, upstream: str, public: str, tmp_path: Path
) -> Iterator[str]:
    """The arena's address behind one of the proxies."""
    name, strip = request.param
    if reason := missing(name):
        pytest.skip(reason)
    port = int(urlsplit(public).port or 0)
    with ExitStack() as stack:
        if name == "nginx":
            proxy = nginx(tmp_path / "proxy", upstream, port, strip=strip, upgrade=True)
        else:
            proxy = caddy(tmp_path / "proxy", upstream, port, strip=strip)
        stack.enter_context(proxy)
        yield f"{public}/arena/"


def links(html: str) -> list[str]:
    parts = html.replace("'", '"').split('"')
    return [value for before, value in pairwise(parts) if before.endswith(("href=", "src="))]


def test_everything_is_served_below_the_path(address: str) -> None:
    with httpx.Client(timeout=60) as client:
        first = client.get(address.rstrip("/"), follow_redirects=True)
        assert str(first.url) == address
        assert [cookie.path for cookie in client.cookies.jar] == ["/arena/"]
        for path in ("", "leaderboard", "about", "leaderboard/"):
            page = client.get(address + path, follow_redirects=True)
            assert page.status_code == 200, path
            assert str(page.url) == address + path.rstrip("/")
            for link in links(page.text):
                url = urljoin(str(page.url), link)
                assert url.startswith(address), url
                assert client.get(url).status_code == 200, url
        lost = client.get(f"{address}nothing")
        assert lost.status_code == 404
        assert {urljoin(str(lost.url), link) for link in links(lost.text)} == {
            address + path for path in ("", "leaderboard", "about", "favicon.svg")
        }
        assert "/arena/clip/" in client.get(f"{address}robots.txt").text


def test_the_api_and_the_clips_are_below_the_path(address: str) -> None:
    origin = f"http://{urlsplit(address).netloc}"
    with httpx.Client(timeout=60, headers={"Origin": origin}) as client:
        asked = client.post(f"{address}api/v1/battles", json={"track": TRACK})
        assert asked.status_code == 201, asked.text
        assert "Path=/arena/" in asked.headers["set-cookie"]
        url = asked.json()["a"]["video"]
        assert url.startswith("/arena/clip/")
        clip = client.get(urljoin(address, url), headers={"Range": "bytes=0-99"})
        assert (clip.status_code, len(clip.content)) == (206, 100)
        document = client.get(f"{address}api/openapi.json").json()
        assert document["servers"] == [{"url": "/arena"}]
        docs = client.get(f"{address}api/docs")
        for link in links(docs.text):
            assert urljoin(str(docs.url), link) == f"{address}api/openapi.json"
        foreign = {"Origin": "https://evil.example"}
        refused = client.post(f"{address}api/v1/battles", json={"track": TRACK}, headers=foreign)
        assert refused.status_code == 403
        assert client.get(f"{address}api/v1/tracks/").status_code == 404


def test_a_proxy_and_the_arena_agree_where_a_request_ends(address: str) -> None:
    parts = urlsplit(address)
    head = header_lines(
        parts.netloc,
        *("Transfer-Encoding: chunked", "Content-Length: 5", "Connection: close"),
        method="POST",
        path=f"{parts.path}api/v1/battles",
    )
    response = exchange(f"http://{parts.netloc}", head + b"0\r\n\r\n")
    assert status(response) in {400, 422}  # Caddy removes the length; the empty body is malformed
    assert response.count(b"HTTP/1.1 ") == 1


def test_the_websocket_is_below_the_path(address: str) -> None:
    parts = urlsplit(address)
    origin = f"http://{parts.netloc}"

    def handshake(origin: str) -> int:
        head = header_lines(
            parts.netloc, *HANDSHAKE, f"Origin: {origin}", path=f"{parts.path}_stcore/stream"
        )
        with connect(f"http://{parts.netloc}") as connection:
            connection.sendall(head + CLOSE_FRAME)
            # A proxy may keep the connection after a refusal, so this does not read to the end.
            return status(read_head(connection))

    assert handshake(origin) == 101
    assert handshake("https://evil.example") == 403


def test_pages_work_in_a_browser(page: Page, address: str) -> None:
    failed: list[str] = []
    page.on(
        "response",
        lambda answer: failed.append(answer.url) if answer.status >= 400 else None,
    )
    page.goto(f"{address}leaderboard")
    for name in NAMES:
        expect(page.get_by_role("rowheader", name=name).first).to_be_visible()
    expect(page.locator("#no-connection")).to_have_count(0)
    clips: list[str] = []
    page.on("response", lambda answer: clips.append(f"{answer.status} {answer.url}"))
    page.goto(address)
    expect(page.get_by_text("Prompt p-").first).to_be_visible()
    page.wait_for_function(
        "[...document.querySelectorAll('video')].filter((video) => video.readyState > 1).length > 1"
    )
    assert any(f" {address}clip/" in clip for clip in clips)
    assert not [clip for clip in clips if address not in clip and "blob:" not in clip]
    assert failed == []


def test_a_proxy_without_upgrade_gives_a_sentence_and_the_vote_page_works(
    page: Page, upstream: str, public: str, tmp_path: Path
) -> None:
    if reason := missing("nginx"):
        pytest.skip(reason)
    port = int(urlsplit(public).port or 0)
    with nginx(tmp_path / "proxy", upstream, port, strip=False, upgrade=False):
        page.clock.install()
        page.goto(f"{public}/arena/leaderboard")
        page.clock.fast_forward(NOTICE_MS)
        notice = page.locator("#no-connection")
        expect(notice).to_be_visible()
        expect(notice).to_contain_text("cannot connect")
        page.goto(f"{public}/arena/")
        expect(page.get_by_text("Prompt p-").first).to_be_visible()
        page.clock.fast_forward(NOTICE_MS)
        assert page.locator("#no-connection").count() == 0


def test_without_the_proxy_the_loopback_answers_with_and_without_the_path(upstream: str) -> None:
    for prefix in ("", "/arena"):
        assert httpx.get(f"{upstream}{prefix}/leaderboard").status_code == 200
        assert httpx.get(f"{upstream}{prefix}/api/v1/tracks").status_code == 200
    assert httpx.get(f"{upstream}/arenas/api/v1/tracks").status_code == 404
