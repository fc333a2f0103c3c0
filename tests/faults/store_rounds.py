"""Rounds in which the database or the media store fails for a while, or the clock is set back."""

import asyncio
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import bench_database_away
import bench_killed_votes
import httpx
import stepped_clock
from filed_arena import make_filed_arena
from rich.console import Console
from under_load import (
    Finding,
    ServedArena,
    Visitor,
    filed_arena,
    none_lost,
    only,
    quick,
    serving,
    sqlite_url,
    voting,
    wait_for_vote,
)

from killed_votes import API, TRACK, Ledger, make_home, start_server
from killed_votes import kill_server as kill
from postgres_server import postgres_server

LOCKED_S, FULL_S, STEPPED_S = 15.0, 8.0, 20.0
BACK_S = 10.0  # until the first vote once the fault is over
SMALL_DISK = "32m"
STEP_S = -2 * 3600
LAG_S = 90.0  # a leaderboard is at most a minute behind


def killed(database: str, rounds: int) -> list[Finding]:
    """kill -9 of each kind of process in turn, under 200 votes a second."""
    say = Console(stderr=True).print
    ledger, outcome = bench_killed_votes.kill_rounds(rounds, database, say)
    return [
        Finding(
            f"{rounds} kills: 0 acknowledged votes lost, 0 counted twice",
            f"{len(ledger.acknowledged)} acknowledged, {outcome.lost} lost, {outcome.twice} twice, "
            f"{outcome.counted} of {outcome.rated} on the leaderboard",
            not outcome.lost and not outcome.twice and outcome.counted == outcome.rated,
        )
    ]


def away(seconds: float) -> list[Finding]:
    """The PostgreSQL server stopped for a while."""
    ledger = Ledger()
    with tempfile.TemporaryDirectory() as folder, postgres_server(durable=True) as server:
        home, url = Path(folder), server.url(server.create_database())
        make_home(home, url)
        process, address = start_server(home, url)
        try:
            statuses, longest_s, again_s = asyncio.run(
                bench_database_away.measure(address, server, ledger, seconds)
            )
        finally:
            kill(process)
        return [
            Finding(
                f"{seconds:g} s without the database: 503, after at most 12 s",
                f"{dict(statuses)}, at most {longest_s:.1f} s",
                set(statuses) <= {503} and longest_s <= 12,
            ),
            _again(again_s),
            only(ledger, 200, 201, 503),
            none_lost(url, ledger),
        ]


def locked() -> list[Finding]:
    """Another program holds SQLite's lock."""
    ledger = Ledger()
    with tempfile.TemporaryDirectory() as folder, filed_arena(Path(folder)) as served:
        visitor = Visitor(served.address)
        with voting(served.address, ledger):
            other = sqlite3.connect(served.home / "arena.sqlite", isolation_level=None, timeout=60)
            with closing(other):
                usual = visitor.usual_waits()
                other.execute("BEGIN IMMEDIATE")
                time.sleep(2)  # for the answers that are on their way
                known = len(ledger.acknowledged)
                visitor.look(seconds=LOCKED_S / 2)
                visitor.look("/healthz", f"{API}/leaderboard?track={TRACK}", seconds=LOCKED_S / 2)
                meanwhile = len(ledger.acknowledged) - known
                known = len(ledger.acknowledged)
                other.execute("ROLLBACK")
            again_s = wait_for_vote(ledger, known)
            time.sleep(2)
        return [
            Finding(
                f"locked for {LOCKED_S:g} s: nothing is acknowledged, clips and leaderboard go on",
                f"{meanwhile} acknowledged; clips and leaderboard {sorted(visitor.statuses)}",
                not meanwhile and visitor.statuses == {200},
            ),
            quick("clips, health and leaderboard meanwhile", visitor.waits, usual),
            _again(again_s),
            only(ledger, 200, 201, 503),
            none_lost(served.url, ledger),
        ]


def full_database() -> list[Finding]:
    """The disk of the database is full."""
    ledger = Ledger()
    with _on_small_disk("database") as (served, disk):
        visitor = Visitor(served.address)
        with voting(served.address, ledger):
            _fill(disk)
            time.sleep(2)  # what was begun
            known = len(ledger.acknowledged)
            visitor.look(seconds=FULL_S)
            answer = _vote(visitor)
            meanwhile = len(ledger.acknowledged) - known
            ready = visitor.client.get("/readyz")
            known = len(ledger.acknowledged)
            (disk / "filler").unlink()
            again_s = wait_for_vote(ledger, known)
            time.sleep(2)
        return [
            Finding(
                "the voter sees why, nothing is acknowledged",
                f"{answer.status_code}: {answer.json().get('detail')} {meanwhile} acknowledged",
                answer.status_code == 503
                and "disk of the database is full" in answer.json()["detail"]
                and not meanwhile,
            ),
            Finding("/readyz is 503", str(ready.status_code), ready.status_code == 503),
            Finding("clips go on", str(visitor.statuses), visitor.statuses == {200}),
            _again(again_s),
            only(ledger, 200, 201, 503),
            none_lost(_copied(disk, served.home), ledger),
        ]


def full_media() -> list[Finding]:
    """The disk of the media store is full."""
    ledger = Ledger()
    with _on_small_disk("media") as (served, disk):
        visitor = Visitor(served.address)
        with voting(served.address, ledger):
            begun = time.monotonic()
            visitor.usual_waits()
            usual = ledger.waits_between(begun, time.monotonic())
            _fill(disk)
            started = time.monotonic()
            visitor.look(seconds=FULL_S)
            waits = ledger.waits_between(started, time.monotonic())
            ready = visitor.client.get("/readyz")
            (disk / "filler").unlink()
            again = visitor.client.get("/readyz")
        return [
            quick("votes go on", waits, usual),
            Finding("clips go on", str(visitor.statuses), visitor.statuses == {200}),
            Finding(
                "/readyz names the media store, and is 200 once there is space",
                f"{ready.status_code} {ready.json().get('media')}, then {again.status_code}",
                ready.status_code == 503
                and "space" in str(ready.json().get("media"))
                and again.status_code == 200,
            ),
            only(ledger, 200, 201),
        ]


def clock_back() -> list[Finding]:
    """The clock of a running server is set back by two hours."""
    ledger = Ledger()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        arena = make_filed_arena(home, prompts=20, clip_bytes=100_000)
        arena.database.dispose()
        clock = home / "clock"
        clock.write_text("0")
        served_with = {"CLOCK_FILE": str(clock), "ARENA_RATE_LIMIT": "10000/minute"}
        program = (stepped_clock.__file__,)
        with serving(home, sqlite_url(home), program=program, **served_with) as served:
            visitor = Visitor(served.address)
            time.sleep(1.5)  # of watching
            with _patient_voting(served.address, ledger):
                time.sleep(5)
                before = _votes_shown(served.address)
                clock.write_text(str(STEP_S))
                time.sleep(1)  # until the server has read it
                clips = {visitor.client.get(visitor.battle[s]["video"]).status_code for s in "ab"}
                answer = _vote(visitor)
                time.sleep(STEPPED_S)
                known = len(ledger.acknowledged)
                until = time.monotonic() + LAG_S
                while (shown := _votes_shown(served.address)) < known:
                    if time.monotonic() > until:
                        break
                    time.sleep(0.5)
            date = httpx.get(f"{served.address}/healthz").headers.get("date", "none")
        return [
            Finding(
                "a vote on a battle opened before the step counts, its clips are served",
                f"{answer.status_code} {answer.json().get('status')}, clips {sorted(clips)}",
                answer.status_code == 200 and clips == {200},
            ),
            # 425: voters of this round vote as soon as they can.
            only(ledger, 200, 201, 425),
            Finding(
                "the leaderboard goes on",
                f"{before} votes before, {shown} of {known} after (server's clock: {date})",
                shown >= known > before,
            ),
            none_lost(served.url, ledger),
        ]


def _again(again_s: float) -> Finding:
    measured = f"after {again_s:.2f} s"
    return Finding(f"votes go on within {BACK_S:g} s, no restart", measured, again_s <= BACK_S)


def _vote(visitor: Visitor) -> httpx.Response:
    path = f"{API}/battles/{visitor.battle['token']}/vote"
    return visitor.client.post(path, json={"choice": "a"})


def _votes_shown(address: str) -> int:
    board = httpx.get(f"{address}{API}/leaderboard", params={"track": TRACK}, timeout=60)
    return int(board.raise_for_status().json()["votes"])


@contextmanager
def _patient_voting(address: str, ledger: Ledger) -> Iterator[None]:
    """Voters who wait longer than the clips take, as this server enforces the watch time."""
    with voting(address, ledger, voters=20, rate=20 / 1.5):
        yield


@contextmanager
def _on_small_disk(what: str) -> Iterator[tuple[ServedArena, Path]]:
    """Serve an arena whose database or media are on a small disk that only its processes see."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        arena = make_filed_arena(home, prompts=10, clip_bytes=50_000)
        arena.database.dispose()
        disk = home / "disk"
        disk.mkdir()
        url = sqlite_url(home)
        environment = {}
        moved = "media"
        if what == "database":
            moved, url = "arena.sqlite", f"sqlite:///{disk / 'arena.sqlite'}"
        else:
            environment["ARENA_MEDIA_URL"] = str(disk / "media")
        script = (
            f"mount -t tmpfs -o size={SMALL_DISK} none {disk} && "
            f'cp -r {home / moved} {disk} && exec "$@"'
        )
        before = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
        with serving(home, url, before=before, **environment) as served:
            inside = Path(f"/proc/{served.process.pid}/root") / disk.relative_to("/")
            yield ServedArena(home, url, served.process, served.address), inside


def _copied(disk: Path, folder: Path) -> str:
    """Copy a database that nobody writes to out of the disk; SQLite would not find it there."""
    for name in ("arena.sqlite", "arena.sqlite-wal"):
        shutil.copyfile(disk / name, folder / f"seen-{name}")
    return f"sqlite:///{folder / 'seen-arena.sqlite'}"


def _fill(disk: Path) -> None:
    """Fill a disk to its last byte."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        for size in (1_000_000, 4096, 1):
            with suppress(OSError):
                while filler.write(b"\0" * size):
                    pass
    if shutil.disk_usage(disk).free:
        raise RuntimeError(f"{disk} is not full")
