"""Votes acknowledged per second over HTTP, compared with fdatasync calls per second.

Run: PYTHONPATH=tests/support python tests/benchmarks/bench_votes.py [VOTERS] [SECONDS]
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console

from playable import TRACK, make_playable_arena, served

API = "/api/v1"
SYNCS = 300
PAGE_BYTES = 4096


def syncs_per_second(folder: Path) -> float:
    """How many single-page fdatasync calls this disk completes per second."""
    path = folder / "sync.probe"
    handle = os.open(path, os.O_CREAT | os.O_WRONLY)
    started = time.perf_counter()
    for _ in range(SYNCS):
        os.pwrite(handle, b"x" * PAGE_BYTES, 0)
        os.fdatasync(handle)
    rate = SYNCS / (time.perf_counter() - started)
    os.close(handle)
    path.unlink()
    return rate


async def vote_on(address: str, until: float, latencies: list[float]) -> None:
    """Vote as one voter after another, each until no pair is left."""
    while time.perf_counter() < until:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            response = await client.post(f"{API}/battles", json={"track": TRACK})
            battle = response.raise_for_status().json()
            while battle and time.perf_counter() < until:
                started = time.perf_counter()
                cast = await client.post(
                    f"{API}/battles/{battle['token']}/vote", json={"choice": "a"}
                )
                latencies.append(time.perf_counter() - started)
                battle = cast.raise_for_status().json()["next"]


async def measure(address: str, voters: int, seconds: float) -> list[float]:
    latencies: list[float] = []
    until = time.perf_counter() + seconds
    await asyncio.gather(*(vote_on(address, until, latencies) for _ in range(voters)))
    return latencies


def main() -> None:
    voters = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    os.environ["ARENA_RATE_LIMIT"] = "off"
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        make_playable_arena(home).database.dispose()
        before = syncs_per_second(home)
        with served(home) as address:
            latencies = asyncio.run(measure(address, voters, seconds))
        after = syncs_per_second(home)
    quantiles = statistics.quantiles(latencies, n=100)
    rate = len(latencies) / seconds
    Console().print(
        f"{voters} voters: {rate:.0f} votes/s, p50 {quantiles[49] * 1000:.1f} ms, "
        f"p99 {quantiles[98] * 1000:.1f} ms; fdatasync {before:.0f}/s before, {after:.0f}/s after"
    )


if __name__ == "__main__":
    main()
