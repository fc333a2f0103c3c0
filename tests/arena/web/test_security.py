"""Security headers on every kind of response, the content security policy, and CSRF refusals."""

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from arena.context import Arena, open_arena
from arena.settings import Settings
from arena.web.app import add_security, make_api
from arena.web.frontend.assets import asset_url
from arena.web.routes import group_commit
from playable import TRACK

BATTLES = "/api/v1/battles"

PAGES = ["/", "/leaderboard", "/releases", "/me", "/about"]
OTHER_HTML = ["/api/docs"]
RESPONSES = {
    **dict.fromkeys([*PAGES, *OTHER_HTML], 200),
    **dict.fromkeys(["/api/v1/tracks", "/api/v1/me", "/api/openapi.json"], 200),
    f"/api/v1/leaderboard?track={TRACK}": 200,
    f"/api/v1/leaderboard?track={TRACK}&format=csv": 200,
    f"/api/v1/production?track={TRACK}": 200,
    asset_url("mount.js"): 200,
    asset_url("duel.css"): 200,
    **dict.fromkeys(["/healthz", "/readyz", "/metrics", "/_stcore/health"], 200),
    "/api/v1/leaderboard": 422,
    "/api/v1/leaderboard?track=none": 404,
    "/api/v1/nothing": 404,
    "/api/v1/battles": 405,
    "/api/v1/receipts/none": 404,
    "/assets/0/mount.js": 404,
    "/clip/forged.mp4": 404,
}

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}


def assert_secure(response: httpx.Response) -> None:
    for name, value in HEADERS.items():
        assert response.headers.get_list(name) == [value], name
    is_html = response.headers.get("content-type", "").startswith("text/html")
    assert len(response.headers.get_list("Content-Security-Policy")) == is_html
    assert "server" not in response.headers


@pytest.mark.parametrize(("path", "status"), RESPONSES.items())
def test_every_kind_of_response_has_the_security_headers(
    voter: httpx.Client, path: str, status: int
) -> None:
    response = voter.get(path)
    assert response.status_code == status
    assert_secure(response)


def test_clips_have_the_security_headers(voter: httpx.Client) -> None:
    clip = voter.post(BATTLES, json={"track": TRACK}).json()["a"]["video"]
    for headers, status in (
        ({}, 200),
        ({"Range": "bytes=0-9"}, 206),
        ({"Range": "bytes=99999999-"}, 416),
    ):
        response = voter.get(clip, headers=headers)
        assert response.status_code == status
        assert_secure(response)
    assert_secure(voter.head(clip))


@pytest.mark.parametrize("path", [*PAGES, *OTHER_HTML])
def test_the_policy_of_pages_allows_no_foreign_source_and_no_inline_script(
    voter: httpx.Client, path: str
) -> None:
    policy = voter.get(path).headers["content-security-policy"]
    directives = {
        name: sources.split()
        for name, _, sources in (part.strip().partition(" ") for part in policy.split(";"))
    }
    assert directives["default-src"] == ["'none'"]
    for name in ("base-uri", "object-src", "frame-ancestors"):
        assert directives[name] == ["'none'"], name
    assert "'unsafe-inline'" not in directives["script-src"]
    allowed = re.compile(r"'(none|self|unsafe-inline|unsafe-eval|sha256-[\w+/=]+)'|data:|blob:")
    for name, sources in directives.items():
        assert all(allowed.fullmatch(source) for source in sources), name


def test_the_inline_scripts_of_pages_are_those_that_the_policy_allows(voter: httpx.Client) -> None:
    response = voter.get("/")
    scripts = re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL)
    assert scripts
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in response.headers["content-security-policy"]


@pytest.fixture
def arena(home: Path) -> Iterator[Arena]:
    opened = open_arena(Settings(home=home))
    yield opened
    opened.database.dispose()


def client_of(arena: Arena, base_url: str = "http://arena.example") -> TestClient:
    app = add_security(make_api(arena), arena)
    return TestClient(app, base_url=base_url, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),  # not a browser
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://arena.example"}, 201),
        ({"Sec-Fetch-Site": "none"}, 201),
        ({"Origin": "http://arena.example"}, 201),  # a browser without Sec-Fetch-Site
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),  # another host of the same domain
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),  # a sandboxed frame, or a file
        ({"Origin": "https://arena.example"}, 403),  # another scheme
        ({"Origin": "http://arena.example:81"}, 403),  # another port
        ({"Origin": "http://arena.example.elsewhere.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://arena.example"}, 403),
    ],
)
def test_requests_from_another_site_are_refused(
    arena: Arena, headers: dict[str, str], status: int
) -> None:
    response = client_of(arena).post(BATTLES, json={"track": TRACK}, headers=headers)
    assert response.status_code == status
    assert_secure(response)
    if status == 403:
        assert response.json()["type"] == "cross-site"
        assert response.headers["content-type"] == "application/problem+json"


def test_a_refused_vote_is_not_stored(arena: Arena) -> None:
    client = client_of(arena)
    battle = client.post(BATTLES, json={"track": TRACK}).json()
    vote = {"choice": "skip"}
    path = f"{BATTLES}/{battle['token']}/vote"
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}
    assert client.post(path, json=vote, headers=foreign).status_code == 403
    assert client.get("/api/v1/me").json()["skips"] == 0
    assert client.post(path, json=vote).status_code == 200
    assert client.get("/api/v1/me").json()["skips"] == 1


def test_reading_from_another_site_is_not_refused(arena: Arena) -> None:
    response = client_of(arena).get("/api/v1/tracks", headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 200


def test_the_public_url_is_an_allowed_origin_and_https_makes_everything_secure(home: Path) -> None:
    opened = open_arena(Settings(home=home, public_url="https://vote.example/arena"))
    client = client_of(opened)  # a proxy ends TLS: the request itself is plain
    response = client.post(
        BATTLES, json={"track": TRACK}, headers={"Origin": "https://vote.example"}
    )
    assert response.status_code == 201
    assert "max-age=" in response.headers["strict-transport-security"]
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-arena_voter=")
    assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    opened.database.dispose()


def test_plain_http_has_no_hsts(arena: Arena) -> None:
    assert "strict-transport-security" not in client_of(arena).get("/healthz").headers
    over_tls = client_of(arena, "https://arena.example").get("/healthz")
    assert "strict-transport-security" in over_tls.headers


def test_an_unexpected_error_is_a_problem_document_without_its_cause(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("the secret name of an entrant")

    monkeypatch.setattr(group_commit, "answer_requests", fail)
    client = client_of(arena)
    for path, body in ((BATTLES, {"track": TRACK}), (f"{BATTLES}/token/vote", {"choice": "a"})):
        response = client.post(path, json=body)
        assert (response.status_code, response.json()["type"]) == (500, "internal")
        assert "secret" not in response.text
        assert_secure(response)
