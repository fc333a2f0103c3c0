"""Seals for tests: a key of their own, and changes of a database that go past the arena's rules."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import text

from arena.audit.keys import SealKey, Signer, _add, new_signer, newest_key
from arena.audit.seals import make_seals
from arena.database import Database
from arena.models import Seal
from small_arena import START

_signers: dict[str, Signer] = {}


def signer_of(database: Database) -> Signer:
    """The key of a database, made and stored the first time."""
    with database.writing() as session:
        key: SealKey | None = newest_key(session)
        if key is None:
            signer = new_signer()
            key = _add(session, signer, previous=None, now=START)
            _signers[key.fingerprint] = signer
        return _signers[key.fingerprint]


def seal(database: Database, *, now: datetime = START, up_to: int | None = None) -> list[Seal]:
    """Seal everything that is new."""
    return make_seals(database, signer_of(database), now=now, up_to=up_to)


def tamper(database: Database, *statements: str, values: Iterable[dict[str, object]] = ()) -> None:
    """Run SQL statements that no rule, check or foreign key of the arena stops."""
    parameters = list(values) or [{}] * len(statements)
    with database.engine.connect() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("COMMIT")  # these cannot change in a transaction
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
            connection.exec_driver_sql("BEGIN")
        for statement, each in zip(statements, parameters, strict=True):
            connection.execute(text(statement), each)
        connection.commit()
