"""Votes acknowledged per second over HTTP, and what a vote with its next battle costs.

Each row is another arena, with 12 models. The voters are one thread of this process, which runs on
the same cores; its own CPU time for each vote is the last column, beside that of the processes that
answer votes, and of those that compute leaderboards and the like meanwhile. Before the measurement
these have read the votes that were there. Each voter is replaced by a new one after VOTES_EACH
votes. Below the table stands how often this disk completes a single-page `fdatasync` and a commit
of one row (SQLite, `synchronous=FULL`), before and after; for PostgreSQL, a commit of one row on as
many connections as there are voters.

Run: PYTHONPATH=tests/support python tests/benchmarks/bench_votes.py [VOTERS] [SECONDS] [VOTES]
     [VOTES_EACH] [sqlite|postgresql]
"""

import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from fast_voters import FastVoters, Voted
from rich.console import Console
from rich.table import Table

from arena.context import make_arena
from arena.settings import Settings
from many_votes import add_catalog, add_votes
from playable import served
from postgres_server import PostgresServer, postgres_server
from small_arena import TRACK

TRIES = 300
PAGE_BYTES = 4096
MODELS = 12
SETTLE_S = 180.0  # at most
IDLE_S, IDLE_SHARE = 3, 0.2  # seconds one after the other, and CPU seconds in each
EACH = 30  # votes of one voter; on such arenas most people cast fewer


@dataclass(frozen=True)
class Row:
    """An arena to measure."""

    prompts: int
    votes: int
    workers: int = 1
    server: PostgresServer | None = None


@dataclass(frozen=True)
class Measured:
    """Of one arena: what the voters did, and CPU seconds of the server's processes meanwhile."""

    voted: Voted
    seconds: float
    answering_s: float
    background_s: float


def rate_of(action: Callable[[], object]) -> float:
    """How often per second an action can be done, one after the other."""
    started = time.perf_counter()
    for _ in range(TRIES):
        action()
    return TRIES / (time.perf_counter() - started)


def disk_rates(folder: Path) -> tuple[float, float]:
    """Single-page fdatasync calls, and single-row commits, per second."""
    path = folder / "sync.probe"
    handle = os.open(path, os.O_CREAT | os.O_WRONLY)

    def sync() -> None:
        os.pwrite(handle, b"x" * PAGE_BYTES, 0)
        os.fdatasync(handle)

    syncs = rate_of(sync)
    os.close(handle)
    path.unlink()
    database = sqlite3.connect(folder / f"{time.monotonic_ns()}.probe", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE probe (value)")
    commits = rate_of(lambda: database.execute("INSERT INTO probe VALUES (1)"))
    database.close()
    return syncs, commits


def vote_at_once(address: str, voters: int, seconds: float, votes_each: int = EACH) -> Voted:
    """Vote in the arena of this benchmark."""
    fast = FastVoters(address, TRACK, voters=voters, votes_each=votes_each)
    try:
        return fast.vote(seconds)
    finally:
        fast.close()


def cpu_s() -> tuple[float, float]:
    """CPU seconds of the processes that answer votes, with a database's; of all others."""
    answering = background = 0.0
    for child in psutil.Process().children(recursive=True):
        times = child.cpu_times()
        if "".join(child.cmdline()[-1:]).startswith("arena.web."):  # that run beside it
            background += times.user + times.system
        else:
            answering += times.user + times.system
    return answering, background


def settle() -> None:
    """Wait until the processes beside the server have little to do."""
    until = time.monotonic() + SETTLE_S
    idle_s = 0
    while idle_s < IDLE_S and time.monotonic() < until:
        before = cpu_s()
        time.sleep(1.0)
        idle_s = idle_s + 1 if sum(cpu_s()) - sum(before) < IDLE_SHARE else 0


def measure(row: Row, *, voters: int, seconds: float, votes_each: int) -> Measured:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        settings = Settings(home=home)
        environment = {}
        if row.server is not None:
            url = row.server.url(row.server.create_database())
            settings = Settings(home=home, database_url=url)
            environment["ARENA_DATABASE_URL"] = url
        database = make_arena(settings, None).database
        add_catalog(database, models=MODELS, prompts=row.prompts)
        add_votes(database, votes=row.votes)
        database.dispose()
        with served(home, workers=row.workers, **environment) as address:
            settle()
            vote_at_once(address, voters, 2.0, votes_each)  # imports, first statements
            before = cpu_s()
            voted = vote_at_once(address, voters, seconds, votes_each)
            answering_s, background_s = (
                after - earlier for after, earlier in zip(cpu_s(), before, strict=True)
            )
            return Measured(voted, seconds, answering_s, background_s)


def postgres_commits(server: PostgresServer, connections: int, seconds: float) -> float:
    """Commits of one row per second on PostgreSQL, on that many connections at once."""
    url = server.url(server.create_database()).replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE probe (value integer)")
    until = time.perf_counter() + seconds

    def insert(_number: int) -> int:
        done = 0
        with psycopg.connect(url, autocommit=True) as connection:
            while time.perf_counter() < until:
                connection.execute("INSERT INTO probe VALUES (1)")
                done += 1
        return done

    with ThreadPoolExecutor(connections) as threads:
        return sum(threads.map(insert, range(connections))) / seconds


def print_table(rows: list[Row], *, voters: int, seconds: float, votes_each: int) -> None:
    table = Table(title=f"{voters} voters at once, {seconds:g} s each, {MODELS} models")
    headings = ("prompts", "votes before", "processes", "votes/s", "p50", "p99")
    for heading in (*headings, "CPU a vote", "background", "voters"):
        table.add_column(heading, justify="right")
    for row in rows:
        measured = measure(row, voters=voters, seconds=seconds, votes_each=votes_each)
        quantiles = statistics.quantiles(measured.voted.latencies, n=100)
        count = len(measured.voted.latencies)
        table.add_row(
            *(f"{row.prompts:,}", f"{row.votes:,}", str(row.workers)),
            f"{count / measured.seconds:,.0f}",
            *(f"{quantiles[position] * 1000:.1f} ms" for position in (49, 98)),
            f"{measured.answering_s / count * 1000:.2f} ms",
            f"{measured.background_s / count * 1000:.2f} ms",
            f"{measured.voted.cpu_s / count * 1000:.3f} ms",
        )
    Console().print(table)


def main() -> None:
    database = "postgresql" if "postgresql" in sys.argv else "sqlite"
    numbers = [float(value) for value in sys.argv[1:] if value != database]
    defaults = [32, 10, 1_000_000, EACH]
    voters, seconds, votes, votes_each = (numbers + defaults[len(numbers) :])[:4]
    os.environ["ARENA_RATE_LIMIT"] = "off"
    if database == "postgresql":
        with postgres_server(durable=True) as server:
            print_table(
                [Row(1000, int(votes), workers, server) for workers in (1, 2)],
                voters=int(voters),
                seconds=seconds,
                votes_each=int(votes_each),
            )
            commits = postgres_commits(server, int(voters), seconds)
        Console().print(f"PostgreSQL, {voters:.0f} connections: {commits:,.0f} commits/s.")
        return
    folder = Path(tempfile.mkdtemp())
    before = disk_rates(folder)
    few, many = Row(20, 0), Row(1000, int(votes))
    rows = [few, Row(1000, 0), many, Row(1000, int(votes), workers=2)]
    print_table(rows, voters=int(voters), seconds=seconds, votes_each=int(votes_each))
    after = disk_rates(folder)
    Console().print(
        f"The disk, before and after: {before[0]:,.0f} and {after[0]:,.0f} fdatasync/s, "
        f"{before[1]:,.0f} and {after[1]:,.0f} single-row commits/s."
    )


if __name__ == "__main__":
    main()
