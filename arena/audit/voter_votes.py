"""Reads what the rules about voters look at: votes, and answers to repeats and honey pairs."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from arena.audit.voter_rules import NO_RETESTS, Retests
from arena.models import HONEY, Battle, Choice, Clip, Vote, VoterKind
from arena.standings.rated_votes import WINNERS
from arena.standings.vote_arrays import VoteArrays

CHUNK = 400  # voters in one query
_MIRRORED = {Choice.A: Choice.B, Choice.B: Choice.A}


def read_votes(
    session: Session, arrays: VoteArrays, track_id: int, voters: Sequence[int] | None
) -> pd.DataFrame:
    """Return rated votes by people in a track, as `voter_rules.voter_p_values` takes them.

    Which votes are rated is decided where arrays are filled; only what these do not have is read.

    Args:
        session: only reads.
        arrays: the votes so far.
        track_id: of the track.
        voters: whose votes; None: everybody's.
    """
    votes = arrays.pool(track_id, VoterKind.PERSON).votes.arrays()
    order = np.argsort(votes["vote"], kind="stable")  # a vote may have been committed late
    if voters is not None:
        order = order[np.isin(votes["voter"][order], voters)]
    chosen = {name: values[order] for name, values in votes.items()}
    names = np.array([str(number) for number in arrays.entrants], dtype=object)
    frame = pd.DataFrame(
        {
            "vote": chosen["vote"].astype(np.int64),
            "voter": chosen["voter"].astype(np.int64),
            "model_a": names[chosen["left"]],
            "model_b": names[chosen["right"]],
            "winner": np.array(list(WINNERS.values()), dtype=object)[chosen["outcome"]],
        }
    )
    query = (
        select(
            *(Vote.id, Vote.decided_ms, Battle.clip_a_id, Battle.clip_b_id, Battle.probability),
        )
        .join(Battle, Battle.id == Vote.battle_id)
        .where(Battle.track_id == track_id)
    )
    rows: list[Any] = []
    for part in _parts(query, voters):
        rows += session.execute(part)
    columns = ["vote", "decided_ms", "clip_a", "clip_b", "probability"]
    return frame.merge(pd.DataFrame(rows, columns=columns), on="vote", how="inner")


def read_repeats(session: Session, track_id: int, voters: Sequence[int] | None) -> Retests:
    """Return how often voters answered deliberate repeats differently; None: all voters."""
    first, earlier = aliased(Battle), aliased(Vote)
    query = (
        select(Vote.voter_id, Vote.choice, earlier.choice, Battle.clip_a_id, first.clip_a_id)
        .join(Battle, Battle.id == Vote.battle_id)
        .join(first, first.id == Battle.repeat_of)
        .join(earlier, earlier.battle_id == first.id)
        .where(
            Battle.track_id == track_id,
            *(Vote.choice != Choice.SKIP, earlier.choice != Choice.SKIP),
        )
    )
    failed: Counter[int] = Counter()
    shown: Counter[int] = Counter()
    for part in _parts(query, voters):
        for voter, again, answer, clip, clip_before in session.execute(part):
            same_sides = clip == clip_before
            expected = answer if same_sides else _MIRRORED.get(answer, answer)
            shown[voter] += 1
            failed[voter] += again is not expected
    return Retests(failed, shown) if shown else NO_RETESTS


def read_honey(session: Session, track_id: int, voters: Sequence[int] | None) -> Retests:
    """Return how often voters did not prefer a clip to its own damaged copy; None: all voters.

    Who calls both bad says nothing of which is better, and who skips says nothing at all.
    """
    left = aliased(Clip)
    query = (
        select(Vote.voter_id, Vote.choice, left.damage)
        .join(Battle, Battle.id == Vote.battle_id)
        .join(left, left.id == Battle.clip_a_id)
        .where(
            *(Battle.track_id == track_id, Battle.sampler == HONEY),
            Vote.choice.not_in([Choice.SKIP, Choice.BAD]),
        )
    )
    failed: Counter[int] = Counter()
    shown: Counter[int] = Counter()
    for part in _parts(query, voters):
        for voter, choice, damage in session.execute(part):
            shown[voter] += 1
            failed[voter] += choice is not (Choice.A if damage is None else Choice.B)
    return Retests(failed, shown) if shown else NO_RETESTS


def read_retests(
    session: Session, track_id: int, voters: Sequence[int] | None
) -> dict[str, Retests]:
    """Return both, as arguments of `voter_rules.voter_p_values`."""
    return {
        "repeats": read_repeats(session, track_id, voters),
        "honey": read_honey(session, track_id, voters),
    }


def _parts(query: Any, voters: Sequence[int] | None) -> Iterable[Any]:
    if voters is None:
        return [query]
    return [
        query.where(Vote.voter_id.in_(voters[at : at + CHUNK]))
        for at in range(0, len(voters), CHUNK)
    ]


def effect_of(frame: pd.DataFrame, held: Any, names: dict[str, str]) -> list[str]:
    """Return sentences on how ratings and ranks change if votes are held.

    Args:
        frame: from `read_votes`.
        held: whether each of its votes is held, shape (votes,).
        names: of the entrants, by number.
    """
    import ratings

    if not held.any():
        return []
    try:
        before, after = (
            ratings.bradley_terry(ratings.Battles.from_frame(part), "half").ratings
            for part in (frame, frame[~held])
        )
    except ratings.RatingsError as error:
        return [f"what holding them changes is not known: {error}."]
    ranks = [rated.rank(ascending=False, method="min") for rated in (before, after)]
    moved = [
        f"{names.get(str(model), str(model))} {before[model]:.0f} to {after[model]:.0f} Elo"
        + (
            f", place {ranks[0][model]:.0f} to {ranks[1][model]:.0f}"
            if ranks[0][model] != ranks[1][model]
            else ""
        )
        for model in before.dropna().sort_values(ascending=False).index
        if model in after and after[model] == after[model]
    ]
    return [f"if their votes are held: {'; '.join(moved)}."]
