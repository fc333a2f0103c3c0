"""What every site may read: CORS for all origins, HEAD, and no voter's cookie."""

import httpx
import pytest

from playable import TRACK

PUBLIC = {
    "/api/v1/tracks": 200,
    f"/api/v1/leaderboard?track={TRACK}": 200,
    f"/api/v1/leaderboard?track={TRACK}&format=csv": 200,
    f"/api/v1/production?track={TRACK}": 200,
    "/api/v1/receipts/none": 404,
    "/api/v1/releases": 200,
    "/api/v1/releases/none": 404,
    "/api/v1/releases/none.zip": 404,
    f"/api/v1/tracks/{TRACK}/registration": 404,
    "/api/v1/seals": 200,
    "/api/v1/seals/consistency?first=0&second=9": 404,
    "/api/v1/leaderboard": 422,
    "/api/openapi.json": 200,
}
FOREIGN = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}


@pytest.mark.parametrize(("path", "status"), PUBLIC.items())
def test_any_site_can_read_it_and_no_cookie_is_set(address: str, path: str, status: int) -> None:
    for method in ("GET", "HEAD"):
        response = httpx.request(method, f"{address}{path}", headers=FOREIGN)
        assert response.status_code == status, method
        assert response.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in response.headers
        assert "set-cookie" not in response.headers


@pytest.mark.parametrize("path", PUBLIC)
def test_a_preflight_request_is_answered(address: str, path: str) -> None:
    headers = {**FOREIGN, "Access-Control-Request-Method": "GET"}
    response = httpx.options(f"{address}{path}", headers=headers)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/battles", "/", "/clip/none.mp4"])
def test_what_belongs_to_a_voter_is_for_the_arenas_own_pages_only(address: str, path: str) -> None:
    response = httpx.get(f"{address}{path}", headers=FOREIGN)
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("path", [*PUBLIC, "/", "/about", "/api/docs", "/healthz", "/readyz"])
def test_head_has_the_headers_of_get_and_no_body(address: str, path: str) -> None:
    head, get = httpx.head(f"{address}{path}"), httpx.get(f"{address}{path}")
    assert head.status_code == get.status_code
    assert head.content == b""
    for name in ("content-type", "content-length", "etag", "cache-control"):
        assert head.headers.get(name) == get.headers.get(name), name


@pytest.mark.parametrize("path", ["/api", "/api/"])
def test_the_root_of_the_api_leads_to_its_documentation(address: str, path: str) -> None:
    answer = httpx.get(f"{address}{path}")
    assert answer.status_code == 307
    assert not answer.headers["location"].startswith(("/", "http"))  # holds below a base path
    page = httpx.get(f"{address}{path}", follow_redirects=True)
    assert (page.status_code, page.url.path) == (200, "/api/docs")


def test_a_client_gets_its_cookie_from_the_first_page_or_battle(address: str) -> None:
    with httpx.Client(base_url=address) as client:
        client.get("/api/v1/tracks")
        assert not client.cookies
        asked = client.post("/api/v1/battles", json={"track": TRACK})
        assert asked.status_code == 201
        assert client.cookies.get("arena_voter")
        assert client.post("/api/v1/battles", json={"track": TRACK}).json() == asked.json()
    assert "arena_voter=" in httpx.get(address).headers["set-cookie"]
    assert "arena_voter=" in httpx.get(f"{address}/api/v1/me").headers["set-cookie"]
