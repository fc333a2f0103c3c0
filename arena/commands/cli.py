"""The command line: which commands there are, and how a failure is reported."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from arena.commands import catalog, clips, migrations, results
from arena.commands.options import PortOption, WorkersOption, open_configured_arena
from arena.commands.output import err, out
from arena.commands.typer_app import App
from arena.errors import ArenaError

if TYPE_CHECKING:
    from arena.context import Arena

# In the order of use: what a newcomer runs first, then from an empty arena to a verified release.
PANELS = {
    "Getting started": ("demo", "init"),
    "Catalog": ("tracks", "entrants", "prompts"),
    "Clips": ("generate", "failures", "import"),
    "Votes": ("serve", "simulate", "leaderboard"),
    "Releases": ("export", "verify"),
    "Maintenance": ("db",),
}
PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}

app = App(
    help="Hippodrome: rank video models by blind votes, with results that anyone can recompute.",
    order=list(PANEL_OF),
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def _options(
    _debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback if a command fails.")
    ] = False,
) -> None:
    """Declare the options that `run` reads before any command starts."""


def demo(
    port: PortOption = 8501,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve the arena at the end.")
    ] = True,
    workers: WorkersOption = None,
) -> None:
    """Create an arena with the built-in entrants, clips and simulated votes, and serve it."""
    from arena.commands import demo as steps
    from arena.settings import load_settings

    arena = steps.prepare(load_settings())
    clips.generate_missing(arena, workers=workers)
    if missing := steps.missing_simulated_votes(arena):
        results.simulate_votes(
            arena, votes=missing, track=None, voters=steps.SIMULATED_VOTERS, seed=0
        )
    if serve:
        _serve(arena, host="127.0.0.1", port=port)


def init() -> None:
    """Create ARENA_HOME with database, keys, shipped tracks and prompts. Safe to repeat."""
    from arena.context import make_arena
    from arena.settings import load_settings
    from arena.shipped import Collection

    settings = load_settings()
    is_new = not settings.home.is_dir() or not any(settings.home.iterdir())
    make_arena(settings, Collection.STANDARD)
    if is_new:
        out.print(
            f"Created an arena in {settings.home}. "
            "Next: `arena entrants add FILE`, `arena generate`, `arena serve`."
        )
    else:
        out.print(f"The arena in {settings.home} is ready.")


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: PortOption = 8501,
) -> None:
    """Serve the pages and the API until Ctrl-C."""
    _serve(open_configured_arena(), host=host, port=port)


def _serve(arena: "Arena", *, host: str, port: int) -> None:
    from arena.web.app import serve as run_server

    run_server(
        arena,
        host=host,
        port=port,
        on_ready=lambda address: out.print(f"The arena is at {address}  (Ctrl-C stops it)"),
    )


for _command in (
    *(demo, init, clips.generate, clips.failures, clips.import_clips),
    *(serve, results.simulate, results.leaderboard, results.export, results.verify),
):
    _name = _command.__name__.removesuffix("_clips")
    app.command(_name, rich_help_panel=PANEL_OF[_name])(_command)
for _name, _group in {
    "tracks": catalog.tracks_app,
    "entrants": catalog.entrants_app,
    "prompts": catalog.prompts_app,
    "db": migrations.db_app,
}.items():
    app.add_typer(_group, name=_name, rich_help_panel=PANEL_OF[_name])


def run() -> None:
    """Run a command. Exit status: 0 done, 1 failed with one line on stderr, 2 wrong usage."""
    debug = "--debug" in sys.argv
    try:
        app(args=["--debug"] * debug + [word for word in sys.argv[1:] if word != "--debug"])
    except Exception as error:
        if debug:
            raise
        # The outermost handler: a bug is reported in one line as well.
        message = (
            str(error)
            if isinstance(error, ArenaError)
            else f"unexpected error {error!r}; --debug shows the traceback"
        )
        err.print(f"arena: {message}", style="red")
        sys.exit(error.exit_status if isinstance(error, ArenaError) else 1)
