"""Checks a database against its seals, and names each vote that was changed, removed or added.

A vote's hash is compared with the stored one, which the signed root covers. If stored hashes were
changed together with a vote, the root still differs, and the seal is named with its votes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.audit.chain import ChainError, SealPayload, check_chain, lost_after, pinned
from arena.audit.hold_check import check_hold_events
from arena.audit.keys import list_keys
from arena.audit.leaves import (
    ClipName,
    StoredVote,
    hash_of_vote,
    read_clip_names,
    read_votes,
    reference_of,
)
from arena.audit.merkle import HASH_BYTES, WIDTH, Frontier, split_hashes
from arena.audit.proofs import published_seals, sealed_numbers
from arena.audit.sealed_standings import hash_of_day
from arena.canonical import sha256_hex
from arena.database import Database
from arena.models import (
    Clip,
    Entrant,
    PublishedOpening,
    Registration,
    SealedClip,
    SealTile,
    Track,
)


@dataclass(frozen=True)
class SealAudit:
    """What a database was checked for, and what is wrong with it.

    Attributes:
        seals: number of seals.
        votes: number of votes that they cover.
        unsealed: number of votes after the last seal.
        fingerprint: of the key in use; empty without a seal.
        is_pinned: whether it is of the key that was asked for; None: no key was asked for.
        faults: sentences, each naming a vote, or what else is wrong.
        lost_keys: phrases, one for each key that was lost and replaced.
    """

    seals: int
    votes: int
    unsealed: int
    fingerprint: str
    is_pinned: bool | None
    faults: tuple[str, ...]
    lost_keys: tuple[str, ...] = ()


def audit_seals(database: Database, *, key: str | None = None) -> SealAudit:
    """Check all votes of a database against its seals.

    Args:
        database: of the arena; only read.
        key: a fingerprint that one of the arena's keys must have; None: any will do.

    Raises:
        StoreUnavailable: the database cannot be read.
    """
    with database.reading() as session:
        try:
            chain = check_chain(list_keys(session), published_seals(session))
        except ChainError as error:
            return SealAudit(0, 0, 0, "", None, (f"{str(error).capitalize()}.",))
        faults: list[str] = []
        is_pinned = None if key is None else pinned(chain, key)
        if is_pinned is False:
            lost = lost_after(chain, key or "")
            reason = "" if lost is None else f": {lost}"
            faults.append(f"The seals are not signed by the key {key}{reason}.")
        last = chain.seals[-1]
        faults += _check_votes(session, chain.seals)
        faults += _check_clips(session)
        faults += _check_entries(session, chain.seals)
        faults += check_hold_events(session, chain.seals)
        unsealed = len(read_votes(session, after=int(last.watermark)))
    return SealAudit(
        seals=len(chain.seals),
        votes=last.size,
        unsealed=unsealed,
        fingerprint=chain.fingerprints[-1],
        is_pinned=is_pinned,
        faults=tuple(faults),
        lost_keys=tuple(str(each) for each in chain.lost),
    )


def _check_votes(session: Session, seals: Sequence[SealPayload]) -> Iterator[str]:
    late = {int(number) for seal in seals for number in seal.late}
    in_database, in_tiles = Frontier(), Frontier()
    clips: dict[int, ClipName] = {}
    before: SealPayload | None = None
    for seal in seals:
        start = before.size if before else 0
        after = int(before.watermark) if before else 0
        votes = read_votes(session, after=after, up_to=int(seal.watermark))
        votes = [vote for vote in votes if vote.id not in late]
        votes += read_votes(session, ids=[int(number) for number in seal.late])
        numbers = [vote.clip_a for vote in votes] + [vote.clip_b for vote in votes]
        read_clip_names(session, clips, numbers)
        found = {vote.id: hash_of_vote(vote, clips) for vote in votes}
        hashes = _stored_hashes(session, start, seal.size)
        sealed = list(sealed_numbers(session, start, seal.size)) if seal.size > start else []
        yield from _compare(seal, votes, found, sealed, hashes, in_database, in_tiles)
        before = seal


def _compare(
    seal: SealPayload,
    votes: Sequence[StoredVote],
    found: dict[int, bytes],
    sealed: Sequence[int],
    hashes: Sequence[bytes],
    in_database: Frontier,
    in_tiles: Frontier,
) -> Iterator[str]:
    """Compare the votes of one seal; both frontiers are those of the seal before."""
    where = f"seal {seal.number}"
    if in_tiles.size + len(hashes) != seal.size or len(sealed) != len(hashes):
        yield f"The stored hashes of {where} are not complete: restore them from a backup."
    changed = []
    for number, stored in zip(sealed, hashes, strict=False):
        own = found.get(number)
        in_tiles.append(stored)
        in_database.append(own or stored)
        if own is None:
            changed.append(f"Vote {number} is in {where}, and the database does not have it.")
        elif own != stored:
            changed.append(f"Vote {number} differs from what {where} covers: it was changed.")
    known = set(sealed)
    for vote in votes:
        if vote.id not in known:
            changed.append(
                f"Vote {vote.id} is not in {where}, which covers its number: it was added."
            )
    if in_tiles.root().hex() == seal.root:
        yield from changed
    elif in_database.root().hex() == seal.root:
        yield f"The stored hashes of {where} were changed; the votes are as they were sealed."
    elif changed:
        yield from changed
    else:
        first, last = (sealed[0], sealed[-1]) if sealed else (0, 0)
        yield (
            f"The root of {where} is another one: one of the votes {first} to {last}, or one "
            "before, was changed together with the stored hashes."
        )
    # What is reported is not reported again for the seals that follow.
    if in_database.root().hex() == seal.root:
        in_tiles.become(in_database)
    else:
        in_database.become(in_tiles)


def _stored_hashes(session: Session, first: int, last: int) -> list[bytes]:
    if last <= first:
        return []
    query = select(SealTile.hashes).where(
        SealTile.level == 0,
        SealTile.number >= first // WIDTH,
        SealTile.number <= (last - 1) // WIDTH,
    )
    everything = b"".join(session.scalars(query.order_by(SealTile.number)))
    start = (first - first // WIDTH * WIDTH) * HASH_BYTES
    return split_hashes(everything[start : start + (last - first) * HASH_BYTES])


def _check_clips(session: Session) -> Iterator[str]:
    query = (
        select(Clip.id, Clip.sha256, SealedClip.salt, SealedClip.reference)
        .join(SealedClip, SealedClip.clip_id == Clip.id)
        .order_by(Clip.id)
    )
    for number, sha256, salt, reference in session.execute(query):
        if sha256 is None or reference_of(sha256, salt) != reference:
            yield f"Clip {number} is another file than when it was sealed: its SHA-256 was changed."


def _check_entries(session: Session, seals: Sequence[SealPayload]) -> Iterator[str]:
    commitments = {
        str(number): commitment
        for number, commitment in session.execute(select(Entrant.id, Entrant.commitment))
    }
    openings = {
        str(opening.entrant_id): sha256_hex(opening.document)
        for opening in session.scalars(select(PublishedOpening))
    }
    tracks = {track.name: track.id for track in session.scalars(select(Track))}
    registered = {
        each.track.name: sha256_hex(each.document) for each in session.scalars(select(Registration))
    }
    for seal in seals:
        where = f"seal {seal.number}"
        for each in seal.commitments:
            if commitments.get(each.entrant) != each.commitment:
                yield f"The commitment of entrant {each.entrant} is not the one in {where}."
        for claim in seal.claims:
            if openings.get(claim.entrant) != claim.opening_sha256:
                yield f"The opening of entrant {claim.entrant} is not the one in {where}."
        for registration in seal.registrations:
            if registered.get(registration.track) != registration.sha256:
                yield f"The registration of {registration.track} is not the one in {where}."
        for day in seal.standings:
            track_id = tracks.get(day.track)
            if track_id is None or _hash_of_day(session, day.day, track_id) != day.sha256:
                yield (
                    f"The leaderboards of the track {day.track} of {day.day} are not those in "
                    f"{where}."
                )


def _hash_of_day(session: Session, day: str, track_id: int) -> str | None:
    try:
        return hash_of_day(session, date.fromisoformat(day), track_id)
    except ValueError:
        return None
