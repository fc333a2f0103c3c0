"""Names the files of clip folders that match no prompt, where clips are missing for lack of a file.

A file with a slightly other name, such as `p1 .mp4` for the prompt p1, would otherwise lie there
unseen.
"""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.catalog.entrant_details import has_folder
from arena.models import Entrant, Prompt
from arena.production.pending import PendingClip, find_pending, split_by_file
from arena.text import pluralize
from generator.backends import unmatched_files

NO_SEEDS = ""  # files have names, whatever the seeds
MAX_NAMED = 3


def misnamed_files(session: Session, absent: Iterable[PendingClip]) -> list[str]:
    """Return a sentence for each entrant with missing clips whose folder has unknown files.

    Args:
        session: of the database.
        absent: the missing clips that have no file.
    """
    by_entrant: dict[int, list[PendingClip]] = {}
    for item in absent:
        by_entrant.setdefault(item.entrant_id, []).append(item)
    if not by_entrant:
        return []
    prompts = frozenset(session.scalars(select(Prompt.id)))
    sentences = []
    for items in by_entrant.values():
        entrant = session.get_one(Entrant, items[0].entrant_id)
        files = unmatched_files(items[0].request.entrant, prompts)
        if files:
            ids = list(dict.fromkeys(item.prompt_id for item in items))
            sentences.append(f"{entrant.shown_name}: {_describe(ids, files)}")
    return sentences


def misnamed_files_of(session: Session, entrants: Iterable[Entrant]) -> list[str]:
    """Return the same sentences for these entrants; those without a folder have none."""
    absent = []
    for entrant in entrants:
        if has_folder(entrant) and entrant.retired_at is None:
            _, without_file = split_by_file(
                find_pending(session, seed_key=NO_SEEDS, entrant=entrant)
            )
            absent += [item for item, _ in without_file]
    return misnamed_files(session, absent)


def _describe(ids: list[str], files: list[str]) -> str:
    more = len(ids) - 1
    rest = f" and {pluralize(more, 'other prompt')}" if more else ""
    shown = [f"'{name}'" for name in files[:MAX_NAMED]]
    unshown = len(files) - len(shown)
    if unshown:
        shown.append(pluralize(unshown, "other file"))
    named = " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
    verb = "match" if len(files) > 1 else "matches"
    sentence = f"no file for the prompt {ids[0]}{rest}; the folder has {named}, which {verb} no "
    return sentence + f"prompt.{_rename(ids, files)}"


def _rename(ids: list[str], files: list[str]) -> str:
    """Suggest a new name for the first file whose name differs from an id in little."""
    by_form = {_form(key): key for key in ids}
    for name in files:
        stem, dot, ending = name.rpartition(".")
        if key := by_form.get(_form(stem)):
            return f" Rename '{name}' to '{key}{dot}{ending.lower()}'."
    return ""


def _form(name: str) -> str:
    """Return a name without what people mistype: capitals, spaces, hyphens and underscores."""
    return "".join(character for character in name.casefold() if character.isalnum())
