"""The rated votes of all tracks as arrays of small integers, which new votes are appended to.

A pool has the votes of one track by one kind of voter. Skips, votes on honey pairs and votes cast
without hearing both clips are left out; votes that the ledger holds are marked with their rule, and
leaderboards leave them out. Deliberate repeats are kept apart, since they only measure how reliable
voters are.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.models import VoterKind
from ratings.votes.columns import Outcome

Array = NDArray[Any]
# Answer as seen from the other side.
MIRROR = np.array([Outcome.B, Outcome.A, Outcome.TIE, Outcome.BOTH_BAD], dtype=np.int8)
FIRST_UNKNOWN, FIRST_LEFT, FIRST_RIGHT = 0, 1, 2
VOTE_COLUMNS: dict[str, type[np.integer[Any]]] = {
    "left": np.int16,  # codes of `VoteArrays.entrants`
    "right": np.int16,
    "outcome": np.int8,
    "first": np.int8,  # the side that was played first
    "voter": np.int32,  # the database's numbers
    "prompt": np.int32,  # codes of `VoteArrays.prompts`
    "vote": np.uint32,  # the vote's number
    "held": np.int8,  # 0: it counts; else 1 + the code of the rule in `VoteArrays.rules`
}
# The answers of one voter to the same two clips, both with the sides of the first.
REPEAT_COLUMNS: dict[str, type[np.integer[Any]]] = {
    "answer": np.int8,
    "again": np.int8,
    "voter": np.int32,
    "prompt": np.int32,
}


class Columns:
    """Columns of equal length that grow at the end; appending takes time in proportion to the new.

    Args:
        types: the columns and their types.
        arrays: their first values; None: no rows.
    """

    def __init__(
        self, types: dict[str, type[np.integer[Any]]], arrays: dict[str, Array] | None = None
    ) -> None:
        self._buffers = {
            name: np.zeros(0, kind) if arrays is None else np.ascontiguousarray(arrays[name], kind)
            for name, kind in types.items()
        }
        self._length = len(next(iter(self._buffers.values())))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, name: str) -> Array:
        return self._buffers[name][: self._length]

    def append(self, **values: Array) -> None:
        """Append rows: a value for every column."""
        new = len(next(iter(values.values())))
        needed = self._length + new
        for name, buffer in self._buffers.items():
            if needed > len(buffer):
                larger = np.empty(max(needed, len(buffer) * 5 // 4, 1024), buffer.dtype)
                larger[: self._length] = buffer[: self._length]
                self._buffers[name] = larger
            self._buffers[name][self._length : needed] = values[name]
        self._length = needed

    def arrays(self) -> dict[str, Array]:
        """All columns, as views."""
        return {name: self[name] for name in self._buffers}


@dataclass
class Pool:
    """The rated votes of one track by one kind of voter, in the order in which they were read."""

    votes: Columns = field(default_factory=lambda: Columns(VOTE_COLUMNS))
    repeats: Columns = field(default_factory=lambda: Columns(REPEAT_COLUMNS))
    # Numbers of votes cast without hearing both clips, by the prompt's code.
    picture_only: Counter[int] = field(default_factory=Counter)
    hold_changes: int = 0  # grows whenever votes are held or released
    _held_rows: tuple[int, Array] | None = None

    def find(self, votes: Array) -> Array:
        """Rows of votes, by their numbers; those that are not in the pool are left out.

        Args:
            votes: sorted numbers.
        """
        known = self.votes["vote"]
        votes = votes[votes < 1 << 32].astype(known.dtype)  # or all of `known` would be converted
        if not len(known) or not len(votes):
            return np.zeros(0, np.intp)
        place = np.minimum(np.searchsorted(known, votes), len(known) - 1)
        matches = known[place] == votes
        # The few votes that were committed late are not in the order of their numbers.
        late = votes[~matches]
        late = late[(late >= known.min()) & (late <= known.max())]
        rows = place[matches]
        if len(late):
            rows = np.concatenate([rows, np.flatnonzero(np.isin(known, late))])
        found: Array = np.unique(rows)
        return found

    def mark(self, rows: Array, codes: Array) -> None:
        """Set what holds these votes: 0, or 1 + the code of a rule."""
        if len(rows) and (self.votes["held"][rows] != codes).any():
            self.votes["held"][rows] = codes
            self.hold_changes += 1

    @property
    def held_rows(self) -> Array:
        """Rows of the votes that are held now."""
        key = (self.hold_changes << 40) + len(self.votes)
        if self._held_rows is None or self._held_rows[0] != key:
            self._held_rows = key, np.flatnonzero(self.votes["held"])
        return self._held_rows[1]


PoolKey = tuple[int, VoterKind]  # the track's number, and whose votes


@dataclass
class VoteArrays:
    """All rated votes, up to a watermark.

    Attributes:
        watermark: every vote with this id or a smaller one has been read, but for `gaps`.
        gaps: ids below the watermark that had no vote yet, with the time, by `time.monotonic`, at
            which they are given up: a transaction that began earlier may commit later.
        entrants: number of each entrant by code.
        prompts: id of each prompt by code.
        pools: the votes.
        events: the ledger of holds has been read up to this number.
        rules: names of the rules that hold votes, by code.
        pending: the rules of held votes that have not been read yet, by their numbers.
    """

    watermark: int = 0
    gaps: dict[int, float] = field(default_factory=dict)
    entrants: list[int] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    pools: dict[PoolKey, Pool] = field(default_factory=dict)
    events: int = 0
    rules: list[str] = field(default_factory=list)
    pending: dict[int, str] = field(default_factory=dict)

    def rule_code(self, rule: str) -> int:
        """What `held` contains for a rule."""
        if rule not in self.rules:
            self.rules.append(rule)
        return 1 + self.rules.index(rule)

    def pool(self, track_id: int, voters: VoterKind) -> Pool:
        """The votes of a track by one kind of voter, perhaps none."""
        return self.pools.setdefault((track_id, voters), Pool())

    @property
    def rows(self) -> int:
        """Number of votes and repeats."""
        return sum(len(pool.votes) + len(pool.repeats) for pool in self.pools.values())
