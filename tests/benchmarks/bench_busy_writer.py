"""What a voter waits for while another program holds SQLite's lock and votes wait for it.

Run: PYTHONPATH=tests/support python tests/benchmarks/bench_busy_writer.py [WAITING] [SECONDS]
"""

import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
from rich.console import Console

from playable import TRACK, make_playable_arena, served

API = "/api/v1"


def ask(address: str) -> tuple[float, int]:
    """Request a battle as a new voter; return the seconds it took and the status."""
    started = time.perf_counter()
    response = httpx.post(f"{address}{API}/battles", json={"track": TRACK}, timeout=120)
    return time.perf_counter() - started, response.status_code


def measure_waits(
    client: httpx.Client, paths: dict[str, str], until: float, worst: dict[str, float]
) -> list[threading.Thread]:
    """Start requesting each path again and again; the longest waits, in seconds, go to `worst`."""

    def measure(name: str) -> None:
        while time.perf_counter() < until:
            started = time.perf_counter()
            client.get(paths[name])
            worst[name] = max(worst[name], time.perf_counter() - started)
            time.sleep(0.2)

    threads = [threading.Thread(target=measure, args=(name,)) for name in paths]
    for thread in threads:
        thread.start()
    return threads


def main() -> None:
    waiting = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        make_playable_arena(home).database.dispose()
        with served(home) as address, httpx.Client(base_url=address, timeout=120) as voter:
            battle = voter.post(f"{API}/battles", json={"track": TRACK}).json()
            paths = {
                "/healthz": "/healthz",
                "clip": battle["a"]["video"],
                "page": "/leaderboard",
                "board": f"{API}/leaderboard?track={TRACK}",
            }
            voter.get(paths["board"])
            lock = sqlite3.connect(home / "arena.sqlite", isolation_level=None)
            with closing(lock), ThreadPoolExecutor(waiting) as threads:
                lock.execute("BEGIN IMMEDIATE")
                requests = [threads.submit(ask, address) for _ in range(waiting)]
                time.sleep(0.5)
                worst = dict.fromkeys(paths, 0.0)
                readers = measure_waits(voter, paths, time.perf_counter() + seconds, worst)
                time.sleep(seconds)
                lock.execute("ROLLBACK")
                for reader in readers:
                    reader.join()
                answers = [request.result() for request in requests]
    console = Console()
    for name, wait in worst.items():
        console.print(f"{name}: at most {wait:.2f} s")
    console.print(
        f"{waiting} waiting writers: {dict(Counter(status for _, status in answers))}, "
        f"at most {max(wait for wait, _ in answers):.1f} s"
    )


if __name__ == "__main__":
    main()
