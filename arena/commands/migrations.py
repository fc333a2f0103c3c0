"""The commands `arena db`: upgrade, downgrade and show the database schema, copy the database."""

from typing import TYPE_CHECKING, Annotated

import typer

from arena.commands.output import out, show_table
from arena.commands.typer_app import App

if TYPE_CHECKING:
    from arena.database import Database

db_app = App(help="Manage the database: its schema, and copies.", examples=["arena db upgrade"])


@db_app.command(examples=["arena db upgrade"])
def upgrade(revision: Annotated[str, typer.Argument(help="A revision.")] = "head") -> None:
    """Upgrade the database schema. Safe to repeat."""
    from arena import database

    opened = _open_database()
    database.upgrade(opened, revision)
    out.print(f"The database is at revision {database.current_revision(opened)}.")


# Its argument may be -1, which is not an option.
@db_app.command(
    examples=["arena db downgrade -1"], context_settings={"ignore_unknown_options": True}
)
def downgrade(
    revision: Annotated[str, typer.Argument(help="A revision, -1 (one step) or base (no tables).")],
) -> None:
    """Downgrade the database schema. The data of dropped columns is lost: make a copy first."""
    from arena import database

    opened = _open_database()
    database.downgrade(opened, revision)
    out.print(f"The database is at revision {database.current_revision(opened) or 'base'}.")


@db_app.command(examples=["arena db current"])
def current() -> None:
    """Show the revision of the database and the latest one available."""
    from arena import database

    opened = _open_database()
    revision = database.current_revision(opened) or "base"
    out.print(f"{revision} (newest: {database.head_revision()})")


@db_app.command(examples=["arena db copy postgresql+psycopg://arena@localhost/arena"])
def copy(
    target_url: Annotated[
        str, typer.Argument(metavar="TARGET_URL", help="Of an empty SQLite or PostgreSQL database.")
    ],
) -> None:
    """Copy the arena's database to an empty one, from SQLite to PostgreSQL or back.

    All rows or none: if it is interrupted, the target stays empty. The arena keeps using the source
    until ARENA_DATABASE_URL names the target. Stop the server first: what is stored while the copy
    runs is not in it.
    """
    from arena.commands.progress import progress
    from arena.database import Database
    from arena.database_copy import copy_database, count_rows
    from arena.engines import shown_url

    source, target = _open_database(), Database(target_url, name="TARGET_URL")
    with progress("Copying rows", count_rows(source)) as advance:
        copied = copy_database(source, target, on_rows=advance)
    show_table(
        "Tables of both databases",
        ["table", "rows", "SHA-256"],
        [[each.name, each.rows, each.sha256] for each in copied],
        with_title=True,
    )
    out.print(
        f"Copied {sum(each.rows for each in copied):,} rows to {shown_url(target.engine)}. "
        "Next: set ARENA_DATABASE_URL to its address and keep ARENA_HOME, which has the secret "
        "key and the clips."
    )


def _open_database() -> "Database":
    from arena.database import Database
    from arena.settings import load_settings

    settings = load_settings()
    settings.check_home()
    return Database(settings.database)
