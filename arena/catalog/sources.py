"""Copies the sources of prompts, their first images and source videos, to the media store.

Voters get the copy, so a source stays what the clips were made from when the imported file is
edited or moved. Prompts of older versions have no copy yet: `store_missing_sources` makes it when
the arena is initialised or served. In tracks that need a source, a prompt without a copy is not
drawn.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from arena.catalog.prompts import StoredSource, set_source
from arena.catalog.schemas import PromptEntry
from arena.database import Database
from arena.errors import CatalogError
from arena.media import MediaStore
from arena.models import Prompt

FOLDER = "sources"  # in the media store


@contextmanager
def copied_sources(
    database: Database,
    store: MediaStore,
    entries: Sequence[PromptEntry],
    *,
    keep_stored: bool = False,
) -> Iterator[dict[str, StoredSource]]:
    """Copy the sources of prompts that have no copy yet, and yield the copies by prompt id.

    The block stores them with `import_prompts`; if it fails, the copies are deleted.

    Args:
        database: has the prompts that are stored already.
        store: gets the copies.
        entries: prompts to import.
        keep_stored: ignore what a file of a stored prompt contains now.

    Raises:
        CatalogError: a source is missing, is not a file that browsers show, or differs from the
            one that the prompt was stored with.
        ProductionError: the media store cannot be written.
    """
    with database.reading() as session:
        query = select(Prompt.id, Prompt.source_sha256).where(Prompt.source_path.is_not(None))
        stored = dict(session.execute(query).all())
    sources: dict[str, StoredSource] = {}
    try:
        for entry in entries:
            if entry.source is None:
                continue
            if entry.id not in stored:
                sources[entry.id] = _copy(store, Path(entry.source))
            elif not keep_stored and _sha256(Path(entry.source)) != stored[entry.id]:
                raise CatalogError(
                    f"The prompt {entry.id} exists with another source: a prompt never changes; "
                    "give the new one another id."
                )
        yield sources
    except BaseException:
        for source in sources.values():
            store.delete(source.path)
        raise


def _sha256(path: Path) -> str:
    from arena.catalog.source_files import read_source

    return read_source(path).sha256


def _copy(store: MediaStore, path: Path) -> StoredSource:
    from arena.catalog.source_files import read_source  # loads FFmpeg, which few commands need

    file = read_source(path)
    return StoredSource(
        path=store.put(file.data, folder=FOLDER, suffix=file.suffix),
        sha256=file.sha256,
        bytes=len(file.data),
        media_type=file.media_type,
        width=file.width,
        height=file.height,
    )


def store_missing_sources(database: Database, store: MediaStore) -> list[str]:
    """Copy the sources of prompts that have no copy yet, as older versions imported them.

    Returns:
        A sentence for each source that cannot be shown; it is also stored with its prompt.
    """
    return list(_missing(database, store))


def _missing(database: Database, store: MediaStore) -> Iterator[str]:
    query = (
        select(Prompt.id, Prompt.source, Prompt.source_fault)
        .where(Prompt.source.is_not(None), Prompt.source_path.is_(None))
        .order_by(Prompt.id)
    )
    with database.reading() as session:
        missing = session.execute(query).all()
    for prompt_id, path, known_fault in missing:
        source = fault = None
        try:
            source = _copy(store, Path(str(path)))
        except CatalogError as error:
            fault = str(error)
            yield f"Prompt {prompt_id}: {fault}"
        if fault is None or fault != known_fault:
            with database.writing() as session:
                prompt = session.get_one(Prompt, prompt_id)
                set_source(prompt, source, fault=fault)
