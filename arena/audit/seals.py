"""Makes seals: signed Merkle roots over all votes so far, each naming the seal before it.

Votes are taken in the order of their numbers. Numbers may be committed out of order where several
processes write (PostgreSQL): a seal stops before a missing number until the votes after it are a
minute old, and a vote that is committed even later becomes the last of a later seal, which names it
as late. So the order of sealed votes never changes, and nobody waits: what is read is one state of
the database, and what is written are rows that no vote touches.
"""

import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from arena.audit.chain import GENESIS, read_payload
from arena.audit.keys import SEAL_DOMAIN, Signer, open_signer
from arena.audit.leaves import (
    ClipName,
    StoredVote,
    hash_of_vote,
    name_clips,
    read_clip_names,
    read_votes,
    unnamed_clips,
)
from arena.audit.merkle import EMPTY_ROOT, WIDTH, Tree, full_root, split_hashes
from arena.audit.proofs import Tile, late_numbers, stored_tile
from arena.audit.sealed_standings import new_standings
from arena.canonical import canonical_json, instant_text, sha256_hex
from arena.catalog.registration import has_deviations, note_deviations
from arena.context import Arena
from arena.database import Database
from arena.holds.ledger import EMPTY_CHAIN, extend_chain, read_events
from arena.models import (
    Entrant,
    PublishedOpening,
    Registration,
    Seal,
    SealedEntry,
    SealTile,
    Track,
    Vote,
)

VERSION = 1  # of a seal's payload
MAX_VOTES = 16_384  # in one seal, so that each is stored in a short transaction
WAIT = timedelta(seconds=60)  # how long votes after a missing number wait for it
LATE = timedelta(minutes=10)  # how long a missing number is looked up again
MAX_GAPS = 1000  # ranges of missing numbers that a seal remembers
CHUNK = 256  # votes between two pauses
COMMITMENT, CLAIM, STANDINGS = "commitment", "claim", "standings"
REGISTRATION = "registration"


@dataclass
class _Draft:
    """What is read and computed for the next seal."""

    votes: list[StoredVote]
    late: list[StoredVote]
    watermark: int
    gaps: list[list[int]]
    entries: dict[str, list[tuple[str, Any]]]
    holds: dict[str, Any]
    hashes: list[bytes] = field(default_factory=list)
    tiles: dict[Tile, dict[str, Any]] = field(default_factory=dict)
    root: bytes = EMPTY_ROOT


def seal_votes(
    arena: Arena, *, now: datetime, up_to: int | None = None, pause: Callable[[], object] = bool
) -> list[Seal]:
    """Seal everything that is new; see `make_seals`."""
    signer = open_signer(arena.settings.home, arena.database, now=now)
    return make_seals(arena.database, signer, now=now, up_to=up_to, pause=pause)


def make_seals(
    database: Database,
    signer: Signer,
    *,
    now: datetime,
    up_to: int | None = None,
    pause: Callable[[], object] = bool,
) -> list[Seal]:
    """Seal everything that is new: votes, commitments, claims and leaderboards of past days.

    Votes that are cast meanwhile wait for the next seal: while people vote there are always some.

    Args:
        database: of the arena.
        signer: the key in use.
        now: aware.
        up_to: seal the votes up to this number, also those that may still wait for a smaller one;
            None: all that need not wait.
        pause: called between small parts of the work, by a background job that lets others run.

    Returns:
        The new seals; none if nothing is new.

    Raises:
        StoreUnavailable: the database cannot be read or written.
    """
    with database.reading() as session:
        newest = session.scalar(select(func.max(Vote.id))) or 0
        has_unnamed = bool(unnamed_clips(session))
        has_changes = has_deviations(session)
    while has_unnamed:
        has_unnamed = database.write(name_clips) > 0
        pause()
    if has_changes:
        database.write(lambda session: note_deviations(session, now=now))
    made: list[Seal] = []
    while (seal := _make_seal(database, signer, now=now, up_to=up_to, pause=pause)) is not None:
        made.append(seal)
        if seal.watermark >= newest:
            break
    return made


def _make_seal(
    database: Database,
    signer: Signer,
    *,
    now: datetime,
    up_to: int | None,
    pause: Callable[[], object],
) -> Seal | None:
    with database.reading() as session:
        last = last_seal(session)
        draft = _read(session, last, now=now, up_to=up_to, waits=not database.is_sqlite)
        is_new = bool(draft.votes or draft.late or any(draft.entries.values()))
        is_new = is_new or draft.holds != _sealed_holds(last)
        if last is not None and read_payload(last.payload)["key"] != signer.fingerprint:
            is_new = True
        if last is not None and not is_new:
            return None
        _hash(session, draft, pause)
        _build(session, draft, 0 if last is None else last.size)
    seal = _sign(draft, last, signer, now=now)

    def store(session: Session) -> Seal | None:
        stored = session.scalar(select(func.max(Seal.number)))
        if stored != (None if last is None else last.number):
            return None  # another process was first
        return _store(session, seal, draft)

    return database.write(store)


# --- read -----------------------------------------------------------------------------------------


def last_seal(session: Session) -> Seal | None:
    """Return the newest seal."""
    return session.scalar(select(Seal).order_by(Seal.number.desc()).limit(1))


def _read(
    session: Session, last: Seal | None, *, now: datetime, up_to: int | None, waits: bool
) -> _Draft:
    before = 0 if last is None else last.watermark
    votes = read_votes(session, after=before, up_to=up_to, limit=MAX_VOTES)
    gaps = _gaps(before, votes)
    if waits and up_to is None:
        for first, after in gaps:
            following = next(vote for vote in votes if vote.id > after)
            if now - following.cast_at < WAIT:
                votes = [vote for vote in votes if vote.id < first]
                gaps = [gap for gap in gaps if gap[1] < first]
                break
    late = _late_votes(session, now) if waits else []
    entries = {
        COMMITMENT: _new_commitments(session),
        CLAIM: _new_claims(session),
        REGISTRATION: _new_registrations(session),
        STANDINGS: new_standings(session, known=_known(session, STANDINGS), now=now),
    }
    watermark = votes[-1].id if votes else before
    holds = _holds(session, last)
    return _Draft(votes, late, watermark, gaps[-MAX_GAPS:], entries, holds)


def _sealed_holds(last: Seal | None) -> dict[str, Any]:
    """What a seal says of the ledger: the number of events, and the last link of their chain."""
    if last is None:
        return {"events": 0, "sha256": EMPTY_CHAIN}
    holds: dict[str, Any] = read_payload(last.payload)["holds"]
    return holds


def _holds(session: Session, last: Seal | None) -> dict[str, Any]:
    """The same for all events so far; only those since the last seal are read."""
    before = _sealed_holds(last)
    new = read_events(session, after=before["events"])
    link = extend_chain(before["sha256"], (event.sha256 for event in new))
    return {"events": new[-1].number if new else before["events"], "sha256": link}


def _gaps(before: int, votes: Sequence[StoredVote]) -> list[list[int]]:
    """The ranges of numbers between votes that no vote has, first and last."""
    numbers = [before, *(vote.id for vote in votes)]
    return [[low + 1, high - 1] for low, high in pairwise(numbers) if high - low > 1]


def _late_votes(session: Session, now: datetime) -> list[StoredVote]:
    """Votes that were committed after a seal had passed over their numbers."""
    recent = list(session.scalars(select(Seal).where(Seal.sealed_at > now - LATE)))
    sealed = {number for seal in recent for number in late_numbers(seal)}
    found: list[StoredVote] = []
    for seal in recent:
        for first, last in seal.gaps["ranges"]:
            found += read_votes(session, after=first - 1, up_to=last)
    return [vote for vote in found if vote.id not in sealed]


def _known(session: Session, kind: str) -> set[str]:
    return set(session.scalars(select(SealedEntry.key).where(SealedEntry.kind == kind)))


def _new_commitments(session: Session) -> list[tuple[str, Any]]:
    known = _known(session, COMMITMENT)
    query = select(Entrant.id, Entrant.commitment).where(Entrant.commitment.is_not(None))
    return [
        (str(number), {"commitment": commitment, "entrant": str(number)})
        for number, commitment in session.execute(query.order_by(Entrant.id))
        if str(number) not in known
    ]


def _new_claims(session: Session) -> list[tuple[str, Any]]:
    known = _known(session, CLAIM)
    query = select(PublishedOpening).order_by(PublishedOpening.entrant_id)
    return [
        (
            str(opening.entrant_id),
            {
                "claimed_at": instant_text(opening.published_at),
                "entrant": str(opening.entrant_id),
                "opening_sha256": sha256_hex(opening.document),
            },
        )
        for opening in session.scalars(query)
        if str(opening.entrant_id) not in known
    ]


def _new_registrations(session: Session) -> list[tuple[str, Any]]:
    known = _known(session, REGISTRATION)
    query = (
        select(Registration, Track.name)
        .join(Track, Track.id == Registration.track_id)
        .order_by(Registration.track_id)
    )
    return [
        (
            str(each.track_id),
            {
                "registered_at": instant_text(each.registered_at),
                "sha256": each.sha256,
                "track": name,
            },
        )
        for each, name in session.execute(query)
        if str(each.track_id) not in known
    ]


# --- compute --------------------------------------------------------------------------------------


def _hash(session: Session, draft: _Draft, pause: Callable[[], object]) -> None:
    votes = [*draft.votes, *draft.late]
    clips: dict[int, ClipName] = {}
    read_clip_names(session, clips, (n for vote in votes for n in (vote.clip_a, vote.clip_b)))
    for at in range(0, len(votes), CHUNK):
        draft.hashes += [hash_of_vote(vote, clips) for vote in votes[at : at + CHUNK]]
        pause()


def _build(session: Session, draft: _Draft, size: int) -> None:
    """Append the new leaves: the tiles that grow or begin, and the root."""
    added, level = draft.hashes, 0
    while added:
        count = size >> (8 * level)  # nodes of this level so far
        first = count // WIDTH
        stored = session.get(SealTile, (level, first)) if count % WIDTH else None
        nodes = (split_hashes(stored.hashes) if stored else []) + added
        above: list[bytes] = []
        for at in range(0, len(nodes), WIDTH):
            part = nodes[at : at + WIDTH]
            draft.tiles[level, first + at // WIDTH] = {
                "level": level,
                "number": first + at // WIDTH,
                "hashes": b"".join(part),
                "votes": None,
                "first_vote": None,
            }
            if len(part) == WIDTH:
                above.append(full_root(part))
        if level == 0:
            _number_votes(draft, stored, first)
        added, level = above, level + 1

    def read_tile(level: int, number: int) -> bytes:
        new = draft.tiles.get((level, number))
        return new["hashes"] if new else stored_tile(session, level, number)

    draft.root = Tree(read_tile).root(size + len(draft.hashes))


def _number_votes(draft: _Draft, stored: SealTile | None, first: int) -> None:
    """Put the numbers of votes into the tiles of leaves, to find a vote's leaf by."""
    before = b"" if stored is None or stored.votes is None else stored.votes
    numbers = [vote.id for vote in (*draft.votes, *draft.late)]
    everything = before + struct.pack(f">{len(numbers)}q", *numbers)
    regular = len(before) // 8 + len(draft.votes)
    width = WIDTH * 8
    for at in range(0, len(everything), width):
        tile = draft.tiles[0, first + at // width]
        tile["votes"] = everything[at : at + width]
        begins = max(at // 8, len(before) // 8)  # of the new votes
        if at == 0 and stored is not None and stored.first_vote is not None:
            tile["first_vote"] = stored.first_vote
        elif begins < regular:
            tile["first_vote"] = numbers[begins - len(before) // 8]


def _sign(draft: _Draft, last: Seal | None, signer: Signer, *, now: datetime) -> Seal:
    number = 0 if last is None else last.number + 1
    size = (0 if last is None else last.size) + len(draft.hashes)
    payload = canonical_json(
        {
            "claims": [value for _, value in draft.entries[CLAIM]],
            "commitments": [value for _, value in draft.entries[COMMITMENT]],
            "holds": draft.holds,
            "key": signer.fingerprint,
            "late": [str(vote.id) for vote in draft.late],
            "number": number,
            "previous": GENESIS if last is None else sha256_hex(last.payload),
            "registrations": [value for _, value in draft.entries[REGISTRATION]],
            "root": draft.root.hex(),
            "sealed_at": instant_text(now),
            "size": size,
            "standings": [value for _, value in draft.entries[STANDINGS]],
            "version": VERSION,
            "watermark": str(draft.watermark),
        }
    )
    return Seal(
        number=number,
        size=size,
        watermark=draft.watermark,
        late=len(draft.late),
        gaps={"ranges": draft.gaps},
        payload=payload,
        signature=signer.sign(SEAL_DOMAIN, payload),
        sealed_at=now,
    )


def _store(session: Session, seal: Seal, draft: _Draft) -> Seal:
    columns = ("number", "size", "watermark", "late", "gaps", "payload", "signature", "sealed_at")
    session.execute(insert(Seal).values({name: getattr(seal, name) for name in columns}))
    for level in {level for level, _ in draft.tiles}:  # the last tile of a level grows
        first = min(number for each, number in draft.tiles if each == level)
        session.execute(delete(SealTile).where(SealTile.level == level, SealTile.number == first))
    if draft.tiles:
        session.execute(insert(SealTile), list(draft.tiles.values()))
    entries = [
        {"kind": kind, "key": key, "seal_number": seal.number}
        for kind, values in draft.entries.items()
        for key, _ in values
    ]
    if entries:
        session.execute(insert(SealedEntry), entries)
    return seal


def brief_pause() -> None:
    """Let the threads that answer requests run, between parts of a background job."""
    time.sleep(0.002)
