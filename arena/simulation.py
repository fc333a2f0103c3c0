"""Simulated voters: votes that fill a leaderboard before people come. Always marked as such.

How one of them judges two clips. Each clip looks to the voter as good as its measured `quality`
(0 to 1), plus the voter's taste, plus chance:

    seen(clip) = quality + sum over its other measures of taste[measure] * value + chance

`taste` is the voter's own and stays: how much more or less than others it minds each measured
part, normal with standard deviation `TASTE`. `chance` is normal with standard deviation `CHANCE`,
one draw for each clip of a comparison. Two clips seen below `POOR` are both bad; two seen closer
than `CLOSE` are a tie; else the better one wins. Who sits on which side plays no part: the draws
belong to the clips. One seed, voter and pair of clips give one answer.
"""

import hashlib
import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations, islice

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.ballots import admit_voter, cast_vote, issue_battle
from arena.catalog import find_track, list_tracks
from arena.database import Database
from arena.errors import BallotError, NoPair
from arena.forms import IssuedBattle, VoteForm
from arena.limits import Rules
from arena.models import Battle, Choice, Clip, ClipStatus, Entrant, Prompt, Track, Voter, VoterKind

QUALITY = "quality"  # the measure that says all in one number
# Of a measure's whole range: single voters often disagree with the measured order, many rarely do.
CHANCE = 0.12
TASTE = 0.08
CLOSE = 0.05  # gives about one tie in ten among clips of like quality
POOR = 0.3  # below it a clip shows little of what was asked
VOTES_AT_ONCE = 200  # votes a transaction: one wait for the disk, and people's votes get their turn
RULES = Rules(limits=(), watch_time=False)
SOMETHING_ELSE = NoPair("")


@dataclass(frozen=True)
class Judge:
    """One simulated voter."""

    key: str
    seed: int
    taste: dict[str, float] = field(default_factory=dict, compare=False, repr=False)

    def choose(self, a: Clip, b: Clip) -> Choice:
        """The answer to a battle of two measured clips."""
        low, high = sorted((a, b), key=lambda clip: clip.id)
        chance = random.Random(f"{self.seed}/{self.key}/{low.id}/{high.id}")  # noqa: S311
        seen = {clip.id: self._see(clip) + chance.gauss(0, CHANCE) for clip in (low, high)}
        if max(seen.values()) < POOR:
            return Choice.BAD
        if abs(seen[a.id] - seen[b.id]) < CLOSE:
            return Choice.TIE
        return Choice.A if seen[a.id] > seen[b.id] else Choice.B

    def _see(self, clip: Clip) -> float:
        measures = clip.measures or {}
        parts = (self._minds(name) * value for name, value in measures.items() if name != QUALITY)
        return float(measures[QUALITY] + sum(parts))

    def _minds(self, measure: str) -> float:
        if measure not in self.taste:
            own = random.Random(f"{self.seed}/{self.key}/{measure}")  # noqa: S311
            self.taste[measure] = own.gauss(0, TASTE)
        return self.taste[measure]
