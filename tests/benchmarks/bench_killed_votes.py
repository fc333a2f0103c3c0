"""The server killed again and again under 200 votes a second: is an acknowledged vote lost?

Run: PYTHONPATH=tests/support python tests/benchmarks/bench_killed_votes.py [ROUNDS] [DATABASE]
DATABASE is sqlite or postgresql. The rounds kill in turn: every process of `arena serve` at once,
one that answers requests, the one that supervises those, and on PostgreSQL the database server.
While one of several processes is killed, the voters go on. The exit status is 1 if a vote was lost
or counted twice.
"""

import asyncio
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

from rich.console import Console

from killed_votes import (
    Ledger,
    Outcome,
    Voter,
    compare,
    kill_server,
    make_home,
    start_server,
    vote_until_killed,
    workers_of,
)
from postgres_server import PostgresServer, postgres_server

RATE = 200.0  # votes a second
VOTERS = 40
EVERYTHING, DATABASE = "every process", "the database server"
VICTIMS = (EVERYTHING, "a worker", "the supervisor", DATABASE)
DOWN_S = 4.0  # for the database server to start again, or a worker, and votes after that


@contextmanager
def database_url(name: str, home: Path) -> Iterator[tuple[str, PostgresServer | None]]:
    if name == "sqlite":
        yield f"sqlite:///{home / 'arena.sqlite'}", None
        return
    with postgres_server(durable=True) as server:
        yield server.url(server.create_database()), server


def run_round(
    victim: str,
    voters: list[Voter],
    home: Path,
    url: str,
    *,
    ledger: Ledger,
    after: float,
    server: PostgresServer | None,
) -> None:
    """Kill what `victim` names, one of `VICTIMS`, then all of `arena serve`."""
    workers = 1 if victim == EVERYTHING else 2
    process, address = start_server(home, url, workers=workers)
    one: dict[str, Callable[[], int]] = {
        "a worker": lambda: workers_of(process)[0],
        "the supervisor": lambda: process.pid,
    }

    async def vote() -> None:
        killing = vote_until_killed(
            *(voters, process, address),
            ledger=ledger,
            rate=RATE,
            after=after + DOWN_S * (victim == DATABASE),
            victim=one.get(victim),
            go_on_s=DOWN_S,
        )
        task = asyncio.create_task(killing)
        if victim == DATABASE and server is not None:
            await asyncio.sleep(after)
            await asyncio.to_thread(server.stop, signal.SIGQUIT)  # ends all at once, like a crash
            await asyncio.to_thread(server.start)
        await task

    try:
        asyncio.run(vote())
    finally:
        if process.poll() is None:
            kill_server(process)


def kill_rounds(rounds: int, name: str, on_round: Callable[[str], None]) -> tuple[Ledger, Outcome]:
    """Vote and kill, and return what voters got and what is stored."""
    ledger, chance = Ledger(), random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with database_url(name, home) as (url, server):
            make_home(home, url)
            victims = cycle(VICTIMS if server is not None else VICTIMS[:-1])
            voters: list[Voter] = []
            for number, victim in zip(range(rounds), victims, strict=False):
                # New voters now and then, as each sees a pair once.
                if number % 10 == 0:
                    voters = [Voter(ledger, seed=number * VOTERS + each) for each in range(VOTERS)]
                after, started = chance.uniform(1.0, 3.0), time.monotonic()
                run_round(victim, voters, home, url, ledger=ledger, after=after, server=server)
                on_round(
                    f"round {number + 1}: {victim} killed after {after:.1f} s of votes, "
                    f"{len(ledger.acknowledged)} acknowledged so far "
                    f"({time.monotonic() - started:.0f} s)"
                )
            return ledger, compare(url, ledger)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    name = sys.argv[2] if len(sys.argv) > 2 else "sqlite"
    out = Console()
    ledger, outcome = kill_rounds(rounds, name, out.print)
    out.print(f"{name}, {rounds} kills: answers {dict(sorted(ledger.statuses.items()))}")
    out.print(
        f"{len(ledger.acknowledged)} votes acknowledged, {outcome.stored} stored, "
        f"{ledger.repeats} sent again"
    )
    out.print(
        f"acknowledged and lost: {outcome.lost}; stored or acknowledged twice: {outcome.twice}"
    )
    out.print(f"on the leaderboard: {outcome.counted} of {outcome.rated} votes that count")
    if outcome.lost or outcome.twice or outcome.counted != outcome.rated:
        sys.exit(1)


if __name__ == "__main__":
    main()
