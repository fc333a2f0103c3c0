"""The seals of a release: written from the database, and checked against the release's own votes.

The tree covers the votes of all tracks. A release has the leaves' hashes of those votes that it
does not contain, so that the signed roots can be computed from any release.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.audit.chain import Chain, ChainError, SealPayload, check_chain
from arena.audit.keys import list_keys
from arena.audit.leaves import is_plain, leaf_text, plain_leaf_text, reference_of
from arena.audit.merkle import HASH_BYTES, Frontier, leaf_hash, split_hashes
from arena.audit.proofs import published_seals, unpack_numbers
from arena.audit.sealed_standings import row_of, standings_hash
from arena.errors import ReleaseError
from arena.models import SealedClip, SealTile
from arena.release.holds import other_events
from arena.release.schema import ANSWERS
from arena.standings.rated_votes import WINNERS

SEALS = "seals.json"
CHOICES = {winner: choice.value for choice, winner in WINNERS.items()}
SKIP = "skip"

Row = dict[str, Any]


class OtherLeaves(BaseModel):
    """Sealed votes that a release does not contain: runs of positions, and the hashes of leaves."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    runs: list[tuple[int, int]] = Field(description="first position and number of leaves")
    hashes: str


class SealsDocument(BaseModel):
    """`seals.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    keys: list[Any]
    seals: list[Any]
    others: OtherLeaves
    holds: OtherLeaves = Field(
        default=OtherLeaves(runs=[], hashes=""),
        description="hold events that the release does not contain: runs of numbers, and hashes",
    )


# --- writing --------------------------------------------------------------------------------------


def seals_document(
    session: Session, contained: set[int], contained_events: set[int]
) -> dict[str, Any]:
    """Return `seals.json` for a release that contains these votes and hold events, by number."""
    numbers: list[int] = []
    hashes: list[bytes] = []
    tiles = select(SealTile.votes, SealTile.hashes).where(SealTile.level == 0)
    for votes, joined in session.execute(tiles.order_by(SealTile.number)):
        numbers += unpack_numbers(votes or b"")
        hashes += split_hashes(joined)
    runs: list[list[int]] = []
    others: list[bytes] = []
    for position, (number, value) in enumerate(zip(numbers, hashes, strict=True)):
        if number in contained:
            continue
        if runs and sum(runs[-1]) == position:
            runs[-1][1] += 1
        else:
            runs.append([position, 1])
        others.append(value)
    return {
        "keys": list_keys(session),
        "seals": published_seals(session),
        "others": {"runs": runs, "hashes": base64.b64encode(b"".join(others)).decode()},
        "holds": other_events(session, contained_events),
    }


def clip_references(session: Session) -> dict[int, tuple[str, str]]:
    """Return salt and name in seals of each sealed clip, by its number."""
    query = select(SealedClip.clip_id, SealedClip.salt, SealedClip.reference)
    return {number: (salt, reference) for number, salt, reference in session.execute(query)}


# --- checking -------------------------------------------------------------------------------------


def read_seals(text: str) -> tuple[SealsDocument, Chain]:
    """Return `seals.json` after checking keys, signatures and the chain.

    Raises:
        ReleaseError: says which key or seal is wrong.
    """
    try:
        document = SealsDocument.model_validate_json(text)
        return document, check_chain(document.keys, document.seals)
    except ValidationError as error:
        raise ReleaseError(f"{SEALS} is not a list of seals.") from error
    except ChainError as error:
        raise ReleaseError(f"{SEALS}: {error}.") from error


def check_clips(clips: Sequence[Row]) -> None:
    """Raise ReleaseError if a clip's name in seals is not that of its file."""
    for number, row in enumerate(clips, start=1):
        if row["sha256"] is None:
            continue
        if row["salt"] is None or row["reference"] is None:
            raise ReleaseError(f"clips.*, row {number}: salt or reference is empty.")
        try:
            matches = reference_of(row["sha256"], row["salt"]) == row["reference"]
        except ValueError:
            matches = False
        if not matches:
            raise ReleaseError(
                f"clips.*, row {number}: reference is not the salted hash of sha256."
            )


class LeafMaker:
    """Makes the leaves of a release's answers.

    Args:
        models: rows of `models.*`.
        clips: rows of `clips.*`.
    """

    def __init__(self, models: Sequence[Row], clips: Sequence[Row]) -> None:
        self._entrant = {row["model"]: row["id"] for row in models}
        self._reference = {
            (row["model"], row["track"], row["prompt_id"], row["sha256"] or row["reference"]): row[
                "reference"
            ]
            for row in clips
        }

    def hashes(self, rows: Sequence[Row], choices: Sequence[str]) -> list[bytes]:
        """The hashes of the leaves of rows."""
        entrant, reference = self._entrant, self._reference
        varying = ((row["id"], row["battle_id"], row["timestamp"]) for row in rows)
        plain = is_plain(chain.from_iterable(varying)) and is_plain(
            chain(entrant.values(), reference.values(), set(choices))
        )
        make = plain_leaf_text if plain else _any_leaf_text
        found = []
        for row, choice in zip(rows, choices, strict=True):
            a, b, track, prompt = row["model_a"], row["model_b"], row["track"], row["prompt_id"]
            text = make(
                row["battle_id"],
                row["timestamp"],
                choice,
                reference[a, track, prompt, row["clip_a"]],
                reference[b, track, prompt, row["clip_b"]],
                entrant[a],
                entrant[b],
                row["id"],
            )
            found.append(leaf_hash(text.encode()))
        return found


def _any_leaf_text(
    battle: str, cast_at: str, choice: str, clip_a: str, clip_b: str, a: str, b: str, vote: str
) -> str:
    return leaf_text(
        vote=vote,
        battle=battle,
        choice=choice,
        cast_at=cast_at,
        entrants=(a, b),
        clips=(clip_a, clip_b),
    )


def check_votes(
    document: SealsDocument, sealed: Chain, tables: Mapping[str, Sequence[Row]]
) -> None:
    """Check that every answer is sealed, unchanged and in its place.

    Args:
        document: `seals.json`.
        sealed: the chain of it.
        tables: rows of all tables of the release, whose references to each other are right.

    Raises:
        ReleaseError: names the vote, or the seal and its votes.
    """
    rows = [
        (int(row["id"]), table, number, row, _choice_of(row))
        for table in ANSWERS
        for number, row in enumerate(tables[table], start=1)
    ]
    rows.sort(key=lambda each: each[0])
    last = sealed.seals[-1]
    if rows and rows[-1][0] > int(last.watermark):
        number, table, place = next(row for row in rows if row[0] > int(last.watermark))[:3]
        raise ReleaseError(f"{table}.*, row {place} (vote {number}): no seal covers it.")
    others = _other_leaves(document, last.size)
    order = _in_order_of_seals(rows, sealed.seals)
    if len(order) + len(others) != last.size:
        raise ReleaseError(
            f"{SEALS}: the last seal covers {last.size:,} votes, and the release has "
            f"{len(order):,} with {len(others):,} other hashes: a vote was dropped or added."
        )
    maker = LeafMaker(tables["models"], tables["clips"])
    leaves = maker.hashes([each[3] for each in order], [each[4] for each in order])
    frontier, start, used = Frontier(), 0, 0
    for seal in sealed.seals:
        contained = seal.size - start
        if others:
            contained -= sum(position in others for position in range(start, seal.size))
        mine = iter(leaves[used : used + contained])
        frontier.extend(
            leaves[used : used + contained]
            if contained == seal.size - start
            else [others.get(position) or next(mine) for position in range(start, seal.size)]
        )
        if frontier.root().hex() != seal.root:
            votes = "another vote"
            if contained:
                first, final = order[used], order[used + contained - 1]
                votes = f"one of the votes {first[3]['id']} to {final[3]['id']}"
            raise ReleaseError(
                f"{SEALS}: the votes do not give the root of seal {seal.number}: {votes} was "
                "changed."
            )
        start, used = seal.size, used + contained


def _choice_of(row: Row) -> str:
    return CHOICES[row["winner"]] if "winner" in row else row.get("choice", SKIP)


def _other_leaves(document: SealsDocument, size: int) -> dict[int, bytes]:
    try:
        hashes = split_hashes(base64.b64decode(document.others.hashes, validate=True))
    except ValueError as error:
        raise ReleaseError(f"{SEALS}: the hashes of other votes are not base64.") from error
    positions = [
        position
        for first, count in document.others.runs
        if 0 <= first and 0 < count <= size
        for position in range(first, first + count)
    ]
    outside = any(position >= size for position in positions)
    is_cut = any(len(each) != HASH_BYTES for each in hashes)
    if outside or is_cut or len(set(positions)) != len(hashes):
        raise ReleaseError(f"{SEALS}: the runs of other votes do not match their hashes.")
    return dict(zip(positions, hashes, strict=True))


def _in_order_of_seals(rows: Sequence[Any], seals: Sequence[SealPayload]) -> list[Any]:
    """Answers in the order of their leaves: late ones at the end of the seal that names them."""
    late = {int(number) for seal in seals for number in seal.late}
    if not late:
        return list(rows)
    by_number = {each[0]: each for each in rows}
    order, at = [], 0
    regular = [each for each in rows if each[0] not in late]
    for seal in seals:
        while at < len(regular) and regular[at][0] <= int(seal.watermark):
            order.append(regular[at])
            at += 1
        order += [by_number[int(number)] for number in seal.late if int(number) in by_number]
    return order


def check_standings(chain: Chain, tables: Mapping[str, Sequence[Row]]) -> None:
    """Check that the leaderboards of past days are the sealed ones.

    Raises:
        ReleaseError: names the day and the track.
    """
    entrant = {row["model"]: row["id"] for row in tables["models"]}
    tracks = {row["track"] for row in tables["tracks"]}
    rows: dict[tuple[str, str], list[list[Any]]] = {}
    for row in tables["leaderboard"]:
        key = (row["leaderboard_publish_date"], row["track"])
        number = entrant.get(row["model_name"], "")
        rows.setdefault(key, []).append(
            row_of(row["voters"], row["category"], row["watermark"], number, row)
        )
    for seal in chain.seals:
        for day in seal.standings:
            if day.track not in tracks:
                continue
            if standings_hash(rows.get((day.day, day.track), [])) != day.sha256:
                raise ReleaseError(
                    f"leaderboard.*: the rows of {day.day} in the track {day.track} are not those "
                    f"in seal {seal.number}."
                )


def dump(document: Any) -> str:
    """Return JSON as the files of a release have it."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
