"""What the rounds share: an arena with clips, voters who vote all the time, and what was found."""

import asyncio
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from filed_arena import make_filed_arena

from killed_votes import API, NO_TLS, TRACK, Ledger, Voter, compare, kill_server, start_server

VOTERS, RATE = 20, 50.0  # votes a second
# No vote or clip should take longer because of other clients; on a slow machine, not more than this
# number of times what it took before.
SLOW_S, SLOWER = 1.0, 2.0


@dataclass(frozen=True)
class Finding:
    """A promise, what was measured, and whether it was kept."""

    promise: str
    measured: str
    kept: bool


@dataclass
class ServedArena:
    """A running server.

    Attributes:
        home: of the arena.
        url: of its database.
        process: of `arena serve`.
        address: such as `http://127.0.0.1:8501`.
    """

    home: Path
    url: str
    process: "subprocess.Popen[str]"
    address: str


def sqlite_url(home: Path) -> str:
    return f"sqlite:///{home / 'arena.sqlite'}"


@contextmanager
def serving(
    home: Path,
    url: str,
    *,
    workers: int = 1,
    before: Sequence[str] = (),
    program: Sequence[str] = ("-m", "arena"),
    **environment: str,
) -> Iterator[ServedArena]:
    """Serve an arena until the end of the block; arguments as for `start_server`."""
    process, address = start_server(
        home, url, workers=workers, before=before, program=program, **environment
    )
    try:
        yield ServedArena(home, url, process, address)
    finally:
        kill_server(process)


@contextmanager
def filed_arena(
    home: Path, *, prompts: int = 20, clip_bytes: int = 100_000, url: str = "", workers: int = 1
) -> Iterator[ServedArena]:
    """Make an arena whose clips have files, and serve it."""
    url = url or sqlite_url(home)
    arena = make_filed_arena(home, prompts=prompts, clip_bytes=clip_bytes, database_url=url)
    arena.database.dispose()
    with serving(home, url, workers=workers) as served:
        yield served


@contextmanager
def voting(
    address: str, ledger: Ledger, *, voters: int = VOTERS, rate: float = RATE, seed: int = 0
) -> Iterator[None]:
    """Let voters vote in another thread until the end of the block; wait for the first vote."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    gone, known = asyncio.Event(), len(ledger.acknowledged)
    running = [
        asyncio.run_coroutine_threadsafe(
            Voter(ledger, seed=seed + number).run(address, period_s=voters / rate, gone=gone), loop
        )
        for number in range(voters)
    ]
    try:
        wait_for_vote(ledger, known)
        yield
    finally:
        for task in running:
            task.cancel()
        time.sleep(0.5)  # in which they close their connections
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def wait_for_vote(ledger: Ledger, known: int, patience_s: float = 60.0) -> float:
    """Wait until more than `known` votes are acknowledged; return the seconds that it took."""
    started = time.monotonic()
    while len(ledger.acknowledged) <= known:
        if time.monotonic() - started > patience_s:
            return float("inf")
        time.sleep(0.01)
    return time.monotonic() - started


class Visitor:
    """A voter who looks at a clip now and then, and notes how long it took."""

    def __init__(self, address: str) -> None:
        self.client = httpx.Client(base_url=address, timeout=60, verify=NO_TLS)
        battle = self.client.post(f"{API}/battles", json={"track": TRACK})
        self.battle = battle.raise_for_status().json()
        self.waits: list[float] = []
        self.statuses: set[int] = set()

    def usual_waits(self, seconds: float = 3.0) -> list[float]:
        """Look for a while, and return how long it took; later waits are noted anew."""
        self.look(seconds=seconds)
        usual, self.waits = self.waits, []
        return usual

    def look(self, *paths: str, seconds: float) -> None:
        """Load these paths, or by default the battle's clips, again and again for a while."""
        paths = paths or tuple(self.battle[side]["video"] for side in ("a", "b"))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for path in paths:
                started = time.monotonic()
                self.statuses.add(self.client.get(path).status_code)
                self.waits.append(time.monotonic() - started)
            time.sleep(0.1)


def p95(seconds: Sequence[float]) -> float:
    if len(seconds) < 2:
        return float("inf")
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def none_lost(url: str, ledger: Ledger) -> Finding:
    """Whether every acknowledged vote is stored, once."""
    outcome = compare(url, ledger)
    return Finding(
        "0 acknowledged votes lost, 0 counted twice",
        f"{len(ledger.acknowledged)} acknowledged, {outcome.lost} lost, {outcome.twice} twice, "
        f"{outcome.counted} of {outcome.rated} on the leaderboard",
        not outcome.lost and not outcome.twice and outcome.counted == outcome.rated,
    )


def only(ledger: Ledger, *allowed: int) -> Finding:
    """Whether voters got no other answers than these; 0 is a broken connection."""
    found = dict(sorted(ledger.statuses.items()))
    names = ", ".join(str(status) for status in allowed)
    return Finding(f"voters get no answers but {names}", str(found), set(found) <= set(allowed))


def quick(promise: str, seconds: Sequence[float], before: Sequence[float] = ()) -> Finding:
    """Whether the 95th percentile is below `SLOW_S`, or not far above that before the fault."""
    limit_s = max(SLOW_S, SLOWER * p95(before) if before else 0.0)
    return Finding(
        f"{promise}: p95 <= {limit_s:.1f} s",
        f"{len(seconds)} in time, p95 {p95(seconds):.2f} s"
        + (f" ({p95(before):.2f} s before)" if before else ""),
        p95(seconds) <= limit_s,
    )
