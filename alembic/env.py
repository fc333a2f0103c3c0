"""Runs the migrations on the engine that `arena.database` passes in."""

from sqlalchemy import text

from alembic import context
from arena.models import Base

LOCK = 0x48495050  # of PostgreSQL's advisory locks, for the migrations of an arena

engine = context.config.attributes["engine"]
is_sqlite = engine.dialect.name == "sqlite"
with engine.connect() as connection:
    if not is_sqlite:
        # Two processes that start at the same time migrate one after the other.
        connection.execute(text(f"SELECT pg_advisory_lock({LOCK})"))
        connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite cannot ALTER most things: tables are copied, with their data, instead.
        render_as_batch=is_sqlite,
        transaction_per_migration=True,
    )
    try:
        with context.begin_transaction():
            context.run_migrations()
    finally:
        if not is_sqlite:
            connection.invalidate()  # closes it, and so releases the lock
