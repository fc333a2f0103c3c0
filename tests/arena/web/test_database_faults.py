"""The database goes away, or its disk is full, while voters vote: nothing is acknowledged then."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select, text
from starlette.testclient import TestClient

from arena.context import Arena
from arena.database import Database
from arena.media import open_store
from arena.models import Vote
from arena.web.app import add_security, make_api
from playable import settings_for
from postgres_server import PostgresServer
from small_arena import TRACK

API = "/api/v1"


@pytest.fixture
def voter(arena_database: Database, tmp_path: Path) -> Iterator[TestClient]:
    """A voter of an arena in this process, without a watch time; its clips have no files."""
    settings = settings_for(tmp_path, secret_key="k" * 32, rate_limit="off")
    (tmp_path / "media").mkdir()
    arena = Arena(settings, arena_database, open_store(str(tmp_path / "media")))
    with TestClient(add_security(make_api(arena), arena)) as client:
        yield client


def count_votes(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Vote)) or 0


def ask(voter: TestClient) -> str:
    answer = voter.post(f"{API}/battles", json={"track": TRACK})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def cast(voter: TestClient, token: str) -> Any:
    return voter.post(f"{API}/battles/{token}/vote", json={"choice": "a"})


def check_refused(voter: TestClient, token: str, sentence: str) -> None:
    answer = cast(voter, token)
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "retry-after" in answer.headers
    assert answer.json()["type"].endswith("store-unavailable")
    assert sentence in answer.json()["detail"]


@pytest.mark.databases("postgresql")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_votes_are_refused_while_the_server_is_away_and_go_on_without_a_restart(
    arena_database: Database, voter: TestClient, postgres: PostgresServer, how: signal.Signals
) -> None:
    cast(voter, ask(voter))
    token = ask(voter)
    postgres.stop(how)
    try:
        for _ in range(3):  # also once all its connections are known to be broken
            check_refused(voter, token, "The database server does not answer")
        assert voter.post(f"{API}/battles", json={"track": TRACK}).status_code == 503
        assert voter.get("/healthz").status_code == 200
        assert voter.get("/readyz").status_code == 503
    finally:
        postgres.start()
    assert count_votes(arena_database) == 1
    assert cast(voter, token).status_code == 200
    assert count_votes(arena_database) == 2
    assert cast(voter, ask(voter)).status_code == 200


@contextmanager
def full_disk(database: Database) -> Iterator[None]:
    """Let the database find no space for a vote: SQLite's limit, or PostgreSQL's own error."""
    if not database.is_sqlite:
        with database.writing() as session:
            session.execute(
                text(
                    "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                    "RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
                )
            )
            session.execute(
                text("CREATE TRIGGER full_disk BEFORE INSERT ON vote EXECUTE FUNCTION fail()")
            )
        yield
        with database.writing() as session:
            session.execute(text("DROP TRIGGER full_disk ON vote"))
        return

    def limit(connection: Any) -> None:
        # No more pages than there are, and each change needs one.
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def fill(connection: Any) -> None:
        limit(connection)
        connection.exec_driver_sql(
            "CREATE TEMP TRIGGER IF NOT EXISTS grow AFTER INSERT ON vote "
            "BEGIN INSERT INTO filler VALUES (zeroblob(1000000)); END"
        )

    with database.writing() as session:
        session.execute(text("CREATE TABLE filler (content BLOB)"))
    database.dispose()
    event.listen(database.engine, "begin", fill)
    yield
    event.remove(database.engine, "begin", fill)
    database.dispose()


def test_votes_are_refused_while_the_disk_is_full(
    arena_database: Database, voter: TestClient
) -> None:
    token = ask(voter)
    with full_disk(arena_database):
        for _ in range(2):
            check_refused(voter, token, "The disk of the database is full: free some space.")
    assert count_votes(arena_database) == 0
    assert cast(voter, token).status_code == 200
    assert count_votes(arena_database) == 1
