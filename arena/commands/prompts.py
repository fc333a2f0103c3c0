"""`arena prompts`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena.commands.options import YesOption, open_configured_arena
from arena.commands.output import FormatOption, TableFormat, confirm, out, show_table
from arena.commands.typer_app import App
from arena.text import pluralize

if TYPE_CHECKING:
    from arena.context import Arena

prompts_app = App(
    help="List, import, retire and restore prompts: the texts from which clips are generated.",
    examples=["arena prompts list", "arena prompts import my-prompts.csv"],
)


@prompts_app.command("list", examples=["arena prompts list", "arena prompts list --format csv"])
def list_prompts(format: FormatOption = TableFormat.TABLE) -> None:
    """List the prompts."""
    from arena.catalog import prompts

    with open_configured_arena().database.reading() as session:
        rows = [
            (
                *(prompt.id, prompt.text, prompt.categories),
                [track.name for track in prompt.tracks],
                "yes" if prompt.is_held_out else None,
                "yes" if prompt.retired_at else None,
            )
            for prompt in prompts.list_prompts(session)
        ]
    columns = ("id", "text", "categories", "tracks", "held out", "retired")
    hint = "No prompts yet. Next: `arena prompts import FILE`."
    show_table("Prompts", columns, rows, format, if_empty=hint)


@prompts_app.command("import", examples=["arena prompts import my-prompts.csv"])
def import_prompts(
    file: Annotated[Path, typer.Argument(help="A .csv or .jsonl file with id and text.")],
) -> None:
    """Import the prompts of a file, all of them or none."""
    from arena.catalog import prompts
    from arena.catalog.schemas import read_prompts
    from arena.catalog.sources import copied_sources
    from arena.context import utc_now

    entries = read_prompts(file)
    arena = open_configured_arena()
    with (
        copied_sources(arena.database, arena.store, entries) as sources,
        arena.database.writing() as session,
    ):
        imported = prompts.import_prompts(session, entries, sources=sources, now=utc_now())
    sentences = [f"Added {pluralize(imported.added, 'prompt')}."]
    if imported.existing:
        sentences.append(f"Already stored: {imported.existing:,}.")
    if imported.updated:
        sentences.append(f"Entered in further tracks: {imported.updated:,}.")
    out.print(" ".join([*sentences, "Next: `arena generate`."]))


PromptArgument = Annotated[str | None, typer.Argument(metavar="ID", help="The prompt's id.")]


@prompts_app.command(
    "retire", examples=["arena prompts retire film-01", "arena prompts retire --all --yes"]
)
def retire_prompt(
    prompt_id: PromptArgument = None,
    every: Annotated[
        bool, typer.Option("--all", help="Retire every prompt, for example the shipped ones.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Retire a prompt or all prompts; their clips and votes stay."""
    from arena.catalog import retirement
    from arena.catalog.prompts import find_prompt
    from arena.context import utc_now

    arena = open_configured_arena()
    active = _select(arena, prompt_id, every=every, retired=False)
    if not active:
        what = "No prompt is active." if every else f"The prompt {prompt_id} is already retired."
        out.print(what)
        return
    what = f"all {pluralize(len(active), 'prompt')}" if every else f"the prompt {prompt_id}"
    confirm(f"Retire {what}? Their clips are shown no more; clips and votes stay.", yes=yes)
    with arena.database.writing() as session:
        for each in active:
            retirement.retire(session, find_prompt(session, each), now=utc_now())
    undo = "--all" if every else prompt_id
    out.print(f"Retired {what}. To undo: `arena prompts restore {undo}`.")


@prompts_app.command(
    "restore", examples=["arena prompts restore film-01", "arena prompts restore --all"]
)
def restore_prompt(
    prompt_id: PromptArgument = None,
    every: Annotated[bool, typer.Option("--all", help="Restore every retired prompt.")] = False,
) -> None:
    """Use a retired prompt, or all of them, again."""
    from arena.catalog import retirement
    from arena.catalog.prompts import find_prompt
    from arena.context import utc_now

    arena = open_configured_arena()
    retired = _select(arena, prompt_id, every=every, retired=True)
    if not retired:
        out.print("No prompt is retired." if every else f"The prompt {prompt_id} is not retired.")
        return
    with arena.database.writing() as session:
        for each in retired:
            retirement.restore(session, find_prompt(session, each), now=utc_now())
    what = pluralize(len(retired), "prompt") if every else f"the prompt {prompt_id}"
    out.print(f"Restored {what}. Next: `arena generate`.")


def _select(arena: "Arena", prompt_id: str | None, *, every: bool, retired: bool) -> list[str]:
    """Return the ids among one or all prompts that are retired, or that are not."""
    from arena.catalog.prompts import find_prompt, list_prompts

    if (prompt_id is None) == (not every):
        raise typer.BadParameter("give the id of one prompt, or --all.")
    with arena.database.reading() as session:
        found = list_prompts(session) if prompt_id is None else [find_prompt(session, prompt_id)]
        return [prompt.id for prompt in found if (prompt.retired_at is not None) == retired]
