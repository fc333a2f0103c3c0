"""The command line: which commands there are, and how a failure is reported."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from arena.commands import (
    blindness,
    claims,
    clips,
    costs,
    migrations,
    orders,
    providers,
    results,
    serving,
    status,
    voters,
)
from arena.commands.entrants import entrants_app
from arena.commands.holds import holds_app
from arena.commands.output import err, out
from arena.commands.prompts import prompts_app
from arena.commands.seals import audit_app, seals_app
from arena.commands.stored_clips import clips_app
from arena.commands.tracks import tracks_app
from arena.commands.typer_app import App
from arena.errors import ArenaError

# In the order of use: what a newcomer runs first, then from an empty arena to a verified release.
PANELS = {
    "Getting started": ("demo", "init", "status"),
    "Catalog": ("tracks", "entrants", "providers", "claim", "prompts"),
    "Clips": ("generate", "failures", "orders", "clips", "costs", "import"),
    "Votes": ("serve", "simulate", "leaderboard", "plan"),
    "Releases": ("export", "verify"),
    "Trust": ("seals", "holds", "audit"),
    "Maintenance": ("db",),
}
PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}
WRONG_USAGE = 2

# Shown at the foot of the help.
EXAMPLES = {
    "demo": ["arena demo", "arena demo --port 9000"],
    "init": ["arena init", "arena init --empty", "arena init --preset contest"],
    "status": ["arena status", "arena status --format json"],
    "claim": ['arena claim "Grey Colt" --opening grey-colt.json'],
    "generate": ["arena generate", "arena generate --dry-run", "arena generate --max-usd 20"],
    "providers": ["arena providers", "arena providers --track text-to-video --format csv"],
    "failures": ["arena failures", "arena failures --page failures.html"],
    "orders": ["arena orders", "arena orders --entrant my-model --format csv"],
    "costs": ["arena costs", "arena costs --track text-to-video --format csv"],
    "import": ["arena import my-clips.csv"],
    "serve": ["arena serve", "arena serve --host 0.0.0.0 --port 80"],
    "simulate": ["arena simulate --votes 500 --track text-to-video"],
    "leaderboard": [
        "arena leaderboard --track text-to-video",
        "arena leaderboard --voters simulated --format csv",
    ],
    "plan": ["arena plan", "arena plan --track text-to-video --power 0.9"],
    "export": [
        "arena export my-release",
        "arena export --publish --track text-to-video",
        "arena export my-votes --track text-to-video --as genai-bench",
    ],
    "verify": ["arena verify my-release"],
}

app = App(
    help="Hippodrome: rank video models by blind votes, with results that anyone can recompute.",
    order=list(PANEL_OF),
    examples=["arena demo", "arena entrants add my-model.toml", "arena generate --help"],
    pretty_exceptions_enable=False,
)


def _show_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version  # loads slowly

        out.print(f"Hippodrome {version('hippodrome')}")
        raise typer.Exit


@app.callback()
def _options(
    _debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback if a command fails.")
    ] = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", is_eager=True, callback=_show_version, help="Show the version."
        ),
    ] = False,
) -> None:
    """Declare the options that `run` reads before any command starts."""


COMMANDS: dict[str, Callable[..., None]] = {
    "demo": serving.demo,
    "init": serving.init,
    "status": status.status,
    "claim": claims.claim,
    "providers": providers.providers,
    "generate": clips.generate,
    "failures": clips.failures,
    "orders": orders.orders,
    "costs": costs.costs,
    "import": clips.import_clips,
    "serve": serving.serve,
    "simulate": results.simulate,
    "leaderboard": results.leaderboard,
    "plan": results.plan,
    "export": results.export,
    "verify": results.verify,
}
for _name, _command in COMMANDS.items():
    app.command(_name, rich_help_panel=PANEL_OF[_name], examples=EXAMPLES[_name])(_command)
for _name, _group in {
    "tracks": tracks_app,
    "entrants": entrants_app,
    "prompts": prompts_app,
    "clips": clips_app,
    "seals": seals_app,
    "holds": holds_app,
    "audit": audit_app,
    "db": migrations.db_app,
}.items():
    app.add_typer(_group, name=_name, rich_help_panel=PANEL_OF[_name])


audit_app.command(
    "blindness",
    examples=["arena audit blindness --track text-to-video --battles 400 --output blindness.json"],
)(blindness.blindness)
audit_app.command(
    "voters", examples=["arena audit voters", "arena audit voters --track text-to-video --hold"]
)(voters.voters)


def run() -> None:
    """Run a command. Exit status: 0 done, 1 failed with one line on stderr, 2 wrong usage."""
    debug = "--debug" in sys.argv
    try:
        words = [word for word in sys.argv[1:] if word != "--debug"]
        exit_status = app(args=["--debug"] * debug + words, standalone_mode=False)
    except typer.Abort:
        _fail("stopped, nothing was changed.", 1)
    except typer.TyperException as error:
        _fail(_describe_wrong_usage(error), WRONG_USAGE)
    except Exception as error:
        if debug:
            raise
        # The outermost handler: a bug is reported in one line as well.
        message = (
            str(error)
            if isinstance(error, ArenaError)
            else f"unexpected error {error!r}; --debug shows the traceback"
        )
        _fail(message, error.exit_status if isinstance(error, ArenaError) else 1)
    else:
        sys.exit(exit_status or 0)


def _describe_wrong_usage(error: Any) -> str:
    """Return what is wrong in one line; empty if the help was shown instead."""
    message = " ".join(error.format_message().split())
    context = getattr(error, "ctx", None)
    if not message or context is None:
        return message
    if not message.endswith((".", "?", "!")):
        message += "."
    return f"{message} See `{context.command_path} --help`."


def _fail(message: str, exit_status: int) -> None:
    if message:
        err.print(f"arena: {message}", style="red")
    sys.exit(exit_status)
