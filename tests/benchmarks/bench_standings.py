"""How long leaderboards take with millions of votes: reading, refreshing and showing them.

    OPENBLAS_NUM_THREADS=1 python tests/benchmarks/bench_standings.py [--votes 10000000]
        [--folder FOLDER]

Fills an arena in the folder, unless it has one, which takes some minutes and 4 GB for ten million
votes. CPU times are of this process, which does nothing else.
"""

import argparse
import gc
import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from sqlalchemy import text
from starlette.testclient import TestClient

from arena import database as migrations
from arena.context import Arena
from arena.database import Database
from arena.media import open_store
from arena.settings import Settings
from arena.standings.arrays_file import FILE_NAME
from arena.standings.job import StandingsJob
from arena.standings.standings import follow_job
from arena.standings.vote_arrays import VoteArrays
from arena.standings.vote_reader import VoteReader
from arena.web.app import make_api
from many_votes import add_votes, fill_large_arena
from small_arena import TRACK, new_database

NEW = 1000
VIEWS = 50


def measured(act: Callable[[], object]) -> tuple[float, float]:
    """Seconds and seconds of CPU that a call took."""
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - wall, time.process_time() - cpu


def show(what: str, wall: float, cpu: float, note: str = "") -> None:
    line = f"{what:<58} {wall:>9.3f} s {cpu:>9.3f} s CPU  {note}"
    Console(highlight=False, soft_wrap=True).print(line)


def read_all(database: Database) -> VoteArrays:
    reader, more = VoteReader(VoteArrays()), True
    while more:
        with database.reading() as session:
            more = reader.read(session)
    return reader.arrays


def refresh(job: StandingsJob) -> None:
    """One round, without what is computed less often than ratings."""
    job._details_at = float("inf")
    job.run_once(now=datetime.now(UTC))


def arena_in(folder: Path, arguments: argparse.Namespace) -> Database:
    path = folder / "arena.sqlite"
    if path.is_file():
        database = Database(f"sqlite:///{path}")
        migrations.upgrade(database)
        return database
    database = new_database(folder)
    wall, cpu = measured(
        lambda: fill_large_arena(
            database,
            votes=arguments.votes,
            models=arguments.models,
            categories=arguments.categories,
        )
    )
    show(f"filling an arena with {arguments.votes:,} votes", wall, cpu)
    return database


def views(database: Database, folder: Path) -> None:
    """CPU of a view of the API, with the snapshot cached and read again."""
    follow_job(database)
    arena = Arena(
        settings=Settings(home=folder, secret_key="0" * 32),  # type: ignore[arg-type]
        database=database,
        store=open_store(str(folder / "media")),
    )
    client = TestClient(make_api(arena))
    for form in ("json", "csv"):
        query = {"track": TRACK, "format": form}
        body = client.get("/api/v1/leaderboard", params=query)
        assert body.status_code == 200, body.text
        wall, cpu = measured(
            lambda query=query: [  # type: ignore[misc]
                client.get("/api/v1/leaderboard", params=query) for _ in range(VIEWS)
            ]
        )
        size = f"{len(body.content):,} bytes"
        show(f"a view of /api/v1/leaderboard as {form}", wall / VIEWS, cpu / VIEWS, size)
    assert json.loads(client.get("/api/v1/leaderboard", params={"track": TRACK}).text)["rows"]
    views_of_the_page(arena)


def views_of_the_page(arena: Arena) -> None:
    from streamlit.testing.v1 import AppTest

    from arena.web.views.app_state import set_arena

    def script() -> None:
        from arena.web.views.leaderboard import show_leaderboard

        show_leaderboard()

    set_arena(arena)
    page = AppTest.from_function(script, default_timeout=600).run()
    assert not page.exception
    wall, cpu = measured(lambda: [page.run() for _ in range(VIEWS // 5)])
    show("a view of the leaderboard page", wall / (VIEWS // 5), cpu / (VIEWS // 5))


def main() -> None:
    # As in the process that does it beside a server (`arena.web.server.background`).
    gc.freeze()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--votes", type=int, default=10_000_000)
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--categories", type=int, default=12)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        database = arena_in(folder, arguments)
        with database.reading() as session:
            stored = session.execute(text("SELECT count(*) FROM vote")).scalar_one()
        Console().print(f"{stored:,} votes are stored")
        arrays: list[VoteArrays] = []
        wall, cpu = measured(lambda: arrays.append(read_all(database)))
        rate = f"{stored / wall:,.0f} votes a second, {stored / cpu:,.0f} a second of CPU"
        show("reading the votes from the database", wall, cpu, rate)
        del arrays[:]
        job = StandingsJob(database, folder=folder)
        while not job._lease.hold():  # an earlier run that was interrupted may hold it
            time.sleep(0.5)
        show("reading them, or their file, once more", *measured(job._read_votes))
        show("first round: every leaderboard", *measured(lambda: refresh(job)))
        for number in range(3):
            add_votes(database, votes=NEW, known_voters=number > 0, voters=NEW // 3)
            show(f"a round after {NEW:,} new votes", *measured(lambda: refresh(job)))
        show("keeping the arrays", *measured(lambda: job._save(at_end=True)))
        job._lease.release()
        again = StandingsJob(database, folder=folder)
        size = f"{(folder / FILE_NAME).stat().st_size / 1e6:,.0f} MB"
        show("reading the file after a restart", *measured(again._read_votes), size)
        views(database, folder)
        database.dispose()


if __name__ == "__main__":
    main()
