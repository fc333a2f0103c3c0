"""What a seal says of a vote: the canonical JSON of what never changes of it.

A clip is named by a salted hash of its file, so that a leaf can be published with everything else
while the file's hash stays secret: of a prompt that is held out, or before a track closes. Whoever
is given the salt can check the file.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from arena.audit.merkle import leaf_hash
from arena.canonical import canonical_json, instant_text
from arena.models import Battle, Clip, ClipStatus, SealedClip, Vote

SALT_BYTES = 16
PLAIN = re.compile(r"[0-9A-Za-z:.+-]*")  # needs no escapes in JSON
IN = 500  # numbers in one query; databases limit parameters
NAMED = 500  # clips in one transaction, for which votes wait


class ClipName(NamedTuple):
    """A clip in a leaf: the number of its entrant, and its salted hash."""

    entrant: str
    reference: str


class StoredVote(NamedTuple):
    """What a leaf contains of a vote, as numbers of the database."""

    id: int
    battle_id: int
    choice: str
    cast_at: datetime
    clip_a: int
    clip_b: int


def reference_of(sha256: str, salt: str) -> str:
    """Return the name of a clip in seals: HMAC-SHA-256 of its file's SHA-256 under its salt."""
    return hmac.new(bytes.fromhex(salt), sha256.encode(), hashlib.sha256).hexdigest()


def is_plain(texts: Iterable[str | None]) -> bool:
    """Whether JSON has all of these texts as they are."""
    try:
        return PLAIN.fullmatch("".join(texts)) is not None  # type: ignore[arg-type]
    except TypeError:  # one of them is missing
        return False


def plain_leaf_text(
    battle: str, cast_at: str, choice: str, clip_a: str, clip_b: str, a: str, b: str, vote: str
) -> str:
    """Return what `leaf_text` returns of texts that `is_plain` accepts; millions are made."""
    return (
        f'{{"battle":"{battle}","cast_at":"{cast_at}","choice":"{choice}",'
        f'"clips":["{clip_a}","{clip_b}"],"entrants":["{a}","{b}"],"vote":"{vote}"}}'
    )


def leaf_text(
    *,
    vote: str,
    battle: str,
    choice: str,
    cast_at: str,
    entrants: Sequence[str],
    clips: Sequence[str],
) -> str:
    """Return the canonical JSON of a vote.

    Args:
        vote: its number.
        battle: number of its battle.
        choice: `a`, `b`, `tie`, `bad` or `skip`.
        cast_at: ISO 8601 in UTC, with `Z`.
        entrants: numbers of those on the left and on the right.
        clips: their references.
    """
    if is_plain((battle, cast_at, choice, *clips, *entrants, vote)):
        (clip_a, clip_b), (a, b) = clips, entrants
        return plain_leaf_text(battle, cast_at, choice, clip_a, clip_b, a, b, vote)
    return canonical_json(
        {
            "battle": battle,
            "cast_at": cast_at,
            "choice": choice,
            "clips": list(clips),
            "entrants": list(entrants),
            "vote": vote,
        }
    )


def hash_of_vote(vote: StoredVote, clips: Mapping[int, ClipName]) -> bytes:
    """Return the hash of a vote's leaf."""
    a, b = clips[vote.clip_a], clips[vote.clip_b]
    text = leaf_text(
        vote=str(vote.id),
        battle=str(vote.battle_id),
        choice=str(vote.choice),
        cast_at=instant_text(vote.cast_at),
        entrants=(a.entrant, b.entrant),
        clips=(a.reference, b.reference),
    )
    return leaf_hash(text.encode())


def read_votes(
    session: Session,
    *,
    after: int = 0,
    up_to: int | None = None,
    limit: int | None = None,
    ids: Sequence[int] | None = None,
) -> list[StoredVote]:
    """Return votes in the order of their numbers.

    Args:
        session: of the database.
        after: only votes with a larger number.
        up_to: only votes with at most this number.
        limit: at most this number of votes.
        ids: only these votes.
    """
    query = (
        select(
            *(Vote.id, Vote.battle_id, Vote.choice, Vote.cast_at),
            *(Battle.clip_a_id, Battle.clip_b_id),
        )
        .join(Battle, Battle.id == Vote.battle_id)
        .order_by(Vote.id)
    )
    if ids is not None:
        return [
            StoredVote(*row)
            for at in range(0, len(ids), IN)
            for row in session.execute(query.where(Vote.id.in_(ids[at : at + IN])))
        ]
    query = query.where(Vote.id > after)
    if up_to is not None:
        query = query.where(Vote.id <= up_to)
    return [StoredVote(*row) for row in session.execute(query.limit(limit))]


def read_clip_names(session: Session, known: dict[int, ClipName], numbers: Iterable[int]) -> None:
    """Read the names of clips that are not known yet, into `known`."""
    unknown = sorted(set(numbers) - known.keys())
    query = select(Clip.id, Clip.entrant_id, SealedClip.reference).outerjoin(
        SealedClip, SealedClip.clip_id == Clip.id
    )
    for at in range(0, len(unknown), IN):
        for number, entrant, reference in session.execute(
            query.where(Clip.id.in_(unknown[at : at + IN]))
        ):
            known[number] = ClipName(str(entrant), reference or "")


def unnamed_clips(session: Session) -> list[tuple[int, str]]:
    """Return number and SHA-256 of some ready clips that have no name in seals yet."""
    query = (
        select(Clip.id, Clip.sha256)
        .outerjoin(SealedClip, SealedClip.clip_id == Clip.id)
        .where(Clip.status == ClipStatus.READY, SealedClip.clip_id.is_(None))
        .order_by(Clip.id)
        .limit(NAMED)
    )
    return [(number, str(sha256)) for number, sha256 in session.execute(query)]


def name_clips(session: Session) -> int:
    """Give some ready clips a salt and a name in seals, and return how many got one.

    Args:
        session: in a transaction that writes.
    """
    rows: list[dict[str, Any]] = []
    for number, sha256 in unnamed_clips(session):
        salt = secrets.token_hex(SALT_BYTES)
        rows.append({"clip_id": number, "salt": salt, "reference": reference_of(sha256, salt)})
    if rows:
        session.execute(insert(SealedClip), rows)
    return len(rows)
