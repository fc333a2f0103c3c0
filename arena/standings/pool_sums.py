"""Sums over voters of the leaderboards of a large pool, which new votes are added to.

A leaderboard of millions of votes is then rated from counts of pairs and from `ratings.ClusterSums`
instead of from its votes, in a time that does not grow with them.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

import ratings
from arena.models import Entrant
from arena.standings.rated_votes import RatedVotes
from arena.standings.vote_arrays import Array, Pool, VoteArrays

LARGE = 200_000  # votes in a pool from which on sums are worth keeping
# A board whose sums must be built again is rated from its votes until this multiple of the time
# that building takes has passed.
_REBUILD_PAUSE = 20.0
_COLUMNS = ("prompt", "left", "right", "outcome", "voter")  # of votes, that the sums need


@dataclass
class _BoardSums:
    """The sums of one leaderboard: of one category, or of all prompts (None)."""

    prompts: frozenset[str] | None
    models: tuple[str, ...]
    entrants: tuple[int, ...]  # their numbers, in the order of `models`
    counts: Array
    sums: ratings.ClusterSums


class PoolSums:
    """The sums of all leaderboards of one pool.

    Args:
        arrays: have the pool.
        pool: the votes.
    """

    def __init__(self, arrays: VoteArrays, pool: Pool) -> None:
        self._arrays, self._pool = arrays, pool
        self._boards: dict[str, _BoardSums] = {}
        self._rebuild_at: dict[str, float] = {}
        self._read = 0

    @property
    def is_large(self) -> bool:
        """Whether the pool has enough votes for sums."""
        return len(self._pool.votes) >= LARGE

    def rated_votes(
        self,
        category: str,
        prompts: frozenset[str] | None,
        entrants: Mapping[str, Entrant],
    ) -> tuple[RatedVotes, ratings.ClusterSums] | None:
        """The votes of a leaderboard, by their counts only, and their sums; None without sums.

        Args:
            category: of the leaderboard.
            prompts: of the category; None: all.
            entrants: of the leaderboard, by name.
        """
        board = self._boards.get(category)
        if board is None:
            return None
        if board.prompts != prompts or board.models != tuple(sorted(entrants)):
            self.drop(category)
            return None
        battles = ratings.Battles.from_counts(board.models, board.counts)
        none = self._pool.votes["first"][:0]
        return RatedVotes(battles, dict(entrants), none, {}), board.sums

    def build(
        self,
        category: str,
        prompts: frozenset[str] | None,
        entrants: Mapping[str, Entrant],
        ties: str,
    ) -> bool:
        """Build the sums of a leaderboard from its votes; whether that is possible now."""
        started = time.monotonic()
        if ties != "half" or started < self._rebuild_at.get(category, 0.0):
            return False
        self.advance()
        models = tuple(sorted(entrants))
        numbers = tuple(entrants[name].id for name in models)
        votes = self._votes(self._rows(slice(0, self._read)), numbers, prompts)
        counts = ratings.Battles.from_codes(models, votes.left, votes.right, votes.outcome).counts
        try:
            fit = ratings.bradley_terry(ratings.Battles.from_counts(models, counts), ties)
            sums = ratings.ClusterSums(models, votes, fit, column="voter")
        except ratings.RatingsError:  # a model without a rating yet
            self.drop(category, took_s=time.monotonic() - started)
            return False
        self._boards[category] = _BoardSums(prompts, models, numbers, counts, sums)
        self.drop_later(category, took_s=time.monotonic() - started)
        return True

    def drop_later(self, category: str, *, took_s: float) -> None:
        """Note when the sums of a leaderboard may be built again."""
        self._rebuild_at[category] = time.monotonic() + _REBUILD_PAUSE * took_s

    def drop(self, category: str, *, took_s: float | None = None) -> None:
        """Drop the sums of a leaderboard, which can no longer be used."""
        self._boards.pop(category, None)
        if took_s is not None:
            self.drop_later(category, took_s=took_s)

    def advance(self) -> None:
        """Add the votes that the pool has received since the last call to all sums."""
        first, last = self._read, len(self._pool.votes)
        self._read = last
        if first == last or not self._boards:
            return
        voter = self._pool.votes["voter"]
        is_new = np.zeros(int(voter.max()) + 1, dtype=bool)
        is_new[voter[first:last]] = True
        new_votes = self._rows(slice(first, last))
        earlier = self._rows(np.flatnonzero(is_new[voter[:first]]))
        for category, board in list(self._boards.items()):
            try:
                new = self._votes(new_votes, board.entrants, board.prompts)
                before = self._votes(earlier, board.entrants, board.prompts)
            except KeyError:  # a vote on a new entrant
                self.drop(category)
                continue
            if not len(new.left):
                continue
            np.add.at(board.counts, (new.outcome, new.left, new.right), 1)
            board.sums.add(before, new)

    def _rows(self, rows: slice | Array) -> dict[str, Array]:
        return {name: self._pool.votes[name][rows] for name in _COLUMNS}

    def _votes(
        self,
        votes: Mapping[str, Array],
        entrants: tuple[int, ...],
        prompts: frozenset[str] | None,
    ) -> ratings.ClusterVotes:
        """Votes of a leaderboard, coded by its models.

        Raises:
            KeyError: a vote is on an entrant that is not among them.
        """
        if prompts is not None:
            inside = np.array([key in prompts for key in self._arrays.prompts], dtype=bool)
            chosen = inside[votes["prompt"]]
            votes = {name: values[chosen] for name, values in votes.items()}
        code_of = {number: code for code, number in enumerate(entrants)}
        codes = np.array([code_of.get(each, -1) for each in self._arrays.entrants], dtype=np.int16)
        left, right = codes[votes["left"]], codes[votes["right"]]
        if len(left) and (left.min() < 0 or right.min() < 0):
            raise KeyError("entrant")
        return ratings.ClusterVotes(left, right, votes["outcome"], votes["voter"])
