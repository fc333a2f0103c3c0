"""While another program holds the database's lock, only what must be written waits."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx

from arena.database import WRITE_WAIT_S
from playable import TRACK

API = "/api/v1"
VOTERS = 60
PATIENCE_S = 300.0


def ask(address: str) -> tuple[float, int, dict[str, str]]:
    started = time.monotonic()
    response = httpx.post(f"{address}{API}/battles", json={"track": TRACK}, timeout=PATIENCE_S)
    return time.monotonic() - started, response.status_code, dict(response.headers)


def test_sixty_waiting_writers_stop_neither_clips_nor_pages_nor_health_checks(
    home: Path, address: str
) -> None:
    with httpx.Client(base_url=address, timeout=PATIENCE_S) as voter:
        battle = voter.post(f"{API}/battles", json={"track": TRACK}).json()
        clip = battle["a"]["video"]
        database = sqlite3.connect(home / "arena.sqlite", isolation_level=None)
        with closing(database), ThreadPoolExecutor(VOTERS) as threads:
            database.execute("BEGIN IMMEDIATE")
            waiting = [threads.submit(ask, address) for _ in range(VOTERS)]
            time.sleep(1)
            for path in ("/healthz", clip):
                assert voter.get(path).status_code == 200, path
            assert not all(request.done() for request in waiting), "some should still be waiting"
            for path in ("/leaderboard", f"{API}/tracks", f"{API}/me"):
                assert voter.get(path).status_code == 200, path
            board = voter.get(f"{API}/leaderboard", params={"track": TRACK})
            assert board.status_code == 200
            assert voter.get("/readyz").status_code == 503
            answers = [request.result() for request in waiting]
            # After a whole deadline each, not one after another.
            assert {status for _, status, _ in answers} == {503}
            assert all("retry-after" in headers for _, _, headers in answers)
            assert max(seconds for seconds, _, _ in answers) < VOTERS * WRITE_WAIT_S / 4
            database.execute("ROLLBACK")
        assert ask(address)[1] == 201
        assert voter.get("/readyz").status_code == 200
