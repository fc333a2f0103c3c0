"""The commands `arena db`: upgrade, downgrade and show the database schema."""

from typing import Annotated

import typer

from arena import database
from arena.commands.output import out
from arena.commands.typer_app import App
from arena.database import Database
from arena.settings import load_settings

db_app = App(help="Manage the database schema.")


@db_app.command()
def upgrade(revision: Annotated[str, typer.Argument(help="A revision.")] = "head") -> None:
    """Upgrade the database schema. Safe to repeat."""
    opened = Database(load_settings().database)
    database.upgrade(opened, revision)
    out.print(f"The database is at revision {database.current_revision(opened)}.")


@db_app.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help="A revision, -1 (one step) or base (no tables).")],
) -> None:
    """Downgrade the database schema. The data of dropped columns is lost: make a copy first."""
    opened = Database(load_settings().database)
    database.downgrade(opened, revision)
    out.print(f"The database is at revision {database.current_revision(opened) or 'base'}.")


@db_app.command()
def current() -> None:
    """Show the revision of the database and the latest one available."""
    opened = Database(load_settings().database)
    revision = database.current_revision(opened) or "base"
    out.print(f"{revision} (newest: {database.head_revision(opened)})")
