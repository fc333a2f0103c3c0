"""A voter sees and downloads what the arena stores of it, and can leave."""

import time

import httpx
import pytest

from playable import TRACK

API = "/api/v1"
COOKIE = "arena_voter"


def answer(voter: httpx.Client, choice: str) -> dict[str, object]:
    """Ask for a battle and answer it; only a skip needs no watching."""
    battle = voter.post(f"{API}/battles", json={"track": TRACK}).json()
    if choice != "skip":
        time.sleep(battle["min_watch_ms"] / 1000)
    cast = voter.post(f"{API}/battles/{battle['token']}/vote", json={"choice": choice})
    assert cast.status_code == 200, cast.text
    return {"token": battle["token"], "prompt": battle["prompt"]["text"], **cast.json()}


def test_a_new_voter_has_no_votes(voter: httpx.Client) -> None:
    assert voter.get(f"{API}/me/votes").json() == {"votes": [], "before": None}
    assert voter.get(f"{API}/me/data").json()["voter"] is None
    assert voter.delete(f"{API}/me").json() == {"votes": 0}


def test_own_votes_are_listed_latest_first_and_in_pages(voter: httpx.Client) -> None:
    skips = [answer(voter, "skip") for _ in range(3)]
    listed = voter.get(f"{API}/me/votes").json()
    assert [vote["receipt"] for vote in listed["votes"]] == [s["receipt"] for s in skips[::-1]]
    latest = listed["votes"][0]
    assert (latest["choice"], latest["status"], latest["track"]) == ("skip", "skipped", TRACK)
    assert latest["prompt"] == skips[-1]["prompt"]
    assert latest["models"] is None, "a skip reveals nothing"
    first = voter.get(f"{API}/me/votes", params={"limit": 2}).json()
    rest = voter.get(f"{API}/me/votes", params={"limit": 2, "before": first["before"]}).json()
    assert first["votes"] + rest["votes"] == listed["votes"]
    assert rest["before"] is None
    vote = answer(voter, "b")
    models = [vote["reveal"][side]["name"] for side in ("a", "b")]  # type: ignore[index]
    latest = voter.get(f"{API}/me/votes").json()["votes"][0]
    assert (latest["choice"], latest["status"], latest["models"]) == ("b", "counted", models)
    for wrong in ({"limit": 0}, {"limit": 101}, {"before": "x"}):
        assert voter.get(f"{API}/me/votes", params=wrong).status_code == 422


def test_what_is_stored_can_be_downloaded_without_the_secret(voter: httpx.Client) -> None:
    skip = answer(voter, "skip")
    response = voter.get(f"{API}/me/data")
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.headers["cache-control"] == "no-store"
    data = response.json()
    assert [vote["receipt"] for vote in data["votes"]] == [skip["receipt"]]
    assert skip["token"] in {battle["token"] for battle in data["battles"]}
    assert data["voter"]["kind"] == "person"
    key = voter.cookies[COOKIE].split(".")[0]
    assert key not in response.text


def test_who_leaves_is_a_new_voter_and_the_votes_stay_without_one(
    voter: httpx.Client, address: str
) -> None:
    skip = answer(voter, "skip")
    old_cookie = voter.cookies[COOKIE]
    assert voter.delete(f"{API}/me").json() == {"votes": 1}
    assert voter.cookies[COOKIE] != old_cookie
    assert voter.get(f"{API}/me").json()["skips"] == 0
    assert voter.get(f"{API}/receipts/{skip['receipt']}").json()["status"] == "skipped"
    with httpx.Client(base_url=address, cookies={COOKIE: old_cookie}) as old:
        assert old.get(f"{API}/me/votes").json()["votes"] == []
        repeated = old.post(f"{API}/battles/{skip['token']}/vote", json={"choice": "skip"})
        assert repeated.status_code == 404


def test_no_other_site_and_no_other_voter_can_read_or_delete_them(
    voter: httpx.Client, address: str
) -> None:
    skip = answer(voter, "skip")
    assert voter.delete(f"{API}/me", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    with httpx.Client(base_url=address) as stranger:
        assert stranger.get(f"{API}/me/votes").json()["votes"] == []
        stranger.delete(f"{API}/me")
    listed = voter.get(f"{API}/me/votes").json()["votes"]
    assert [vote["receipt"] for vote in listed] == [skip["receipt"]]


@pytest.mark.parametrize("path", ["me/votes", "me/data"])
def test_they_are_not_for_every_origin(voter: httpx.Client, path: str) -> None:
    response = voter.get(f"{API}/{path}", headers={"Origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in response.headers
