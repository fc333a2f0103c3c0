"""Rounds about several processes and machines: all of them say the same, and forget nothing."""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from filed_arena import make_filed_arena
from sqlalchemy import select
from under_load import (
    VOTERS,
    Finding,
    ServedArena,
    none_lost,
    only,
    serving,
    sqlite_url,
    voting,
)

from arena.catalog import retirement, withholding
from arena.catalog.prompts import find_prompt
from arena.context import utc_now
from arena.database import Database
from arena.models import Battle, Clip, WithheldCause
from killed_votes import API, NO_TLS, TRACK, Ledger
from postgres_server import postgres_server

GONE_S = 2.0  # after which what is retired is shown nowhere
WATCH_S = 1.1  # the clips take a second
MANY_PROMPTS, MODELS = 200, 12  # 2,400 clips
ASKERS = 8
PATH = "/arena"

# Of new voters on this machine, who ask for battles and do not vote.
MANY_BATTLES = {"ARENA_NETWORK_LIMIT": "1000000/hour"}


def two_servers() -> list[Finding]:
    """Two servers with folders of their own, one PostgreSQL, one media store and one key."""
    with tempfile.TemporaryDirectory() as folder, postgres_server(durable=True) as postgres:
        url, homes = postgres.url(postgres.create_database()), [Path(folder) / n for n in "ab"]
        for home in homes:
            home.mkdir()
        arena = make_filed_arena(homes[0], prompts=20, clip_bytes=50_000, database_url=url)
        shared = {
            **MANY_BATTLES,
            "ARENA_SECRET_KEY": arena.settings.signing_key(),
            "ARENA_MEDIA_URL": str(homes[0] / "media"),
        }
        arena.database.dispose()
        with ExitStack() as stack:
            a, b = (
                stack.enter_context(serving(home, url, ARENA_RATE_LIMIT="5/minute", **shared))
                for home in homes
            )
            findings = [_same_battle(a, b), _same_limits(a, b), *_gone(url, [a, b])]
        ledger = Ledger()
        with ExitStack() as stack:
            a, b = (stack.enter_context(serving(home, url, **shared)) for home in homes)
            with voting(a.address, ledger), voting(b.address, ledger, seed=1000):
                time.sleep(10)
            boards = {_board(each.address)["votes"] for each in (a, b)}
            findings += [only(ledger, 200, 201), none_lost(url, ledger)]
        return [
            *findings,
            Finding("both show a leaderboard", f"{sorted(boards)} votes", min(boards) > 0),
        ]


def below_a_path() -> list[Finding]:
    """`--workers 2` on PostgreSQL, below a path: a worker is killed and replaced meanwhile."""
    ledger = Ledger()
    with tempfile.TemporaryDirectory() as folder, postgres_server(durable=True) as postgres:
        home, url = Path(folder), postgres.url(postgres.create_database())
        make_filed_arena(home, prompts=20, clip_bytes=50_000, database_url=url).database.dispose()
        public = f"http://127.0.0.1{PATH}"
        with serving(home, url, workers=2, ARENA_PUBLIC_URL=public) as served:
            below = f"{served.address}{PATH}"
            statuses, clips = set(), set()
            for _ in range(6):  # over connections of their own: both processes
                with httpx.Client(base_url=served.address, timeout=60, verify=NO_TLS) as visitor:
                    for path in ("/", "/leaderboard", "/readyz", f"{API}/tracks"):
                        statuses.add(visitor.get(f"{PATH}{path}").status_code)
                    battle = visitor.post(f"{PATH}{API}/battles", json={"track": TRACK}).json()
                    clips.add(battle["a"]["video"].startswith(f"{PATH}/clip/"))
                    answer = visitor.get(battle["a"]["video"], headers={"Range": "bytes=0-99"})
                    statuses.add(answer.status_code)
            with voting(below, ledger):
                time.sleep(8)
            return [
                Finding(
                    "pages, API and clips below the path, from both processes",
                    f"{sorted(statuses)}, clips' addresses below the path: {sorted(clips)}",
                    statuses == {200, 206} and clips == {True},
                ),
                Finding(
                    "votes are taken",
                    f"{len(ledger.acknowledged)} in 8 s",
                    len(ledger.acknowledged) > VOTERS,
                ),
                only(ledger, 200, 201),
                none_lost(url, ledger),
            ]


def retired() -> list[Finding]:
    """A prompt and a clip retired, with 2,400 clips, under `--workers 2`."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        url = sqlite_url(home)
        make_filed_arena(home, prompts=MANY_PROMPTS, clip_bytes=2000).database.dispose()
        with serving(home, url, workers=2, **MANY_BATTLES) as served:
            return _gone(url, [served])


def _same_battle(a: ServedArena, b: ServedArena) -> Finding:
    with httpx.Client(timeout=60, verify=NO_TLS) as voter:
        first = _ask(voter, a)
        second = _ask(voter, b)
        clip = voter.get(f"{b.address}{first['a']['video']}").status_code
        time.sleep(WATCH_S)
        cast = _cast(voter, b, first, "a")
        again, other = _cast(voter, a, first, "a"), _cast(voter, a, first, "b")
    same = first["token"] == second["token"] and cast.status_code == 200
    kept = again.json().get("receipt") == cast.json().get("receipt")
    return Finding(
        "one open battle; a vote at one is known to the other",
        f"same battle {first['token'] == second['token']}, clip {clip}, vote {cast.status_code}, "
        f"again {again.status_code} (same receipt {kept}), another choice {other.status_code}",
        same and kept and clip == 200 and other.status_code == 409,
    )


def _same_limits(a: ServedArena, b: ServedArena) -> Finding:
    statuses = []
    with httpx.Client(timeout=60, verify=NO_TLS) as voter:
        for number in range(6):
            battle = _ask(voter, (a, b)[number % 2])
            time.sleep(WATCH_S)
            statuses.append(_cast(voter, (a, b)[number % 2], battle, "a").status_code)
    return Finding(
        "5 votes a minute over both, and not 5 at each",
        str(statuses),
        statuses == [200] * 5 + [429],
    )


class _Askers:
    """New voters who ask for battles all the time, and note when they saw which clips.

    Args:
        servers: each of them asks all, one after another, over connections of its own.
    """

    def __init__(self, servers: list[ServedArena]) -> None:
        self._servers = servers
        self.seen: list[tuple[float, str]] = []  # when a request began, and a battle's token

    @contextmanager
    def asking(self) -> Iterator[None]:
        over = threading.Event()

        def ask() -> None:
            while not over.is_set():
                for server in self._servers:
                    with (
                        httpx.Client(timeout=60, verify=NO_TLS) as voter,
                        suppress(httpx.TransportError),
                    ):
                        began = time.monotonic()
                        self.seen.append((began, _ask(voter, server)["token"]))

        threads = [threading.Thread(target=ask) for _ in range(ASKERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()


def _gone(url: str, servers: list[ServedArena]) -> list[Finding]:
    """Retire a prompt and a clip under requests, and look for them afterwards."""
    database = Database(url)
    askers, findings = _Askers(servers), []
    with httpx.Client(timeout=60, verify=NO_TLS) as voter, askers.asking():
        shown = _ask(voter, servers[0])
        with database.reading() as session:
            battle = session.scalars(select(Battle).where(Battle.token == shown["token"])).one()
            clip_id, prompt_id = battle.clip_a_id, battle.prompt_id
        for what in ("clip", "prompt"):
            time.sleep(2)
            with database.writing() as session:
                if what == "clip":
                    clip = session.get_one(Clip, clip_id)
                    cause = WithheldCause.OPERATOR
                    withholding.withhold_clip(
                        session, clip, cause=cause, reason="a test", now=utc_now()
                    )
                else:
                    retirement.retire(session, find_prompt(session, prompt_id), now=utc_now())
            at = time.monotonic()
            gone_s = max(_until_gone(voter, server, shown) for server in servers)
            time.sleep(GONE_S + 1)
            last_s = _last_shown(database, askers, what, clip_id, prompt_id, at)
            findings.append(
                Finding(
                    f"a retired {what} is gone within {GONE_S:g} s, everywhere",
                    f"open battle's clip after {gone_s:.2f} s, last drawn {last_s:.2f} s after; "
                    f"{len(askers.seen)} battles asked for",
                    gone_s <= GONE_S and last_s <= GONE_S and len(askers.seen) > 20,
                )
            )
            if what == "clip":
                with database.writing() as session:
                    withholding.restore_clip(session, clip_id)
    database.dispose()
    return findings


def _until_gone(voter: httpx.Client, server: ServedArena, shown: dict[str, Any]) -> float:
    """Seconds until an open battle's clip has been refused for a second on new connections."""
    started = last = time.monotonic()
    while time.monotonic() - last < 1:
        with httpx.Client(timeout=60, verify=NO_TLS, cookies=voter.cookies) as client:
            if client.get(f"{server.address}{shown['a']['video']}").status_code != 404:
                last = time.monotonic()
        time.sleep(0.02)
    return last - started


def _last_shown(
    database: Database, askers: _Askers, what: str, clip_id: int, prompt_id: str, at: float
) -> float:
    """How long after `at` a request began that was still answered with what is retired."""
    with database.reading() as session:
        rows = session.execute(
            select(Battle.token, Battle.clip_a_id, Battle.clip_b_id, Battle.prompt_id)
        )
        retired = {
            row[0]
            for row in rows
            if (clip_id in row[1:3] if what == "clip" else row[3] == prompt_id)
        }
    return max((began - at for began, token in askers.seen if token in retired), default=0.0)


def _ask(voter: httpx.Client, server: ServedArena) -> dict[str, Any]:
    answer = voter.post(f"{server.address}{API}/battles", json={"track": TRACK})
    return dict(answer.raise_for_status().json())


def _cast(
    voter: httpx.Client, server: ServedArena, battle: dict[str, Any], choice: str
) -> httpx.Response:
    path = f"{server.address}{API}/battles/{battle['token']}/vote"
    return voter.post(path, json={"choice": choice})


def _board(address: str) -> dict[str, Any]:
    answer = httpx.get(f"{address}{API}/leaderboard", params={"track": TRACK}, timeout=60)
    return dict(answer.raise_for_status().json())
