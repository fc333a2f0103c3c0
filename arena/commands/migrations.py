"""The commands `arena db`: upgrade, downgrade and show the database schema."""

from typing import TYPE_CHECKING, Annotated

import typer

from arena.commands.output import out
from arena.commands.typer_app import App

if TYPE_CHECKING:
    from arena.database import Database

db_app = App(help="Manage the database schema.", examples=["arena db upgrade"])


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


def _open_database() -> "Database":
    from arena.database import Database
    from arena.settings import load_settings

    settings = load_settings()
    settings.check_home()
    return Database(settings.database)
