"""Sums over voters of the leaderboards of a large pool, which new votes are added to.

A leaderboard of millions of votes is then rated from counts of pairs and from `ratings.ClusterSums`
instead of from its votes, in a time that does not grow with them.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

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


BoardKey = tuple[str, bool]  # the category, and whether votes that are held count, too


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
        self._boards: dict[BoardKey, _BoardSums] = {}
        self._rebuild_at: dict[BoardKey, float] = {}
        self._read = 0
        self._held = pool.votes["held"][:0]  # as the sums have it
        self._hold_changes = pool.hold_changes

    @property
    def is_large(self) -> bool:
        """Whether the pool has enough votes for sums."""
        return len(self._pool.votes) >= LARGE

    def rated_votes(
        self,
        key: BoardKey,
        prompts: frozenset[str] | None,
        entrants: Mapping[str, Entrant],
    ) -> tuple[RatedVotes, ratings.ClusterSums] | None:
        """The votes of a leaderboard, by their counts only, and their sums; None without sums.

        Args:
            key: of the leaderboard.
            prompts: of the category; None: all.
            entrants: of the leaderboard, by name.
        """
        board = self._boards.get(key)
        if board is None:
            return None
        if board.prompts != prompts or board.models != tuple(sorted(entrants)):
            self.drop(key)
            return None
        battles = ratings.Battles.from_counts(board.models, board.counts)
        none = self._pool.votes["first"][:0]
        return RatedVotes(battles, dict(entrants), none, {}), board.sums

    def build(
        self,
        key: BoardKey,
        prompts: frozenset[str] | None,
        entrants: Mapping[str, Entrant],
        ties: str,
    ) -> bool:
        """Build the sums of a leaderboard from its votes; whether that is possible now."""
        started = time.monotonic()
        if ties != "half" or started < self._rebuild_at.get(key, 0.0):
            return False
        self.advance()
        models = tuple(sorted(entrants))
        numbers = tuple(entrants[name].id for name in models)
        columns = self._columns(slice(0, self._read))
        if not key[1]:
            columns = _counted(columns, self._held == 0)
        votes = self._votes(columns, numbers, prompts)
        counts = ratings.Battles.from_codes(models, votes.left, votes.right, votes.outcome).counts
        try:
            fit = ratings.bradley_terry(ratings.Battles.from_counts(models, counts), ties)
            sums = ratings.ClusterSums(models, votes, fit, column="voter")
        except ratings.RatingsError:  # a model without a rating yet
            self.drop(key, took_s=time.monotonic() - started)
            return False
        self._boards[key] = _BoardSums(prompts, models, numbers, counts, sums)
        self.drop_later(key, took_s=time.monotonic() - started)
        return True

    def drop_later(self, key: BoardKey, *, took_s: float) -> None:
        """Note when the sums of a leaderboard may be built again."""
        self._rebuild_at[key] = time.monotonic() + _REBUILD_PAUSE * took_s

    def drop(self, key: BoardKey, *, took_s: float | None = None) -> None:
        """Drop the sums of a leaderboard, which can no longer be used."""
        self._boards.pop(key, None)
        if took_s is not None:
            self.drop_later(key, took_s=took_s)

    def advance(self) -> None:
        """Add what the pool has received since the last call, and what was held or released."""
        first, last = self._read, len(self._pool.votes)
        held, before = self._pool.votes["held"], self._held
        changed = np.zeros(0, np.intp)
        if self._pool.hold_changes != self._hold_changes:
            changed = np.flatnonzero((held[:first] != 0) != (before != 0))
        if first == last and not len(changed):
            self._hold_changes = self._pool.hold_changes
            return
        self._read, self._held = last, held.copy()
        self._hold_changes = self._pool.hold_changes
        if not self._boards:
            return
        voter = self._pool.votes["voter"]
        is_new = np.zeros(int(voter.max()) + 1, dtype=bool)
        is_new[voter[first:last]] = True
        is_changed = np.zeros_like(is_new)
        is_changed[voter[changed]] = True
        rows = np.flatnonzero((is_new | is_changed)[voter[:first]])
        earlier, new = self._columns(rows), self._columns(slice(first, last))
        everything = _Update(earlier, earlier, new)
        counted = _Update(
            _counted(earlier, before[rows] == 0),
            _counted(earlier, self._held[rows] == 0),
            _counted(new, self._held[first:last] == 0),
        )
        for key, board in list(self._boards.items()):
            try:
                if key[1] or not len(changed):
                    self._add(board, everything if key[1] else counted)
                else:
                    self._replace(board, counted)
            except KeyError:  # a vote on a new entrant
                self.drop(key)

    def _add(self, board: _BoardSums, update: "_Update") -> None:
        """Add new votes; see `_votes` for the KeyError."""
        new = self._votes(update.new, board.entrants, board.prompts)
        before = self._votes(update.before, board.entrants, board.prompts)
        if len(new.left):
            np.add.at(board.counts, (new.outcome, new.left, new.right), 1)
            board.sums.add(before, new)

    def _replace(self, board: _BoardSums, update: "_Update") -> None:
        """Replace the votes of voters some of whose votes were held or released."""
        before, kept, new = (
            self._votes(part, board.entrants, board.prompts)
            for part in (update.before, update.kept, update.new)
        )
        after = kept.followed_by(new)
        np.subtract.at(board.counts, (before.outcome, before.left, before.right), 1)
        np.add.at(board.counts, (after.outcome, after.left, after.right), 1)
        board.sums.replace(before, after)

    def _columns(self, rows: slice | Array) -> dict[str, Array]:
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


class _Update(NamedTuple):
    """Votes of voters with news: those counted so far, those of them that still are, new ones."""

    before: dict[str, Array]
    kept: dict[str, Array]
    new: dict[str, Array]


def _counted(columns: dict[str, Array], mask: Array) -> dict[str, Array]:
    if mask.all():
        return columns
    return {name: values[mask] for name, values in columns.items()}
