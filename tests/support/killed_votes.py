"""Voters over HTTP, at a steady rate, while the server that answers them is killed and started."""

import asyncio
import os
import random
import signal
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from sqlalchemy import select

from arena.context import make_arena
from arena.database import Database
from arena.models import Battle, Choice, Vote
from arena.standings import standings
from many_votes import add_catalog
from playable import settings_for
from small_arena import START, TRACK

API = "/api/v1"
RECONNECT_S = 0.1
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # a client would load all certificates otherwise
START_S = 60.0  # until a new server acknowledges its first vote


@dataclass
class Ledger:
    """The answers that voters got.

    Attributes:
        acknowledged: choice and receipt by the battle's token, of every answered vote.
        statuses: how often each HTTP status came; 0: the connection broke.
        repeats: votes sent again whose first answer was lost, or never came.
        different: battles whose vote was answered with two receipts.
        waits: of each acknowledged vote, when it was answered and how long that took.
    """

    acknowledged: dict[str, tuple[str, str]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    repeats: int = 0
    different: list[str] = field(default_factory=list)
    waits: list[tuple[float, float]] = field(default_factory=list)

    def waits_between(self, start: float, end: float) -> list[float]:
        """The seconds that votes took which were answered in this time, by `time.monotonic`."""
        return [wait for at, wait in self.waits if start <= at <= end]

    def note(self, token: str, choice: str, receipt: str) -> None:
        """Note an acknowledged vote; a second answer must be the same as the first."""
        if self.acknowledged.setdefault(token, (choice, receipt)) != (choice, receipt):
            self.different.append(token)


def make_home(home: Path, url: str) -> None:
    """Make an arena with 12 models and 200 prompts; its clips are rows without files."""
    arena = make_arena(settings_for(home, database_url=url), None)
    add_catalog(arena.database, models=12, prompts=200)
    arena.database.dispose()


def start_server(
    home: Path,
    url: str,
    *,
    workers: int = 1,
    before: Sequence[str] = (),
    program: Sequence[str] = ("-m", "arena"),
    **environment: str,
) -> tuple[subprocess.Popen[str], str]:
    """Run `arena serve`; return its process, which leads a group, and its address.

    Args:
        home: of the arena.
        url: of its database.
        workers: number of processes.
        before: a command that runs it, such as `unshare`.
        program: what Python runs.
        environment: more variables.
    """
    serve = ["serve", "--port", "0", "--workers", str(workers)]
    process = subprocess.Popen(
        [*before, sys.executable, *program, *serve],
        env=os.environ
        | {"ARENA_HOME": str(home), "ARENA_DATABASE_URL": url, "ARENA_RATE_LIMIT": "off"}
        | environment,
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=(home / "server.log").open("a"),
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if "http://" not in line:
        raise RuntimeError(f"the server did not start: {(home / 'server.log').read_text()[-2000:]}")
    return process, next(word for word in line.split() if word.startswith("http://"))


def workers_of(process: "subprocess.Popen[str]") -> list[int]:
    """The processes of `arena serve --workers N` that answer requests."""
    return [
        child.pid
        for child in psutil.Process(process.pid).children()
        if child.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(child.cmdline())
    ]


def kill_server(process: "subprocess.Popen[str]") -> None:
    """Kill the server and the processes that it started, without a warning."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Voter:
    """A browser: it sends a vote again until it is answered, also to the next server."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self._ledger, self._chance = ledger, random.Random(seed)
        self._cookies = httpx.Cookies()
        self._pending: tuple[str, str] | None = None  # a battle's token and the choice
        self._sent = False  # whether its vote was sent before

    async def run(
        self, address: str, *, period_s: float, gone: asyncio.Event | None = None
    ) -> None:
        """Vote once in each period.

        Args:
            address: of the server.
            period_s: from one vote to the next.
            gone: set once the server has ended; until then connections that break are opened
                again. None: the first one that breaks ends it.
        """
        await asyncio.sleep(self._chance.uniform(0, period_s))
        while True:
            client = httpx.AsyncClient(
                base_url=address, timeout=30, cookies=self._cookies, verify=NO_TLS
            )
            async with client:
                try:
                    while True:
                        await self._step(client)
                        await asyncio.sleep(period_s)
                except httpx.TransportError:
                    self._ledger.statuses[0] += 1
                finally:
                    self._cookies = client.cookies
            if gone is None or gone.is_set():
                return
            await asyncio.sleep(RECONNECT_S)

    async def _step(self, client: httpx.AsyncClient) -> None:
        if self._pending is None:
            asked = await client.post(f"{API}/battles", json={"track": TRACK})
            self._ledger.statuses[asked.status_code] += 1
            if asked.status_code != 201:
                return
            self._pending = asked.json()["token"], self._chance.choice(["a", "b", "tie", "bad"])
        token, choice = self._pending
        self._ledger.repeats += self._sent
        self._sent = True
        started = time.monotonic()
        cast = await client.post(f"{API}/battles/{token}/vote", json={"choice": choice})
        self._ledger.statuses[cast.status_code] += 1
        if cast.status_code == 503:
            return
        self._pending, self._sent = None, False
        if cast.status_code == 200:
            answer = cast.json()
            self._ledger.note(token, answer["choice"], answer["receipt"])
            self._ledger.waits.append((time.monotonic(), time.monotonic() - started))
            if answer["next"]:
                choice = self._chance.choice(["a", "b", "tie", "bad"])
                self._pending = answer["next"]["token"], choice


async def vote_until_killed(
    voters: list[Voter],
    process: "subprocess.Popen[str]",
    address: str,
    *,
    ledger: Ledger,
    rate: float,
    after: float,
    victim: Callable[[], int] | None = None,
    go_on_s: float = 0.0,
) -> None:
    """Vote `rate` times a second in all, and kill the server amid requests.

    Args:
        voters: who vote.
        process: the server's.
        address: the server's.
        ledger: of the voters.
        rate: votes a second.
        after: seconds from the first vote that the server acknowledges until it is killed.
        victim: returns the id of one of its processes that is killed first, by itself.
        go_on_s: seconds of votes after that, before all are killed.
    """
    known, until = len(ledger.acknowledged), time.monotonic() + START_S
    gone, period_s = asyncio.Event(), len(voters) / rate
    running = [
        asyncio.create_task(voter.run(address, period_s=period_s, gone=gone)) for voter in voters
    ]
    while len(ledger.acknowledged) == known and time.monotonic() < until:
        await asyncio.sleep(0.01)
    await asyncio.sleep(after)
    if victim is not None:
        os.kill(victim(), signal.SIGKILL)
        await asyncio.sleep(go_on_s)
    kill_server(process)
    gone.set()
    await asyncio.gather(*running)


@dataclass(frozen=True)
class Outcome:
    """What the database has of the acknowledged votes.

    Attributes:
        lost: acknowledged, and not stored as acknowledged.
        twice: stored more than once, or acknowledged with two receipts.
        stored: votes in the database.
        counted: votes on the leaderboard.
        rated: votes in the database that a leaderboard counts.
    """

    lost: int
    twice: int
    stored: int
    counted: int
    rated: int


def compare(url: str, ledger: Ledger) -> Outcome:
    """Compare the answers that voters got with what is stored."""
    database = Database(url)
    with database.reading() as session:
        rows = session.execute(
            select(Battle.token, Vote.choice, Vote.receipt, Battle.repeat_of).join(
                Vote, Vote.battle_id == Battle.id
            )
        ).all()
    board = standings.leaderboard(database, track_name=TRACK, now=START)
    database.dispose()
    stored = {row[0]: (row[1].value, row[2]) for row in rows}
    return Outcome(
        lost=sum(stored.get(token) != vote for token, vote in ledger.acknowledged.items()),
        twice=len(rows) - len(stored) + len(ledger.different),
        stored=len(rows),
        counted=board.votes,
        rated=sum(row[1] is not Choice.SKIP and row[3] is None for row in rows),
    )
