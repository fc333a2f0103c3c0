"""Cookies that are thrown away get no more battles, over HTTP and behind a trusted proxy."""

import time
from functools import partial
from pathlib import Path

import httpx
import pytest
import stepped_clock

from playable import TRACK, make_playable_arena, served

API = "/api/v1"
HOUR_S = 3600


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("limited")
    make_playable_arena(folder).database.dispose()
    return folder


def ask(address: str, client_address: str, **form: str) -> httpx.Response:
    """A browser without a cookie asks for a battle."""
    headers = {"X-Forwarded-For": client_address}
    return httpx.post(f"{address}{API}/battles", json={"track": TRACK, **form}, headers=headers)


def test_a_network_that_never_votes_gets_no_more_until_the_next_hour(limited: Path) -> None:
    clock = limited / "clock"
    clock.write_text(str(HOUR_S / 2 - time.time() % HOUR_S))  # no hour begins during the test
    limits = {"ARENA_NETWORK_LIMIT": "6/hour", "ARENA_TRUSTED_PROXIES": "127.0.0.1"}
    serve = partial(
        served, limited, program=(stepped_clock.__file__,), CLOCK_FILE=str(clock), **limits
    )
    with serve() as address:
        statuses = [ask(address, f"203.0.113.{number}").status_code for number in range(5)]
        assert statuses == [201, 201, 201, 429, 429]
        assert ask(address, "198.51.100.1").status_code == 201
    with serve() as address:  # after a restart
        refused = ask(address, "203.0.113.9")
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["type"] == "too-many"
        assert 0 < int(refused.headers["retry-after"]) <= 3600
        assert "come back in" in refused.json()["detail"]
        assert "set-cookie" in refused.headers


def test_a_small_category_is_refused_and_not_offered(voter: httpx.Client) -> None:
    tracks = {track["name"]: track for track in voter.get(f"{API}/tracks").json()}
    small = set(tracks[TRACK]["categories"]) - set(tracks[TRACK]["battle_categories"])
    assert "overall" in tracks[TRACK]["battle_categories"]
    for category in small:
        refused = voter.post(f"{API}/battles", json={"track": TRACK, "category": category})
        assert (refused.status_code, refused.json()["type"]) == (409, "small-category")


def test_a_vote_whose_models_were_named_cannot_be_withdrawn(voter: httpx.Client) -> None:
    battle = voter.post(f"{API}/battles", json={"track": TRACK}).json()
    path = f"{API}/battles/{battle['token']}/vote"
    assert voter.delete(path).status_code == 404
    assert voter.post(path, json={"choice": "skip"}).status_code == 200
    refused = voter.delete(path)
    assert (refused.status_code, refused.json()["type"]) == (409, "not-withdrawable")
