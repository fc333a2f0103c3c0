"""A track whose votes are simulated: the arena draws the pairs and computes the leaderboards.

Pairs come from `arena.voting.matchmaking` with the catalog's index and the last snapshot, ratings
and snapshots from `arena.standings`. Only the rows of battles and votes are left out, which would
take most of the time: votes go into the arrays that the leaderboards are computed from.
"""

import random
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from sqlalchemy import select

from arena.catalog import retirement
from arena.catalog.index import catalog_index
from arena.catalog.tracks import find_track
from arena.database import Database
from arena.models import OVERALL, Entrant, VoterKind
from arena.standings.boards import BoardRow
from arena.standings.computing import compute_board
from arena.standings.snapshots import store_snapshot
from arena.standings.vote_arrays import FIRST_LEFT, VoteArrays
from arena.voting.matchmaking import ADAPTIVE, PairChances, draw
from arena.voting.snapshots import last_snapshot
from many_votes import add_catalog
from ratings.votes.columns import Outcome
from small_arena import START, TRACK

ELO_PER_STRENGTH = 400 / np.log(10)
NU = 0.36  # of Davidson's model: about 15% ties
VOTES_PER_VOTER = 4  # as on blind arenas
VOTES_PER_S = 5


class SimulatedTrack:
    """A track of models whose strengths are known, and voters who see it once each.

    Args:
        database: migrated and empty.
        elo: the models' true strengths, in Elo points.
        prompts: number of prompts; every model has a clip of each.
        sampler: of the battles.
        seed: of everything that is random.
    """

    def __init__(
        self,
        database: Database,
        elo: Sequence[float],
        *,
        prompts: int = 50,
        sampler: str = ADAPTIVE,
        seed: int = 0,
    ) -> None:
        self.database, self.sampler = database, sampler
        self.strengths = np.asarray(elo, dtype=float) / ELO_PER_STRENGTH
        self.now, self.votes = START, 0
        self._chance = random.Random(seed)
        self._chances: PairChances | None = None
        add_catalog(database, models=len(elo), prompts=prompts, categories=0)
        with database.reading() as session:
            self._track = find_track(session, TRACK)
            self._entrants = list(session.scalars(select(Entrant.id).order_by(Entrant.id)))
        self._code_of = {number: code for code, number in enumerate(self._entrants)}
        self._arrays = VoteArrays(entrants=self._entrants, prompts=["prompt"])

    def retire(self, model: int) -> None:
        """Leave a model out of battles."""
        with self.database.writing() as session:
            entrant = session.get_one(Entrant, self._entrants[model])
            retirement.retire(session, entrant, now=self.now)

    def restore(self, model: int) -> None:
        """Let a model compete: a newcomer, if it has no votes."""
        with self.database.writing() as session:
            retirement.restore(session, session.get_one(Entrant, self._entrants[model]))

    def vote(self, votes: int) -> None:
        """Have new voters cast votes, on pairs drawn with the last leaderboard."""
        with self.database.reading() as session:
            index = catalog_index(session, exact=True).of(session, self._track.id)
        left, right = np.zeros((2, votes), dtype=int)
        shown: set[tuple[int, int]] = set()
        for number in range(votes):
            if number % VOTES_PER_VOTER == 0:
                shown = set()
            pair = draw(index, shown, self._chance, sampler=self.sampler, chances=self._chances)
            assert pair is not None
            shown.add(pair.clips)
            clips = self._chance.sample(pair.clips, 2)
            left[number], right[number] = (
                self._code_of[index.clips[clip].entrant_id] for clip in clips
            )
        self._arrays.pool(self._track.id, VoterKind.PERSON).votes.append(
            left=left,
            right=right,
            outcome=self._outcomes(self.strengths[left] - self.strengths[right]),
            first=np.full(votes, FIRST_LEFT),
            voter=(self.votes + np.arange(votes)) // VOTES_PER_VOTER,
            prompt=np.zeros(votes),
            vote=self.votes + 1 + np.arange(votes),
            held=np.zeros(votes),
        )
        self.votes += votes
        self._arrays.watermark = self.votes
        self.now += timedelta(seconds=votes / VOTES_PER_S)

    def _outcomes(self, lead: np.ndarray) -> np.ndarray:
        """Draw the answers to pairs by Davidson's model, from the log odds of their left sides."""
        odds = np.cumsum([np.exp(lead / 2), np.exp(-lead / 2), np.full(len(lead), NU)], axis=0)
        drawn = np.array([self._chance.random() for _ in lead]) * odds[-1]
        return np.array([Outcome.A, Outcome.B, Outcome.TIE])[(drawn >= odds).sum(axis=0)]

    def refresh(self) -> list[BoardRow]:
        """Compute and store the leaderboard, as the background job does.

        Returns:
            The row of each model, in the order of `elo`.
        """
        with self.database.reading() as session:
            computed = compute_board(
                *(session, self._arrays),
                track=self._track,
                category=OVERALL,
                voters=VoterKind.PERSON,
                now=self.now,
                with_details=False,
            )
        with self.database.writing() as session:
            store_snapshot(session, computed, replace_newer=False)
        with self.database.reading() as session:
            self._chances = last_snapshot(session, self._track.id).chances
        rows = dict(zip(computed.entrant_ids, computed.board.rows, strict=True))
        return [rows[number] for number in self._entrants]
