"""The votes that one leaderboard counts, selected from the arrays of all votes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

import ratings
from arena.models import OVERALL, Choice, Entrant, Prompt, PromptCategory, Track, VoterKind
from arena.standings.vote_arrays import Array, VoteArrays

WINNERS = {
    Choice.A: "model_a",
    Choice.B: "model_b",
    Choice.TIE: "tie",
    Choice.BAD: "both_bad",
}


@dataclass(frozen=True, eq=False)
class RatedVotes:
    """The votes of one leaderboard.

    Attributes:
        battles: the votes; their frame has `model_a, model_b, winner, voter`.
        entrants: all entrants of the track by the name that `battles` has.
        first: the side that was played first, as in `vote_arrays`, for each vote.
        repeats: the deliberate repeats, columns as in `vote_arrays`.
        held_out: whether each vote is on a held-out prompt; None: not known.
    """

    battles: ratings.Battles
    entrants: dict[str, Entrant]
    first: Array
    repeats: dict[str, Array]
    held_out: Array | None = None

    @property
    def entrant_ids(self) -> list[int]:
        """The number of each entrant, in the order of `battles.models`."""
        return [self.entrants[name].id for name in self.battles.models]


def select_votes(
    session: Session,
    arrays: VoteArrays,
    *,
    track: Track,
    category: str,
    voters: VoterKind,
    with_held: bool = False,
) -> RatedVotes:
    """Select the votes that a leaderboard counts.

    Args:
        session: reads the entrants, and the prompts of the category.
        arrays: the votes.
        track: of the leaderboard.
        category: of the leaderboard.
        voters: whose votes it counts.
        with_held: whether to count the votes that are held, too.
    """
    pool = arrays.pool(track.id, voters)
    votes, repeats = pool.votes.arrays(), pool.repeats.arrays()
    if len(pool.held_rows) and not with_held:
        votes = _select(votes, votes["held"] == 0)
    if category != OVERALL:
        prompts = prompts_of(session, category) or frozenset()
        inside = np.array([key in prompts for key in arrays.prompts], dtype=bool)
        votes = _select(votes, inside[votes["prompt"]])
        repeats = _select(repeats, inside[repeats["prompt"]])
    used = _used(votes, len(arrays.entrants))
    entrants = entrants_by_name(session, track, [arrays.entrants[i] for i in np.flatnonzero(used)])
    code_of = {entrant.id: code for code, entrant in enumerate(entrants.values())}
    codes = np.array([code_of.get(number, -1) for number in arrays.entrants], dtype=np.int16)
    named = pd.Index(list(entrants), dtype=object)
    voter = votes["voter"]
    frame = pd.DataFrame(
        {
            "model_a": pd.Categorical.from_codes(codes[votes["left"]], named),
            "model_b": pd.Categorical.from_codes(codes[votes["right"]], named),
            "winner": pd.Categorical.from_codes(votes["outcome"], pd.Index(WINNERS.values())),
            # Categories are used as codes, so that nothing needs to be hashed.
            "voter": pd.Categorical.from_codes(voter, pd.RangeIndex(int(voter.max(initial=0)) + 1)),
        }
    )
    battles = ratings.Battles.from_frame(frame, models=list(entrants))
    held_out = _held_out(session, arrays)[votes["prompt"]]
    return RatedVotes(battles, entrants, votes["first"], repeats, held_out)


def _held_out(session: Session, arrays: VoteArrays) -> Array:
    """Whether each prompt, by its code, is held out."""
    found = set(session.scalars(select(Prompt.id).where(or_(Prompt.private, Prompt.held_out))))
    return np.array([key in found for key in arrays.prompts], dtype=bool)


def prompts_of(session: Session, category: str) -> frozenset[str] | None:
    """The prompts of a category; None: all."""
    if category == OVERALL:
        return None
    query = select(PromptCategory.prompt_id).where(PromptCategory.category == category)
    return frozenset(session.scalars(query))


def _select(columns: dict[str, Array], chosen: Array) -> dict[str, Array]:
    return {name: values[chosen] for name, values in columns.items()}


def _used(votes: dict[str, Array], entrants: int) -> Array:
    """Whether each entrant, by its code, has votes."""
    used = np.zeros(entrants, dtype=bool)
    used[votes["left"]] = True
    used[votes["right"]] = True
    return used


def entrants_by_name(session: Session, track: Track, numbers: list[int]) -> dict[str, Entrant]:
    """All entrants of the track and those with these numbers, by the names of the ratings."""
    competing = Entrant.tracks.any(Track.id == track.id)
    return _by_name(
        list(
            session.scalars(
                select(Entrant).where(competing | Entrant.id.in_(numbers)).order_by(Entrant.id)
            )
        )
    )


def _by_name(entrants: list[Entrant]) -> dict[str, Entrant]:
    """Return the entrants by the names that releases give them, so that all ties break alike.

    Names that `ratings` could not distinguish are replaced by numbers.
    """
    names = {entrant.shown_name.strip() for entrant in entrants}
    if len(names) < len(entrants) or "" in names:
        return {str(entrant.id): entrant for entrant in entrants}
    return {entrant.shown_name: entrant for entrant in entrants}
