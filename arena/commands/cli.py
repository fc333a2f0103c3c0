"""The command line: one short function a command, no rules in it."""

import sys
from typing import Annotated

import typer

from arena.commands import catalog, clips, migrations, results
from arena.commands.options import PortOption, WorkersOption, open_configured_arena
from arena.commands.output import err, out
from arena.context import Arena, make_arena
from arena.errors import ArenaError
from arena.settings import load_settings
from arena.shipped import Collection

app = typer.Typer(
    help="Hippodrome: find out by blind votes which video model is best, and prove it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
GROUPS = {
    "tracks": catalog.tracks_app,
    "entrants": catalog.entrants_app,
    "prompts": catalog.prompts_app,
    "db": migrations.db_app,
}
for name, group in GROUPS.items():
    group.info.no_args_is_help = True
    app.add_typer(group, name=name)
app.command()(clips.generate)
app.command()(clips.failures)
app.command("import")(clips.import_clips)
app.command()(results.leaderboard)
app.command()(results.simulate)
app.command()(results.export)
app.command()(results.verify)


@app.callback()
def _options(
    _debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback where something fails.")
    ] = False,
) -> None:
    """Read by `run`, which stands around every command."""


@app.command()
def demo(
    port: PortOption = 8501,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve the arena at the end.")
    ] = True,
    workers: WorkersOption = None,
) -> None:
    """Make an arena with the built-in entrants, fill it, and serve it."""
    from arena.commands import demo as steps

    arena = steps.prepare(load_settings())
    clips.generate_missing(arena, workers=workers)
    if missing := steps.simulated_votes_missing(arena):
        results.simulate_votes(
            arena, votes=missing, track=None, voters=steps.SIMULATED_VOTERS, seed=0
        )
    if serve:
        _serve(arena, host="127.0.0.1", port=port)


@app.command()
def init() -> None:
    """Make ARENA_HOME: database, keys, shipped tracks and prompts; keep what is there."""
    arena = make_arena(load_settings(), Collection.STANDARD)
    out.print(f"The arena is in {arena.settings.home}.")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: PortOption = 8501,
) -> None:
    """Serve the pages and the API until Ctrl-C."""
    _serve(open_configured_arena(), host=host, port=port)


def _serve(arena: Arena, *, host: str, port: int) -> None:
    from arena.web.app import serve as run_server

    run_server(
        arena,
        host=host,
        port=port,
        on_ready=lambda address: out.print(f"The arena is at {address}  (Ctrl-C stops it)"),
    )


def run() -> None:
    """Run a command: exit status 0 done, 1 failed with one clear line, 2 usage."""
    debug = "--debug" in sys.argv
    try:
        app(args=["--debug"] * debug + [word for word in sys.argv[1:] if word != "--debug"])
    except Exception as error:
        if debug:
            raise
        # The outermost place: a defect of ours is said in one line as well.
        message = (
            str(error)
            if isinstance(error, ArenaError)
            else f"unexpected {error!r}; --debug shows where"
        )
        err.print(f"arena: {message}", style="red")
        sys.exit(error.exit_status if isinstance(error, ArenaError) else 1)
