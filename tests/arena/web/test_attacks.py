"""Attacks over HTTP: votes sent many times at once, limits of several processes, odd texts."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from arena.context import open_arena
from arena.models import Battle, Vote
from playable import TRACK, make_playable_arena, served, settings_for

API = "/api/v1"
AT_ONCE = 64
LIMIT = 3  # votes a minute


def ask(voter: httpx.Client, **form: str) -> httpx.Response:
    return voter.post(f"{API}/battles", json={"track": TRACK, **form})


def send(voter: httpx.Client, token: str, choice: str = "a") -> httpx.Response:
    return voter.post(f"{API}/battles/{token}/vote", json={"choice": choice})


def watch(battle: dict[str, int]) -> None:
    time.sleep(battle["min_watch_ms"] / 1000)


def test_a_vote_that_is_sent_64_times_at_once_is_stored_once(
    voter: httpx.Client, home: Path
) -> None:
    """Every request gets the same receipt; one with another choice is refused."""
    battle = ask(voter).json()
    watch(battle)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: send(voter, battle["token"]), range(AT_ONCE)))
    # Beyond the queue, requests are refused and can be repeated.
    assert {answer.status_code for answer in answers} <= {200, 503}
    receipts = {answer.json()["receipt"] for answer in answers if answer.status_code == 200}
    assert len(receipts) == 1
    assert send(voter, battle["token"], "b").status_code == 409
    arena = open_arena(settings_for(home))
    with arena.database.reading() as session:
        stored = select(func.count(Vote.id)).join(Battle, Battle.id == Vote.battle_id)
        assert session.scalar(stored.where(Battle.token == battle["token"])) == 1
    arena.database.dispose()


def test_a_limit_of_votes_holds_over_two_servers_of_which_one_starts_later(tmp_path: Path) -> None:
    """Servers share the database: what one accepted counts in the other, and after a start."""
    make_playable_arena(tmp_path).database.dispose()
    limits = {"ARENA_RATE_LIMIT": f"{LIMIT}/hour"}
    cookies = httpx.Cookies()

    def vote_at(address: str) -> httpx.Response:
        with httpx.Client(base_url=address, cookies=cookies, timeout=60) as voter:
            battle = ask(voter).json()
            watch(battle)
            answer = send(voter, battle["token"])
            cookies.update(voter.cookies)
            return answer

    with served(tmp_path, **limits) as first:
        statuses = [vote_at(first).status_code for _ in range(LIMIT - 1)]
        with served(tmp_path, **limits) as second:
            refused = [vote_at(address) for address in (second, first, second)]
    assert [*statuses, *(answer.status_code for answer in refused)] == [200] * LIMIT + [429] * 2
    assert int(refused[-1].headers["retry-after"]) > 0


PAYLOADS = (
    "' OR '1'='1",
    "'; DROP TABLE vote; --",
    '" UNION SELECT key FROM voter --',
    "<script>alert(1)</script>",
    "{{7*7}}${7*7}",
    "../../secret_key",
    "%00",
    "\u202eabc",
    "=cmd|' /C calc'!A0",
    "\N{GRINNING FACE}",
)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_odd_texts_in_requests_are_refused_as_json_and_change_nothing(
    voter: httpx.Client, payload: str
) -> None:
    tracks = voter.get(f"{API}/tracks").json()
    answers = [
        ask(voter, track=payload),
        ask(voter, category=payload),
        send(voter, payload.replace("/", "-")),
        voter.get(f"{API}/receipts/{payload.replace('/', '-')}"),
        *(
            voter.get(f"{API}/leaderboard", params={"track": TRACK, name: payload})
            for name in ("track", "category", "voters", "format")
        ),
    ]
    for answer in answers:
        assert answer.status_code in (400, 404, 409, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert voter.get(f"{API}/tracks").json() == tracks
    assert ask(voter).status_code == 201
