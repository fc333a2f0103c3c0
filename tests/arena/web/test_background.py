"""The background work runs beside the server, is started again if it dies, and ends with it."""

from pathlib import Path

import httpx
import psutil
from server_processes import children_running, server_of, wait_until

from playable import TRACK, make_playable_arena, served

API = "/api/v1"


def background_of(process: psutil.Process) -> list[psutil.Process]:
    """Its running background processes."""
    return children_running(process, "arena.web.server.background")


def vote(voter: httpx.Client) -> None:
    battle = voter.post(f"{API}/battles", json={"track": TRACK}).raise_for_status().json()
    path = f"{API}/battles/{battle['token']}/vote"
    voter.post(path, json={"choice": "a"}).raise_for_status()


def votes_on_the_board(voter: httpx.Client) -> int:
    board = voter.get(f"{API}/leaderboard", params={"track": TRACK}).json()
    return int(board.get("votes", 0))


def test_leaderboards_go_on_after_the_background_process_was_killed_and_it_ends_with_the_server(
    tmp_path: Path,
) -> None:
    make_playable_arena(tmp_path).database.dispose()
    with (
        served(tmp_path, ARENA_RATE_LIMIT="off") as address,
        httpx.Client(base_url=address, timeout=60) as voter,
    ):
        started = server_of(tmp_path)
        wait_until(lambda: bool(background_of(started)), "it was not started")
        (first,) = background_of(started)
        vote(voter)
        wait_until(lambda: votes_on_the_board(voter) == 1, "the vote is not on the board")
        first.kill()
        wait_until(lambda: bool({*background_of(started)} - {first}), "it was not started again")
        vote(voter)
        wait_until(lambda: votes_on_the_board(voter) == 2, "the leaderboard stands still")
        (second,) = background_of(started)
        started.kill()
        _, left = psutil.wait_procs([second], timeout=120)
        assert not left
