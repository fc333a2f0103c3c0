"""`arena entrants`."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena.commands.options import YesOption, open_configured_arena
from arena.commands.output import (
    FormatOption,
    TableFormat,
    confirm,
    err,
    out,
    show_json,
    show_table,
)
from arena.commands.typer_app import App

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from arena.catalog.entrants import AddedEntrant
    from arena.catalog.schemas import EntrantEntry
    from arena.context import Arena
    from arena.models import Entrant

EntrantArgument = Annotated[str, typer.Argument(help="The entrant's slug, name or codename.")]
IdentitiesOption = Annotated[
    bool, typer.Option("--identities", help="Show what codenames hide. Not for other eyes.")
]

entrants_app = App(
    help="List, show, add, retire and restore entrants: the model versions that compete.",
    examples=["arena entrants list", "arena entrants add my-model.toml"],
)


@entrants_app.command("list", examples=["arena entrants list", "arena entrants list --format csv"])
def list_entrants(
    identities: IdentitiesOption = False,
    format: FormatOption = TableFormat.TABLE,
) -> None:
    """List the entrants by their public names; codenames stay hidden unless asked for."""
    from arena.catalog import entrants

    columns = ("slug", "model", "creator", "licence", "release date", "tracks", "retired")
    with open_configured_arena().database.reading() as session:
        rows = [
            (
                *(_identity(entrant) if identities else _public_identity(entrant)),
                [track.name for track in entrant.tracks],
                "yes" if entrant.retired_at else None,
            )
            for entrant in entrants.list_entrants(session)
        ]
    hint = "No entrants yet. Next: `arena entrants add FILE`."
    show_table("Entrants", columns, rows, format, if_empty=hint)


def _identity(entrant: "Entrant") -> tuple[object, ...]:
    return (entrant.slug, entrant.name, entrant.creator, entrant.licence, entrant.release_date)


def _public_identity(entrant: "Entrant") -> tuple[object, ...]:
    return (
        *(entrant.shown_slug, entrant.shown_name, entrant.shown_creator),
        *(entrant.shown_licence, entrant.shown_release_date),
    )


@entrants_app.command(
    "show", examples=["arena entrants show my-model", "arena entrants show my-model --format json"]
)
def show_entrant(
    entrant: EntrantArgument,
    identities: IdentitiesOption = False,
    format: FormatOption = TableFormat.TABLE,
) -> None:
    """Show one entrant: its settings, clips and how they were made; write its first clip's picture.

    The picture is a PNG of the clip as its maker delivered it, for you to look for visible marks.
    """
    from arena.catalog.entrant_details import describe_entrant
    from arena.catalog.entrants import find_entrant

    arena = open_configured_arena()
    with arena.database.reading() as session:
        row = find_entrant(session, entrant)
        description = describe_entrant(session, row, identity=identities)
        notes = [] if row.stealth and not identities else _misnamed_files(session, row)
        path, sentence = _write_picture(arena, session, row)
    description["picture"] = path
    notes += [sentence] if sentence else []
    if format is TableFormat.JSON:
        show_json(description | {"notes": notes})
        return
    rows: list[tuple[str, object]] = []
    for key, value in description.items():
        if key == "tracks":
            rows += [(each["track"], _count_clips(each)) for each in value]
        elif isinstance(value, dict):
            rows += [(f"{key}.{name}", _as_text(each)) for name, each in value.items()]
        else:
            rows.append((key, value))
    show_table(description["model"], ("field", "value"), rows, format)
    if format is TableFormat.TABLE:
        for note in notes:
            out.print(note)


def _write_picture(
    arena: "Arena", session: "Session", entrant: "Entrant"
) -> tuple[str | None, str | None]:
    """Write the picture of the entrant's first clip; return where it is, and a sentence on it."""
    from arena.catalog.entrant_details import has_clips

    if not has_clips(session, entrant):
        return None, None
    from arena import production  # loads the generator

    written = production.write_first_picture(session, arena.store, arena.settings.home, entrant)
    if written is None or written.path is None:
        return None, None if written is None else written.problem
    return str(written.path), (
        f"{written.path} shows its first clip as it came: look for visible marks, such as a name "
        "or a logo."
    )


def _as_text(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


def _count_clips(track: dict[str, object]) -> str:
    states = ("ready", "missing", "failed", "withheld")
    return ", ".join(f"{track[state]} {state}" for state in states)


def _misnamed_files(session: "Session", entrant: "Entrant") -> list[str]:
    from arena.catalog.entrant_details import has_folder

    if not has_folder(entrant):
        return []
    from arena import production  # loads the generator

    return production.misnamed_files_of(session, [entrant])


@entrants_app.command(
    "add",
    examples=[
        "arena entrants add my-model.toml",
        "arena entrants add happyhorse-1.0 kling-3.0 --track text-to-video-audio",
    ],
)
def add_entrants(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Entrants' TOML files, or names of shipped ones, as of `arena providers`.",
        ),
    ],
    track: Annotated[
        list[str] | None,
        typer.Option(
            "--track",
            metavar="TRACK",
            help="Of shipped ones, only this track instead of all they can serve; may be repeated.",
        ),
    ] = None,
    trust_host: Annotated[
        str | None,
        typer.Option(
            "--trust-host",
            metavar="HOST",
            help="The host that a provider file of your own may send prompts and the key to.",
        ),
    ] = None,
) -> None:
    """Add model versions, after checking that their backends support their tracks."""
    from arena import production
    from arena.catalog.tracks import list_tracks

    arena = open_configured_arena()
    entries = []
    with arena.database.reading() as session:
        # All before the first is added, or its files are hashed, which takes a while.
        tracks = list_tracks(session)
        for file in files:
            entry, sentences = production.read_entry(file, tracks, only=track)
            entry = production.trust_host(entry, trust_host)
            production.check_entrant(entry, tracks)
            entries.append((entry, production.describe_service(entry), sentences))
    for entry, service, sentences in entries:
        for sentence in (*service, *sentences):
            err.print(sentence)
        _add(arena, entry, is_paid=bool(service))


def _add(arena: "Arena", entry: "EntrantEntry", *, is_paid: bool) -> None:
    from arena import production
    from arena.catalog.entering import enter
    from arena.context import utc_now

    entered = enter(
        arena.database,
        arena.settings.home,
        entry,
        fingerprint=production.fingerprint_of(entry),
        check=lambda tracks: production.check_entrant(entry, tracks),
        now=utc_now(),
    )
    added = entered.added
    for warning in entered.warnings:
        err.print(f"Warning: {warning}", style="yellow")
    if entered.opening is not None:
        from arena.audit.seals import seal_votes

        seal_votes(arena, now=utc_now())  # so that a seal has the commitment before any vote
        out.print(
            f"The opening of {added.entrant.shown_name} is in {entered.opening}: keep it secret "
            "and safe, since only it can prove a claim."
        )
    slug = shlex.quote(added.entrant.shown_slug)
    bill = " --dry-run` for the bill" if is_paid else "`"
    out.print(f"{_describe(added)} Next: `arena generate --entrant {slug}{bill}.")


def _describe(added: "AddedEntrant") -> str:
    from arena.catalog.tracks import Change

    name = added.entrant.shown_name
    match added.change:
        case Change.ADDED:
            return f"Added {name}."
        case Change.UPDATED:
            changes = ["replaced its settings"] * added.new_settings
            if added.new_tracks:
                changes.append(f"entered it in {', '.join(added.new_tracks)}")
            return f"Updated {name}: {' and '.join(changes)}."
        case Change.UNCHANGED:
            return f"{name} already exists, unchanged."


@entrants_app.command("retire", examples=["arena entrants retire my-model"])
def retire_entrant(entrant: EntrantArgument, yes: YesOption = False) -> None:
    """Retire an entrant; its clips and votes stay, and it stays listed."""
    from arena.catalog import retirement
    from arena.catalog.entrants import find_entrant
    from arena.context import utc_now

    arena = open_configured_arena()
    with arena.database.reading() as session:
        row = find_entrant(session, entrant)
        name, slug, retired = (
            row.shown_name,
            shlex.quote(row.shown_slug),
            row.retired_at is not None,
        )
    if retired:
        out.print(f"{name} is already retired.")
        return
    confirm(f"Retire {name}? It gets no more battles; its clips and votes stay.", yes=yes)
    with arena.database.writing() as session:
        retirement.retire(session, find_entrant(session, entrant), now=utc_now())
    out.print(f"Retired {name}. To undo: `arena entrants restore {slug}`.")


@entrants_app.command("restore", examples=["arena entrants restore my-model"])
def restore_entrant(entrant: EntrantArgument) -> None:
    """Let a retired entrant compete again."""
    from arena.catalog import retirement
    from arena.catalog.entrants import find_entrant

    with open_configured_arena().database.writing() as session:
        row = find_entrant(session, entrant)
        was_retired, name = retirement.restore(session, row), row.shown_name
        slug = shlex.quote(row.shown_slug)
    if was_retired:
        out.print(f"Restored {name}. Next: `arena generate --entrant {slug}`.")
    else:
        out.print(f"{name} is not retired.")
