"""Voters over HTTP, at a steady rate, while the server that answers them is killed and started."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import select

from arena.context import make_arena
from arena.database import Database
from arena.models import Battle, Choice, Vote
from arena.standings import standings
from many_votes import add_catalog
from playable import settings_for
from small_arena import START, TRACK

API = "/api/v1"
START_S = 60.0  # until a new server acknowledges its first vote


@dataclass
class Ledger:
    """The answers that voters got.

    Attributes:
        acknowledged: choice and receipt by the battle's token, of every answered vote.
        statuses: how often each HTTP status came; 0: the connection broke.
        repeats: votes sent again whose first answer was lost, or never came.
    """

    acknowledged: dict[str, tuple[str, str]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    repeats: int = 0
    different: list[str] = field(default_factory=list)

    def note(self, token: str, choice: str, receipt: str) -> None:
        """Note an acknowledged vote; a second answer must be the same as the first."""
        if self.acknowledged.setdefault(token, (choice, receipt)) != (choice, receipt):
            self.different.append(token)


def make_home(home: Path, url: str) -> None:
    """Make an arena with 12 models and 200 prompts; its clips are rows without files."""
    arena = make_arena(settings_for(home, database_url=url), None)
    add_catalog(arena.database, models=12, prompts=200)
    arena.database.dispose()


def start_server(home: Path, url: str) -> tuple[subprocess.Popen[str], str]:
    """Run `arena serve`; return its process, which leads a group, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "arena", "serve", "--port", "0"],
        env=os.environ
        | {"ARENA_HOME": str(home), "ARENA_DATABASE_URL": url, "ARENA_RATE_LIMIT": "off"},
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

    async def run(self, address: str, *, period_s: float) -> None:
        """Vote once in each period, until the server is gone."""
        async with httpx.AsyncClient(base_url=address, timeout=30, cookies=self._cookies) as client:
            await asyncio.sleep(self._chance.uniform(0, period_s))
            while True:
                try:
                    await self._step(client)
                except httpx.TransportError:
                    self._ledger.statuses[0] += 1
                    return
                finally:
                    self._cookies = client.cookies
                await asyncio.sleep(period_s)

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
        cast = await client.post(f"{API}/battles/{token}/vote", json={"choice": choice})
        self._ledger.statuses[cast.status_code] += 1
        if cast.status_code == 503:
            return
        self._pending, self._sent = None, False
        if cast.status_code == 200:
            answer = cast.json()
            self._ledger.note(token, answer["choice"], answer["receipt"])
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
) -> None:
    """Vote `rate` times a second in all, and kill the server amid requests.

    Args:
        voters: who vote.
        process: the server's.
        address: the server's.
        ledger: of the voters.
        rate: votes a second.
        after: seconds from the first vote that the server acknowledges until it is killed.
    """
    known, until = len(ledger.acknowledged), time.monotonic() + START_S
    running = [
        asyncio.create_task(voter.run(address, period_s=len(voters) / rate)) for voter in voters
    ]
    while len(ledger.acknowledged) == known and time.monotonic() < until:
        await asyncio.sleep(0.01)
    await asyncio.sleep(after)
    kill_server(process)
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
