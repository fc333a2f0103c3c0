"""Has clips generated and writes them: files first, then the row that names them."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.database import Database
from arena.errors import ArenaError, ProductionError
from arena.media import MediaStore
from arena.models import Clip, ClipStatus
from arena.production.pending import PendingClip, request_key
from generator.clips import FailedClip, GeneratedClip
from generator.engine import generate
from generator.errors import GeneratorError


def produce(
    database: Database,
    store: MediaStore,
    missing: list[PendingClip],
    *,
    workers: int | None,
    ray: str | None = None,
    clock: Callable[[], datetime],
) -> Iterator[GeneratedClip | FailedClip]:
    """Have the missing clips generated, store each as it comes, and hand it on for the report.

    Of a master that is not there, or not whole, nothing is stored: no model failed, and the clip
    can still be generated. `workers` and `ray` are `generator.engine.generate`'s.

    Raises:
        ProductionError: no clip can be generated at all, and why.
    """
    owed = {request_key(item.request): item for item in missing}
    requests = [item.request for item in missing]
    try:
        for result in generate(requests, workers=workers, ray=ray):
            if isinstance(result, GeneratedClip) or result.request.stored_master is None:
                store_clip(database, store, owed[request_key(result.request)], result, now=clock())
            yield result
    except GeneratorError as error:
        raise ProductionError(str(error)) from error


def store_clip(
    database: Database,
    store: MediaStore,
    item: PendingClip,
    result: GeneratedClip | FailedClip,
    *,
    now: datetime,
) -> None:
    """Store what came of a missing clip, and delete what it takes the place of."""
    clip = store_files(store, item, result, now=now)
    try:
        with database.writing() as session:
            gone = insert_clip(session, clip)
    except Exception:
        if not _is_named(database, clip):
            delete_files(store, stored_files(clip))
        raise
    delete_files(store, gone)


def _is_named(database: Database, clip: Clip) -> bool:
    """Whether a row names the clip's files after all: a commit may succeed and not be told."""
    try:
        with database.reading() as session:
            names = Clip.master_path.in_(stored_files(clip)) | Clip.rendition_path.in_(
                stored_files(clip)
            )
            return session.scalar(select(Clip.id).where(names).limit(1)) is not None
    except ArenaError:
        return True  # nobody can tell: the files stay


def failure_reason(result: GeneratedClip | FailedClip) -> str | None:
    """Why no clip came of it; None where one did."""
    return result.reason if isinstance(result, FailedClip) else None


def store_files(
    store: MediaStore, item: PendingClip, result: GeneratedClip | FailedClip, *, now: datetime
) -> Clip:
    """Files first, then the row: a kill between leaves files that no row names, no half clip."""
    clip = Clip(
        entrant_id=item.entrant_id,
        track_id=item.track_id,
        prompt_id=item.prompt_id,
        seed=item.seed,
        status=ClipStatus.FAILED,
        created_at=now,
    )
    told = result.provenance.model_dump(mode="json") if isinstance(result, GeneratedClip) else None
    if result.master is not None:
        master = result.master
        clip.master_path = store.put(master.data, folder="masters", suffix=master.suffix)
        clip.master_sha256 = hashlib.sha256(master.data).hexdigest()
    if isinstance(result, FailedClip):
        clip.failure, clip.refused = result.reason, result.refused
        return clip
    clip.status = ClipStatus.READY
    try:
        clip.rendition_path = store.put(result.rendition, folder="renditions", suffix=".mp4")
    except ProductionError:
        delete_files(store, stored_files(clip))  # a master without its rendition
        raise
    clip.sha256 = hashlib.sha256(result.rendition).hexdigest()
    clip.provenance = told
    clip.measures = result.measures
    return clip


def insert_clip(session: Session, clip: Clip) -> list[str]:
    """Write the clip's row; a failed one gives way, and a ready one of another run stands.

    Returns the files that no row names any more, to be deleted once this is committed.
    """
    before = session.scalar(
        select(Clip).where(
            Clip.entrant_id == clip.entrant_id,
            Clip.track_id == clip.track_id,
            Clip.prompt_id == clip.prompt_id,
            Clip.seed == clip.seed,
        )
    )
    if before is not None and before.status is ClipStatus.READY:
        return stored_files(clip)
    gone = [] if before is None else stored_files(before)
    if before is not None:
        session.delete(before)
        session.flush()
    session.add(clip)
    return gone


def stored_files(clip: Clip) -> list[str]:
    """What the store holds of a clip."""
    return [path for path in (clip.master_path, clip.rendition_path) if path is not None]


def delete_files(store: MediaStore, paths: list[str]) -> None:
    """Delete files that no row names."""
    for path in paths:
        store.delete(path)
