"""Generates clips and stores them: first the files, then the row that refers to them."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.catalog.identical import warn_if_identical
from arena.database import Database
from arena.errors import ArenaError, ProductionError
from arena.media import MediaStore
from arena.models import Clip, ClipStatus
from arena.production.orders import ClipKey, StoredOrders, finish_order
from arena.production.pending import PendingClip, request_key
from generator.backends import is_repeatable
from generator.clips import ClipRequest, FailedClip, GeneratedClip
from generator.engine import generate
from generator.errors import GeneratorError


def produce(
    database: Database,
    store: MediaStore,
    pending: list[PendingClip],
    *,
    workers: int | None,
    ray: str | None = None,
    clock: Callable[[], datetime],
) -> Iterator[GeneratedClip | FailedClip]:
    """Generate missing clips, store each result as it arrives, and yield it.

    If a stored master is missing or damaged, or the file of a clip that is made elsewhere is yet
    to come, nothing is stored: no model failed, and the clip can still be generated. `workers` and
    `ray` are those of `generator.engine.generate`.

    Raises:
        ProductionError: no clip can be generated at all; says why.
    """
    by_key = {request_key(item.request): item for item in pending}
    requests = _with_journals(database, pending)
    try:
        for result in generate(requests, workers=workers, ray=ray):
            item = by_key[request_key(result.request)]
            if is_missing(result):
                if result.request.orders is None:  # else another run is making it
                    forget_failures(database, store, [item])
            elif isinstance(result, GeneratedClip) or result.request.stored_master is None:
                store_clip(database, store, item, result, now=clock())
            yield result
    except GeneratorError as error:
        raise ProductionError(str(error)) from error


def _with_journals(database: Database, pending: list[PendingClip]) -> list[ClipRequest]:
    """The requests, with a journal where the clip is ordered from a service that may bill it."""
    url = database.engine.url.render_as_string(hide_password=False)
    is_ordered: dict[int, bool] = {}
    requests = []
    for item in pending:
        request = item.request
        if item.entrant_id not in is_ordered:
            is_ordered[item.entrant_id] = not is_repeatable(request.entrant)
        if is_ordered[item.entrant_id] and request.stored_master is None:
            key = ClipKey(item.entrant_id, item.track_id, item.prompt_id, item.seed)
            journal = StoredOrders(url, key, order_again=item.order_again)
            request = replace(request, orders=journal)
        requests.append(request)
    return requests


def store_clip(
    database: Database,
    store: MediaStore,
    item: PendingClip,
    result: GeneratedClip | FailedClip,
    *,
    now: datetime,
) -> None:
    """Store the result for a missing clip, and delete the files that it replaces."""
    clip = store_files(store, item, result, now=now)
    try:
        unused = database.write(lambda session: insert_clip(session, clip))
    except Exception:
        if not _is_referenced(database, clip):
            delete_files(store, stored_files(clip))
        raise
    delete_files(store, unused)


def _is_referenced(database: Database, clip: Clip) -> bool:
    """Whether a row refers to the clip's files: a commit can succeed although it raised."""
    try:
        with database.reading() as session:
            names = Clip.master_path.in_(stored_files(clip)) | Clip.rendition_path.in_(
                stored_files(clip)
            )
            return session.scalar(select(Clip.id).where(names).limit(1)) is not None
    except ArenaError:
        return True  # unknown, so keep the files


def forget_failures(database: Database, store: MediaStore, items: list[PendingClip]) -> None:
    """Delete the failed clips of these keys: they are missing, as long as nobody adds a file."""
    unused: list[str] = []
    with database.writing() as session:
        for item in items:
            clip = session.scalar(
                select(Clip).where(
                    Clip.entrant_id == item.entrant_id,
                    Clip.track_id == item.track_id,
                    Clip.prompt_id == item.prompt_id,
                    Clip.seed == item.seed,
                    Clip.status == ClipStatus.FAILED,
                )
            )
            if clip is not None:
                unused += stored_files(clip)
                session.delete(clip)
    delete_files(store, unused)


def is_missing(result: GeneratedClip | FailedClip) -> bool:
    """Whether there is no file of the clip yet, so that it neither exists nor failed."""
    return isinstance(result, FailedClip) and result.missing


def failure_reason(result: GeneratedClip | FailedClip) -> str | None:
    """Return why a clip failed; None for a generated one and for one whose file is yet to come."""
    return result.reason if isinstance(result, FailedClip) and not result.missing else None


def store_files(
    store: MediaStore, item: PendingClip, result: GeneratedClip | FailedClip, *, now: datetime
) -> Clip:
    """Store the files of a result; return its row, which is not in the database yet.

    If the process is killed in between, there are files without a row, but no partial clip.
    """
    clip = Clip(
        entrant_id=item.entrant_id,
        track_id=item.track_id,
        prompt_id=item.prompt_id,
        seed=item.seed,
        status=ClipStatus.FAILED,
        created_at=now,
    )
    if result.master is not None:
        master = result.master
        clip.master_path = store.put(master.data, folder="masters", suffix=master.suffix)
        clip.master_sha256 = hashlib.sha256(master.data).hexdigest()
    if isinstance(result, FailedClip):
        clip.failure, clip.refused = result.reason, result.refused
        clip.maybe_billed = result.maybe_billed
        return clip
    clip.status = ClipStatus.READY
    try:
        clip.rendition_path = store.put(result.rendition, folder="renditions", suffix=".mp4")
    except ProductionError:
        delete_files(store, stored_files(clip))  # the master, which has no rendition
        raise
    clip.sha256 = hashlib.sha256(result.rendition).hexdigest()
    clip.provenance = result.provenance.model_dump(mode="json")
    clip.measures = result.measures
    return clip


def insert_clip(session: Session, clip: Clip) -> list[str]:
    """Insert the clip's row; it replaces a failed clip, but not a ready one of another run.

    Returns:
        The files that no row refers to any more, to be deleted after the commit.
    """
    finish_order(session, clip)
    existing = session.scalar(
        select(Clip).where(
            Clip.entrant_id == clip.entrant_id,
            Clip.track_id == clip.track_id,
            Clip.prompt_id == clip.prompt_id,
            Clip.seed == clip.seed,
        )
    )
    if existing is not None and existing.status is ClipStatus.READY:
        return stored_files(clip)
    unused = [] if existing is None else stored_files(existing)
    if existing is not None:
        session.delete(existing)
        session.flush()
    session.add(clip)
    warn_if_identical(session, clip)
    return unused


def stored_files(clip: Clip) -> list[str]:
    """Return the paths of a clip's files in the store."""
    return [path for path in (clip.master_path, clip.rendition_path) if path is not None]


def delete_files(store: MediaStore, paths: list[str]) -> None:
    """Delete files that no row refers to."""
    for path in paths:
        store.delete(path)
