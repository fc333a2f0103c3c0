"""`arena db`."""

from typing import Annotated

import typer

from arena import database
from arena.commands.output import out
from arena.database import Database
from arena.settings import load_settings

db_app = typer.Typer(help="The database's migrations.")


@db_app.command()
def upgrade(revision: Annotated[str, typer.Argument()] = "head") -> None:
    """Migrate the database up; nothing to do is no error."""
    opened = Database(load_settings().database)
    database.upgrade(opened, revision)
    out.print(f"The database is at revision {database.current_revision(opened)}.")


@db_app.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help="A revision, -1 or base.")],
) -> None:
    """Migrate the database down. What newer tables held is lost: copy the database first."""
    opened = Database(load_settings().database)
    database.downgrade(opened, revision)
    out.print(f"The database is at revision {database.current_revision(opened) or 'base'}.")


@db_app.command()
def current() -> None:
    """Show the database's revision and this code's."""
    opened = Database(load_settings().database)
    revision = database.current_revision(opened) or "base"
    out.print(f"{revision} (this code: {database.head_revision(opened)})")
