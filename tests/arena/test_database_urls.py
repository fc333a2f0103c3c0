"""A database that cannot be reached is one sentence, which never has the password."""

import socket
import sys
from collections.abc import Iterator

import pytest

from arena import database
from arena.database import Database
from arena.errors import ArenaError, ConfigurationError, StoreUnavailable
from postgres_server import PASSWORD, ROLE, PostgresServer

AS_IN_PRODUCTION = True  # for the fixture `_quick_sqlite`

SECRET = "s3cret"  # noqa: S105


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (f"mysql://user:{SECRET}@host/name", r"supported database or driver \(mysql\)"),
        (f"postgresql+psycopg2://user:{SECRET}@host/name", r"\(postgresql\+psycopg2\)"),
        (f"postgresql+asyncpg://user:{SECRET}@host/name", r"\(postgresql\+asyncpg\)"),
        (f"sqlite+pysqlcipher://user:{SECRET}@/name", r"\(sqlite\+pysqlcipher\)"),
        (f"user:{SECRET}@host", "not a database URL"),
        (f"postgresql+psycopg://user:{SECRET}@host:port/name", "not a database URL"),
        ("", "not a database URL"),
    ],
)
def test_a_url_that_is_not_supported(url: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        Database(url)
    assert "postgresql+psycopg://user@host/name" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_without_the_driver_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "arena.postgres_connection", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'hippodrome\[postgres\]'"):
        Database(f"postgresql+psycopg://user:{SECRET}@host/name")


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that accepts connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def refused(url: str) -> str:
    """The sentence for a server that cannot be used, for each way to use it."""
    opened = Database(url)
    sentences = set()
    for act in (database.check, database.upgrade, database.current_revision):
        with pytest.raises(ArenaError) as caught:
            act(opened)
        sentences.add(str(caught.value))
    with pytest.raises(StoreUnavailable) as unavailable, opened.reading():
        pass
    assert str(unavailable.value).removesuffix(".") in sentences.pop()
    assert not sentences
    for error in (caught.value, unavailable.value):
        assert SECRET not in f"{error} {error.__cause__}"
        assert "\n" not in str(error)
    opened.dispose()
    return str(caught.value)


def test_a_wrong_password(postgres: PostgresServer) -> None:
    sentence = refused(postgres.loopback_url(password=SECRET))
    assert sentence.startswith("The database server refuses the user or the password: check")
    assert f"{ROLE}:***@127.0.0.1:{postgres.port}/postgres" in sentence
    right = Database(postgres.loopback_url(password=PASSWORD))
    assert database.current_revision(right) is None
    right.dispose()


def test_a_password_among_the_parameters_is_not_shown(postgres: PostgresServer) -> None:
    url = postgres.loopback_url(password="").replace(":@", "@")
    refused(f"{url}?password={SECRET}")


def test_a_user_that_does_not_exist(postgres: PostgresServer) -> None:
    url = postgres.loopback_url(password=SECRET).replace(ROLE, "nobody")
    assert "refuses the user or the password" in refused(url)


def test_a_database_that_does_not_exist(postgres: PostgresServer) -> None:
    assert "has no database of this name: create it" in refused(postgres.url("elsewhere"))


def test_a_server_that_does_not_run(silent: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"postgresql+psycopg://user:{SECRET}@127.0.0.1:{port}/name"
    assert "does not answer: check that it runs" in refused(url)


def test_a_server_that_says_nothing(silent: int) -> None:
    url = f"postgresql+psycopg://user:{SECRET}@127.0.0.1:{silent}/name?connect_timeout=2"
    assert "does not answer: check that it runs" in refused(url)


def test_a_user_who_may_not_create_tables(postgres: PostgresServer) -> None:
    postgres.execute("DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN")
    opened = Database(postgres.url(postgres.create_database()).replace(f"//{ROLE}", "//guest"))
    with pytest.raises(StoreUnavailable, match="make it the owner of the database"):
        database.upgrade(opened)
    opened.dispose()
