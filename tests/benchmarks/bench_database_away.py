"""The PostgreSQL server away for a while under an arena that runs: what voters get, and when again.

Run: PYTHONPATH=tests/support python tests/benchmarks/bench_database_away.py [SECONDS]
"""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
from rich.console import Console

from killed_votes import (
    API,
    NO_TLS,
    TRACK,
    Ledger,
    Voter,
    compare,
    kill_server,
    make_home,
    start_server,
)
from postgres_server import PostgresServer, postgres_server

VOTERS = 20
RATE = 50.0  # votes a second
BEFORE_S, AFTER_S = 3.0, 5.0


async def ask_alone(address: str, statuses: Counter[int], waits: list[float]) -> None:
    """Request battles as new voters, one after another, and note how long each waited."""
    while True:
        started = time.monotonic()
        async with httpx.AsyncClient(base_url=address, timeout=60, verify=NO_TLS) as client:
            answer = await client.post(f"{API}/battles", json={"track": TRACK})
        statuses[answer.status_code] += 1
        waits.append(time.monotonic() - started)
        await asyncio.sleep(0.2)


async def measure(
    address: str, server: PostgresServer, ledger: Ledger, away_s: float
) -> tuple[Counter[int], float, float]:
    """Return the answers while it was away, the longest wait, and the time until a vote."""
    voters = [Voter(ledger, seed) for seed in range(VOTERS)]
    voting = [asyncio.create_task(each.run(address, period_s=VOTERS / RATE)) for each in voters]
    while not ledger.acknowledged:
        await asyncio.sleep(0.1)
    await asyncio.sleep(BEFORE_S)
    await asyncio.to_thread(server.stop)
    known = len(ledger.acknowledged)
    statuses, waits = Counter[int](), [0.0]
    asking = asyncio.create_task(ask_alone(address, statuses, waits))
    await asyncio.sleep(away_s)
    asking.cancel()
    if len(ledger.acknowledged) > known:
        raise RuntimeError("votes were acknowledged while the database was away")
    await asyncio.to_thread(server.start)
    started = time.monotonic()
    while len(ledger.acknowledged) == known:
        await asyncio.sleep(0.01)
    again_s = time.monotonic() - started
    await asyncio.sleep(AFTER_S)
    for each in voting:
        each.cancel()
    await asyncio.gather(*voting, return_exceptions=True)
    return statuses, max(waits), again_s


def main() -> None:
    away_s = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    out, ledger = Console(), Ledger()
    with tempfile.TemporaryDirectory() as folder, postgres_server(durable=True) as server:
        home, url = Path(folder), server.url(server.create_database())
        make_home(home, url)
        process, address = start_server(home, url)
        try:
            statuses, longest_s, again_s = asyncio.run(measure(address, server, ledger, away_s))
        finally:
            kill_server(process)
        outcome = compare(url, ledger)
    out.print(
        f"away for {away_s:.0f} s: new voters got {dict(statuses)}, at most {longest_s:.1f} s"
    )
    out.print(f"all answers to voters: {dict(sorted(ledger.statuses.items()))}")
    out.print(f"the first vote was acknowledged {again_s:.2f} s after the server was back")
    out.print(
        f"{len(ledger.acknowledged)} acknowledged, {outcome.lost} lost, {outcome.twice} twice, "
        f"{outcome.counted} of {outcome.rated} on the leaderboard"
    )


if __name__ == "__main__":
    main()
