"""The commands `arena init`, `serve` and `demo`."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from arena.commands.options import PortOption, WorkersOption, open_configured_arena
from arena.commands.output import err, out

if TYPE_CHECKING:
    from arena.context import Arena
    from arena.settings import Settings

CONTEST_STEPS = (
    "`arena providers` for the models and their prices, `arena entrants add NAME...`, "
    "`arena generate --dry-run` for the bill"
)


class Preset(StrEnum):
    """The collections of `arena.shipped` that can be asked for by name."""

    CONTEST = "contest"


def init(
    empty: Annotated[
        bool, typer.Option("--empty", help="Without the shipped tracks and prompts.")
    ] = False,
    preset: Annotated[
        Preset | None,
        typer.Option(
            "--preset",
            help="Other tracks and prompts: for a contest of models behind their makers' APIs.",
        ),
    ] = None,
) -> None:
    """Create ARENA_HOME with database, keys, shipped tracks and prompts. Safe to repeat."""
    if empty and preset is not None:
        raise typer.BadParameter("--empty and --preset contradict each other.")
    from arena.audit.seals import seal_votes
    from arena.context import make_arena, utc_now
    from arena.settings import load_settings
    from arena.shipped import Collection

    settings = load_settings()
    is_new = not settings.home.is_dir() or not any(settings.home.iterdir())
    shipped = Collection(preset.value) if preset is not None else Collection.STANDARD
    arena = make_arena(settings, None if empty else shipped)
    seal_votes(arena, now=utc_now())  # the first time: the key, and the seal that others follow
    first = "`arena tracks add FILE`, `arena prompts import FILE`, " if empty else ""
    if preset is not None:
        out.print(
            f"The arena in {settings.home} has the tracks and prompts of the {preset.value}. "
            f"Next: {CONTEST_STEPS}."
        )
    elif is_new:
        out.print(
            f"Created an arena in {settings.home}. "
            f"Next: {first}`arena entrants add FILE`, `arena generate`, `arena serve`."
        )
    else:
        out.print(f"The arena in {settings.home} is ready. Next: `arena status`.")


def serve(
    host: Annotated[
        str, typer.Option(metavar="HOST", help="The address to listen on.")
    ] = "127.0.0.1",
    port: PortOption = 8501,
    workers: Annotated[
        int,
        typer.Option(
            "--workers", metavar="N", min=1, max=64, help="Processes that answer requests."
        ),
    ] = 1,
) -> None:
    """Serve the pages and the API until Ctrl-C."""
    processes = "1 process" if workers == 1 else f"{workers} processes"
    err.print(f"Starting the arena ({processes})...")  # before the imports, which take a while
    _serve(open_configured_arena(), host=host, port=port, workers=workers)


def demo(
    port: PortOption = 8501,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve the arena at the end.")
    ] = True,
    story: Annotated[
        bool,
        typer.Option("--story", help="Instead, tell how a codename wins, is claimed and verified."),
    ] = False,
    workers: WorkersOption = None,
) -> None:
    """Create an arena with the built-in entrants, clips and simulated votes, and serve it."""
    err.print("Starting the demo.")  # before the imports, which take a while
    from arena.commands import demo as steps
    from arena.settings import load_settings
    from arena.web.server.listening import check_port

    settings = load_settings()
    if serve:
        check_port("127.0.0.1", port)
    if story:
        _tell_story(settings, port=port, serve=serve, workers=workers)
        return
    arena, own = steps.prepare(settings)
    for warning in steps.fill(arena, own, workers=workers):
        err.print(f"Warning: {warning}", style="yellow")
    if serve:
        _serve(arena, host="127.0.0.1", port=port)
    else:
        out.print("The demo is ready. Next: `arena serve`.")


def _tell_story(settings: "Settings", *, port: int, serve: bool, workers: int | None) -> None:
    from arena.commands.story import Extent, open_story, tell

    extent = Extent()
    arena = open_story(settings, extent)
    for number, sentence in enumerate(tell(arena, extent, workers=workers), start=1):
        out.print(f"{number}. {sentence}")
    if serve:
        _serve(arena, host="127.0.0.1", port=port)


def _serve(arena: "Arena", *, host: str, port: int, workers: int = 1) -> None:
    from arena.settings import variables_from_env_file
    from arena.web.frontend.streamlit_files import ignored_files
    from arena.web.server.listening import check_port

    check_port(host, port)
    from arena.web.app import serve as run_server  # takes seconds to load

    path, names = variables_from_env_file()
    if names:
        err.print(f"Settings from {path}: {', '.join(names)}.")
    for ignored in ignored_files():
        err.print(f"{ignored} is not read: the arena sets Streamlit's settings itself.")
    run_server(
        arena,
        host=host,
        port=port,
        workers=workers,
        on_ready=lambda address: out.print(f"The arena is at {address}  (Ctrl-C stops it)"),
    )
