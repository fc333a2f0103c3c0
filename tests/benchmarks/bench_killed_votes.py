"""The server killed again and again under 200 votes a second: is an acknowledged vote lost?

Run: PYTHONPATH=tests/support python tests/benchmarks/bench_killed_votes.py [ROUNDS] [DATABASE]
DATABASE is sqlite or postgresql. On PostgreSQL, every fifth round kills the database server instead
of `arena serve`.
"""

import asyncio
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from killed_votes import (
    Ledger,
    Voter,
    compare,
    kill_server,
    make_home,
    start_server,
    vote_until_killed,
)
from postgres_server import PostgresServer, postgres_server

RATE = 200.0  # votes a second
VOTERS = 40
DATABASE_EVERY = 5  # rounds
DOWN_S = 4.0  # for the database server to start again, and votes after that


@contextmanager
def database_url(name: str, home: Path) -> Iterator[tuple[str, PostgresServer | None]]:
    if name == "sqlite":
        yield f"sqlite:///{home / 'arena.sqlite'}", None
        return
    with postgres_server(durable=True) as server:
        yield server.url(server.create_database()), server


def run_round(
    voters: list[Voter],
    home: Path,
    url: str,
    *,
    ledger: Ledger,
    after: float,
    server: PostgresServer | None,
) -> None:
    """Kill `arena serve`, or if `server` is given that one first, and then `arena serve`."""
    process, address = start_server(home, url)

    async def vote() -> None:
        killing = vote_until_killed(
            *(voters, process, address),
            ledger=ledger,
            rate=RATE,
            after=after + DOWN_S * (server is not None),
        )
        task = asyncio.create_task(killing)
        if server is not None:
            await asyncio.sleep(after)
            await asyncio.to_thread(server.stop, signal.SIGQUIT)  # ends all at once, like a crash
            await asyncio.to_thread(server.start)
        await task

    try:
        asyncio.run(vote())
    finally:
        if process.poll() is None:
            kill_server(process)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    name = sys.argv[2] if len(sys.argv) > 2 else "sqlite"
    out, ledger, chance = Console(), Ledger(), random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with database_url(name, home) as (url, server):
            make_home(home, url)
            voting_s = 0.0
            voters: list[Voter] = []
            for number in range(rounds):
                # New voters now and then, as each sees a pair once.
                if number % 10 == 0:
                    voters = [Voter(ledger, seed=number * VOTERS + each) for each in range(VOTERS)]
                after = chance.uniform(1.0, 3.0)
                kill_database = server if (number + 1) % DATABASE_EVERY == 0 else None
                started = time.monotonic()
                run_round(voters, home, url, ledger=ledger, after=after, server=kill_database)
                voting_s += after
                out.print(
                    f"round {number + 1}: killed after {after:.1f} s of votes, "
                    f"{len(ledger.acknowledged)} acknowledged so far "
                    f"({time.monotonic() - started:.0f} s)"
                )
            outcome = compare(url, ledger)
    out.print(f"{name}, {rounds} kills: answers {dict(sorted(ledger.statuses.items()))}")
    out.print(
        f"{len(ledger.acknowledged)} votes acknowledged ({len(ledger.acknowledged) / voting_s:.0f} "
        f"a second), {outcome.stored} stored, {ledger.repeats} sent again"
    )
    out.print(
        f"acknowledged and lost: {outcome.lost}; stored or acknowledged twice: {outcome.twice}"
    )
    out.print(f"on the leaderboard: {outcome.counted} of {outcome.rated} votes that count")


if __name__ == "__main__":
    main()
