"""The HTTP contract over a real socket: battles, clips, votes, leaderboard, receipts, the page."""

import base64
import re
import time
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from page_files import files_of

from arena.audit.chain import check_chain
from arena.audit.merkle import is_consistent, root_from_inclusion, split_hashes
from arena.audit.seals import seal_votes
from arena.context import open_arena, utc_now
from arena.web.frontend.assets import asset_url, duel_assets
from arena.web.routes.schemas import VoteResponse
from playable import TRACK, settings_for

API = "/api/v1"
LAG_S = 180.0  # a leaderboard may lag behind a vote by a minute, more on a slow machine


def ask(voter: httpx.Client, track: str = TRACK) -> httpx.Response:
    return voter.post(f"{API}/battles", json={"track": track, "category": None})


def vote(voter: httpx.Client, token: str, **body: object) -> httpx.Response:
    return voter.post(f"{API}/battles/{token}/vote", json=body)


def is_problem(response: httpx.Response, status: int) -> bool:
    kind = response.headers["content-type"].split(";")[0]
    return response.status_code == status and kind == "application/problem+json"


def test_a_vote_from_its_battle_to_the_leaderboard(voter: httpx.Client) -> None:
    asked = ask(voter)
    battle = asked.json()
    assert asked.status_code == 201
    assert battle.keys() == {
        *("token", "track", "prompt", "a", "b", "expires_at", "min_watch_ms", "next")
    }
    assert ask(voter).json() == battle
    while not is_problem(early := vote(voter, battle["token"], choice="a"), 425):
        # On a busy machine the watch time had passed; the next battle opened with this answer.
        battle = early.json()["next"]
    time.sleep(battle["min_watch_ms"] / 1000)
    cast = vote(voter, battle["token"], choice="a", watched_ms={"a": 1000, "b": 1000}, first="a")
    answer = cast.json()
    assert cast.status_code == 200
    assert answer.keys() == {"choice", "receipt", "status", "reveal", "next"}
    assert answer["next"]["token"] == battle["next"]["token"]
    parsed = VoteResponse.model_validate(answer)
    assert parsed.model_dump(mode="json", exclude_unset=True) == answer  # no hold: it counts
    again = vote(voter, battle["token"], choice="a").json()
    assert {**again, "next": None} == {**answer, "next": None}
    assert is_problem(vote(voter, battle["token"], choice="b"), 409)

    deadline = time.monotonic() + LAG_S
    while True:
        board = voter.get(f"{API}/leaderboard", params={"track": TRACK}).json()
        counts = {row["model"]: row["vote_count"] for row in board.get("rows", [])}
        if counts.get(answer["reveal"]["a"]["name"], 0) >= 1:
            break
        assert time.monotonic() < deadline, board
        time.sleep(0.2)
    table = voter.get(f"{API}/leaderboard", params={"track": TRACK, "format": "csv"}).text
    assert table.startswith("rank,rank_lower,rank_upper,model,rating,")
    receipt = voter.get(f"{API}/receipts/{answer['receipt']}").json()
    assert receipt["status"] == "counted"
    assert receipt.keys() >= {"vote_id", "track", "cast_at", "sealed_in"}


MALFORMED = {
    "not JSON": b"{",
    "empty": b"",
    "no encoding": b'{"track": "\x80"}',
    "nested too deeply": b"[" * 5000,
    "a number of too many digits": b"1" * 6000,
    "no object": b"[]",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_every_route_says_of_a_malformed_body_that_it_is_malformed(
    voter: httpx.Client, body: bytes
) -> None:
    token = ask(voter).json()["token"]
    time.sleep(1.0)  # of watching, so that the vote is not too early
    for path in ("battles", f"battles/{token}/vote", f"battles/{token}/broken"):
        headers = {"Content-Type": "application/json"}
        answer = voter.post(f"{API}/{path}", content=body, headers=headers)
        assert is_problem(answer, 422), (path, answer.text)
        assert answer.json()["type"] == "malformed", path


def test_every_track_has_the_label_that_pages_show(voter: httpx.Client) -> None:
    labels = {track["name"]: track["label"] for track in voter.get(f"{API}/tracks").json()}
    assert labels["text-to-video-audio"] == "Text to video with sound"
    assert labels["video-edit"] == "Video edit"


def test_clips_are_served_in_ranges_to_their_voter_only(voter: httpx.Client, address: str) -> None:
    battle = ask(voter).json()
    whole = [voter.get(battle[side]["video"]) for side in ("a", "b")]
    assert {answer.status_code for answer in whole} == {200}
    assert len({len(answer.content) for answer in whole}) == 1
    assert b"ftyp" in whole[0].content[:16]
    part = voter.get(battle["a"]["video"], headers={"Range": "bytes=10-19"})
    assert part.status_code == 206
    assert part.content == whole[0].content[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole[0].content)}"
    for digits in ("99999999", "9" * 5000):
        beyond = voter.get(battle["a"]["video"], headers={"Range": f"bytes={digits}-"})
        assert beyond.status_code == 416
        last = voter.get(battle["a"]["video"], headers={"Range": f"bytes=-{digits}"})
        assert (last.status_code, last.content) == (206, whole[0].content)
    volatile = {"date", "x-request-id"}
    shown = [{k: v for k, v in answer.headers.items() if k not in volatile} for answer in whole]
    assert shown[0] == shown[1]
    assert not {"etag", "last-modified"} & shown[0].keys()
    with httpx.Client(base_url=address) as stranger:
        assert stranger.get(battle["a"]["video"]).status_code == 404
    assert voter.get("/clip/forged.mp4").status_code == 404


def test_refusals_are_problem_documents_with_their_status(
    voter: httpx.Client, address: str
) -> None:
    assert is_problem(ask(voter, "no-such-track"), 404)
    empty = ask(voter, "text-to-video")
    assert is_problem(empty, 409)
    assert empty.json()["type"].endswith("no-pair")
    battle = ask(voter).json()
    unknown = vote(voter, "x" * 22, choice="a")
    with httpx.Client(base_url=address) as stranger:
        foreign = vote(stranger, battle["token"], choice="a")
    assert is_problem(unknown, 404)
    assert unknown.content == foreign.content
    time.sleep(battle["min_watch_ms"] / 1000)
    assert is_problem(vote(voter, battle["token"], choice="c"), 422)
    assert vote(voter, battle["token"], choice="skip").json()["status"] == "skipped"


def test_the_cookie_is_signed_and_a_forged_one_gives_a_new_voter(address: str) -> None:
    first = httpx.get(f"{address}{API}/me")
    cookie = first.headers["set-cookie"]
    assert cookie.startswith("arena_voter=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    forged = httpx.get(f"{address}{API}/me", cookies={"arena_voter": "forged.value"})
    assert forged.status_code == 200
    assert "arena_voter=" in forged.headers["set-cookie"]


def test_unavailable_media_give_503_until_they_are_back(voter: httpx.Client, home: Path) -> None:
    clip = ask(voter).json()["a"]["video"]
    (home / "media").rename(home / "elsewhere")
    try:
        assert is_problem(voter.get("/readyz"), 503)
        assert is_problem(voter.get(clip), 503)
        assert voter.get("/healthz").status_code == 200
    finally:
        (home / "elsewhere").rename(home / "media")
    assert voter.get("/readyz").status_code == 200
    assert voter.get(clip).status_code == 200


def test_operators_can_ask_whether_the_process_and_its_stores_work(voter: httpx.Client) -> None:
    assert voter.get("/healthz").json() == {"status": "ok"}
    ready = {"status": "ready", "database": "ok", "media": "ok"}
    assert voter.get("/readyz").json() == ready


def test_the_api_page_documents_every_operation(voter: httpx.Client) -> None:
    document = voter.get("/api/openapi.json").json()
    page = voter.get("/api/docs").text
    operations = [
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    ]
    assert ("POST", "/api/v1/battles/{token}/vote") in operations
    for method, path in operations:
        assert f"<b>{method}</b> {path}" in page
        assert document["paths"][path][method.lower()]["description"]


@pytest.mark.parametrize("path", ["/", "/leaderboard", "/about"])
def test_what_a_page_loads_is_served(voter: httpx.Client, path: str) -> None:
    page = voter.get(path)
    assert page.headers["content-type"].startswith("text/html")
    urls = files_of(page.text, relations=("stylesheet", "modulepreload"))
    assert any(".js" in url for url in urls)
    assert any(".css" in url for url in urls)
    for url in urls:
        resource = voter.get(urljoin(path, url))
        assert resource.status_code == 200, url
        kind = "css" if ".css" in url else "javascript"
        assert kind in resource.headers["content-type"], url


def test_the_modules_of_the_pages_import_only_modules_that_are_served(
    voter: httpx.Client,
) -> None:
    pending, modules = [asset_url("mount.js"), asset_url("own-votes.js")], set[str]()
    while pending:
        url = pending.pop()
        if url in modules:
            continue
        modules.add(url)
        module = voter.get(url)
        assert module.status_code == 200, url
        assert module.headers["content-type"].startswith("text/javascript")
        assert "immutable" in module.headers["cache-control"]
        imports = re.findall(
            r"^import .*? from \"([^\"]+)\";", module.text, re.MULTILINE | re.DOTALL
        )
        pending += [urljoin(url, name) for name in imports]
    shipped = {asset_url(name) for name in duel_assets() if name.endswith(".js")}
    assert modules == shipped


def test_nothing_before_the_vote_names_an_entrant(voter: httpx.Client) -> None:
    battle = ask(voter)
    sent = battle.content + str(battle.headers).encode()
    for side in ("a", "b"):
        clip = voter.get(battle.json()[side]["video"])
        sent += clip.content + str(clip.headers).encode()
    assert not [word for word in (b"Alder", b"Birch", b"Cedar", b"x264", b"Lavf") if word in sent]


def test_a_receipt_proves_that_its_vote_is_in_a_signed_seal(
    voter: httpx.Client, home: Path
) -> None:
    battle = ask(voter).json()
    time.sleep(battle["min_watch_ms"] / 1000)
    code = vote(voter, battle["token"], choice="b").json()["receipt"]
    arena = open_arena(settings_for(home))
    before = seal_votes(arena, now=utc_now())
    arena.database.dispose()
    receipt = voter.get(f"{API}/receipts/{code}").json()
    assert isinstance(receipt["sealed_in"], int)
    proof = receipt["proof"]
    hashes = split_hashes(base64.b64decode(proof["path"]))
    leaf = bytes.fromhex(proof["leaf"])
    root = root_from_inclusion(leaf, proof["index"], proof["size"], hashes)
    assert root is not None
    assert root.hex() == proof["root"]

    page = voter.get(f"{API}/seals").json()
    chain = check_chain(page["keys"], page["seals"])
    assert chain.seals[receipt["sealed_in"]].root == proof["root"]
    first, last = 0, before[-1].number
    both = voter.get(f"{API}/seals/consistency", params={"first": first, "second": last}).json()
    roots = [bytes.fromhex(both[name]["root"]) for name in ("first", "second")]
    sizes = [both[name]["size"] for name in ("first", "second")]
    path = split_hashes(base64.b64decode(both["path"]))
    assert is_consistent(sizes[0], roots[0], sizes[1], roots[1], path)
    for wrong in ({"first": last, "second": 99}, {"first": 99, "second": last}):
        assert is_problem(voter.get(f"{API}/seals/consistency", params=wrong), 404)
