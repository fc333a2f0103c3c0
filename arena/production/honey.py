"""Makes the damaged copies of honey pairs: for a few clips of each track, each decided once.

Which clips have a copy, and how it is damaged, follows from the arena's key, so that nobody can
guess it and a run that was interrupted continues. Copies are spread over entrants and prompts. What
exists stays; if a clip is retired, or a file is damaged, the next run makes a copy of another clip.
"""

import hashlib
import hmac
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.catalog.index import catalog_index
from arena.catalog.track_index import IndexedClip, TrackIndex
from arena.catalog.tracks import list_tracks
from arena.database import Database
from arena.errors import NotFound
from arena.media import MediaStore
from arena.models import Clip, ClipStatus, Track, copy_seed
from arena.production.entrants import track_settings
from arena.production.seeds import SEED_BITS
from generator.clips import Provenance
from generator.errors import ClipError
from generator.media.damage import DAMAGES, damage_rendition
from generator.media.encode import ENCODING
from generator.spec import TrackSettings

# Copies, of a track's clips. A voter with 400 votes has seen about 12 honey pairs, by which one who
# tosses a coin is found; with fewer than 4, `audit.voter_rules` tests nobody.
SHARE, FEWEST, MOST = 0.05, 4, 12
TRIES = 3  # clips that are tried for each missing copy
WORKERS = 4  # tracks at a time: all frames of a clip are in memory
BACKEND = "damaged-copy"  # in the provenance
PURPOSE = "damaged copy"


@dataclass(frozen=True)
class Shortage:
    """A track that lacks damaged copies.

    Attributes:
        track_id, settings: of the track.
        missing: how many copies it lacks.
        candidates: the clips that may get one.
        by_entrant, by_prompt: how many copies each has already.
    """

    track_id: int
    settings: TrackSettings
    missing: int
    candidates: tuple[IndexedClip, ...]
    by_entrant: Counter[int]
    by_prompt: Counter[str]


def find_missing_copies(session: Session, *, track: Track | None = None) -> list[Shortage]:
    """Return the open tracks that lack damaged copies, and of which clips there may be some.

    Private and held-out prompts have none: a damaged copy is recognized at once, and names of
    clips that were never revealed could be guessed from it.
    """
    index = catalog_index(session, exact=True)
    found = []
    for each in list_tracks(session) if track is None else [track]:
        of_track = index.of(session, each.id)
        if not of_track.choices.pairs:  # closed, or of one entrant alone
            continue
        wanted = min(MOST, max(FEWEST, round(SHARE * len(of_track.shown))))
        missing = wanted - len(of_track.copies)
        held_out = {prompt.id for prompt in index.prompts.values() if prompt.is_held_out}
        candidates = _candidates(session, of_track, held_out) if missing > 0 else ()
        if candidates:
            copied = [of_track.clips[copy] for copy in of_track.copies]
            found.append(
                Shortage(
                    track_id=each.id,
                    settings=track_settings(each),
                    missing=min(missing, len(candidates)),
                    candidates=candidates,
                    by_entrant=Counter(clip.entrant_id for clip in copied),
                    by_prompt=Counter(clip.prompt_id for clip in copied),
                )
            )
    return found


def _candidates(
    session: Session, of_track: TrackIndex, held_out: set[str]
) -> tuple[IndexedClip, ...]:
    """The clips without a copy whose files are encoded as the copy would be."""
    of_this_track = Clip.track_id == of_track.track.id
    # Files of an earlier version's encoding can be distinguished from new ones.
    encoding = Clip.provenance["encoding"].as_integer()
    encoded = set(
        session.scalars(
            select(Clip.id).where(
                *(of_this_track, Clip.status == ClipStatus.READY, Clip.damage.is_(None)),
                encoding == ENCODING,
            )
        )
    )
    key = (Clip.entrant_id, Clip.prompt_id, Clip.seed)
    copied = {
        (entrant, prompt, copy_seed(seed))
        for entrant, prompt, seed in session.execute(
            select(*key).where(of_this_track, Clip.damage.is_not(None))
        )
    }
    clips = (of_track.clips[clip_id] for clip_id in sorted(of_track.shown & encoded))
    return tuple(
        clip
        for clip in clips
        if clip.prompt_id not in held_out
        and (clip.entrant_id, clip.prompt_id, clip.seed) not in copied
    )


def make_copies(
    database: Database,
    store: MediaStore,
    shortages: list[Shortage],
    *,
    seed_key: str,
    clock: Callable[[], datetime],
) -> Iterator[int]:
    """Make and store missing copies, several tracks at a time; yield how many each track got.

    A clip whose file is missing, or that no damage changes enough, is left out for another one.

    Raises:
        StoreUnavailable: the database or the media store does not respond.
        ProductionError: the media store cannot be written.
    """
    make = partial(_make_copies, database, store, seed_key=seed_key, clock=clock)
    # The encoder works outside of the interpreter's lock.
    with ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1)) as pool:
        yield from pool.map(make, shortages)


def _make_copies(
    database: Database,
    store: MediaStore,
    shortage: Shortage,
    *,
    seed_key: str,
    clock: Callable[[], datetime],
) -> int:
    left = {clip.id: clip for clip in shortage.candidates}
    digests = {clip.id: _digest(seed_key, shortage, clip) for clip in shortage.candidates}
    by_entrant, by_prompt = shortage.by_entrant.copy(), shortage.by_prompt.copy()
    made = tries = 0

    def order(clip: IndexedClip) -> tuple[int, ...]:
        return by_entrant[clip.entrant_id], by_prompt[clip.prompt_id], digests[clip.id]

    while made < shortage.missing and left and tries < TRIES * shortage.missing:
        clip = left.pop(min(left.values(), key=order).id)
        tries += 1
        if _make_copy(database, store, shortage, clip, digest=digests[clip.id], now=clock()):
            by_entrant[clip.entrant_id] += 1
            by_prompt[clip.prompt_id] += 1
            made += 1
    return made


def _digest(seed_key: str, shortage: Shortage, clip: IndexedClip) -> int:
    """A number that decides the order of clips, and how each is damaged."""
    parts = [PURPOSE, shortage.settings.name, clip.entrant_id, clip.prompt_id, clip.seed]
    message = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
    return int.from_bytes(hmac.new(seed_key.encode(), message.encode(), hashlib.sha256).digest())


def _make_copy(
    database: Database,
    store: MediaStore,
    shortage: Shortage,
    clip: IndexedClip,
    *,
    digest: int,
    now: datetime,
) -> bool:
    """Damage a clip by the first kind that changes it enough, and store the copy."""
    seed = digest % (1 << SEED_BITS)
    kinds = sorted(DAMAGES, key=lambda kind: (list(DAMAGES).index(kind) + digest) % len(DAMAGES))
    try:
        rendition = store.read(str(clip.path))
    except NotFound:  # the sweep of a served arena withholds it
        return False
    if hashlib.sha256(rendition).hexdigest() != clip.sha256:
        return False
    for kind in kinds:
        try:
            damaged = damage_rendition(rendition, shortage.settings, kind=kind, seed=seed)
        except ClipError:
            continue
        provenance = Provenance(
            backend=BACKEND,
            seed=seed,
            adapted=(f"damaged on purpose: {kind}",),
            encoding=ENCODING,
            options={"damage": kind},
            created_at=now,
        )
        copy = Clip(
            entrant_id=clip.entrant_id,
            track_id=shortage.track_id,
            prompt_id=clip.prompt_id,
            seed=copy_seed(clip.seed),
            damage=kind,
            status=ClipStatus.READY,
            rendition_path=store.put(damaged, folder="renditions", suffix=".mp4"),
            sha256=hashlib.sha256(damaged).hexdigest(),
            master_sha256=clip.sha256,
            provenance=provenance.model_dump(mode="json"),
            created_at=now,
        )
        if not database.write(partial(_insert, copy=copy)):
            store.delete(str(copy.rendition_path))
        return True
    return False


def _insert(session: Session, *, copy: Clip) -> bool:
    """Insert a copy's row; return whether another run has not done so."""
    known = select(Clip.id).where(
        *(Clip.entrant_id == copy.entrant_id, Clip.track_id == copy.track_id),
        *(Clip.prompt_id == copy.prompt_id, Clip.seed == copy.seed),
    )
    if session.scalar(known) is not None:
        return False
    session.add(copy)
    return True
