"""Applies the rules about voters to the stored votes, and writes what they decide to the ledger.

A round reads the votes and hold events that are new, and tests a bounded number of votes: those of
voters who have voted since they were last tested, together with a sample of other voters to compare
them with. So a round costs about the same in a large arena as in a small one; what it does not get
to, such as everybody after a start, later rounds do. P-values of all voters are kept, so that false
alarms are controlled over all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from arena.audit.blocs import Bloc, find_blocs
from arena.audit.hold_events import add_new, events_of_voter, events_of_votes
from arena.audit.voter_rules import MIN_VOTES, Retests, flag, voter_p_values
from arena.audit.voter_votes import read_retests, read_votes
from arena.database import Database
from arena.holds.ledger import NewEvent
from arena.holds.rules import VOTER_RULES
from arena.models import HoldRule, VoterKind
from arena.standings.vote_arrays import Pool, VoteArrays
from arena.standings.vote_reader import VoteReader

REFERENCE = 60_000  # votes of other voters that tested ones are compared with
BATCH = 20_000  # votes of tested voters in a round
REDRAW = 1.25  # the sample is drawn again when a track has this many times the votes
BLOCS_AGAIN = 1.01  # groups of voters are tested again when a track has this many times the votes
EVENTS = 200  # in one transaction, for which votes wait


@dataclass
class _Screened:
    """What is known of the voters of a track.

    Attributes:
        tested: number of votes of each voter, by its number, when it was last tested.
        table: p-values of the voters who were tested.
        sample: votes of the voters that others are compared with.
        retests: their answers to repeats and honey pairs.
        sampled_at: number of votes in the track when they were drawn.
        blocs_at: number of votes when groups of voters were last tested.
        settled: what was decided last of voters for whom nothing needs to be written.
    """

    tested: Any = field(default_factory=lambda: np.zeros(0, np.int64))
    table: pd.DataFrame | None = None
    sample: pd.DataFrame | None = None
    retests: dict[str, Retests] = field(default_factory=dict)
    sampled_at: int = 0
    blocs_at: int = 0
    settled: dict[int, tuple[Any, ...]] = field(default_factory=dict)


class VoterScreen:
    """The voters of all tracks with what the rules say of them.

    Args:
        database: of the arena.
        seed: draws the voters that others are compared with.
    """

    def __init__(self, database: Database, *, seed: int | None = None) -> None:
        self._database = database
        self._random = np.random.default_rng(seed)
        self._reader = VoteReader(VoteArrays())
        self._tracks: dict[int, _Screened] = {}
        self.is_behind = False  # whether voters still wait to be tested

    def run(self, *, now: datetime) -> int:
        """Do a round, and write what follows; return the number of events.

        Raises:
            StoreUnavailable: the database cannot be read or written.
        """
        self.is_behind = False
        with self._database.reading() as session:
            self._reader.read_all(session)
        pools = {
            track: pool
            for (track, kind), pool in self._reader.arrays.pools.items()
            if kind is VoterKind.PERSON and len(pool.votes)
        }
        written = 0
        for track, pool in pools.items():
            state = self._tracks.setdefault(track, _Screened())
            events = self._test_voters(track, pool, state)
            events += self._test_blocs(pool, state)
            for at in range(0, len(events), EVENTS):
                write = partial(add_new, events=events[at : at + EVENTS], now=now)
                written += len(self._database.write(write))
        return written

    def run_all(self, *, now: datetime) -> int:
        """Do rounds until every voter was tested; return the number of events."""
        written = self.run(now=now)
        while self.is_behind:
            written += self.run(now=now)
        return written

    # --- single voters ----------------------------------------------------------------------------

    def _test_voters(self, track: int, pool: Pool, state: _Screened) -> list[NewEvent]:
        voter = pool.votes["voter"]
        votes = np.bincount(voter)
        state.tested = np.pad(state.tested, (0, len(votes) - len(state.tested)))
        waiting = np.flatnonzero((votes >= MIN_VOTES) & (votes != state.tested))
        if not len(waiting):
            return []
        if len(voter) <= REFERENCE:
            chosen = np.flatnonzero(votes)
        else:
            chosen = self._up_to(BATCH, waiting, votes)
        frame, retests = self._read(track, chosen, votes, state, len(voter))
        if frame.empty:
            return []
        table = voter_p_values(frame, **retests)
        if state.table is not None and len(voter) > REFERENCE:
            table = table.loc[table.index.isin(chosen)]
            table = pd.concat([state.table.loc[~state.table.index.isin(chosen)], table])
        state.table = table
        state.tested[chosen] = votes[chosen]
        self.is_behind |= bool(((votes >= MIN_VOTES) & (votes != state.tested)).any())
        return self._events(track, pool, state, flag(table))

    def _up_to(self, number: int, voters: Any, votes: Any) -> Any:
        """Voters drawn at random, until they have this number of votes."""
        drawn = self._random.permutation(voters)
        last = int(np.searchsorted(np.cumsum(votes[drawn]), number)) + 1
        return np.sort(drawn[:last])

    def _read(
        self, track: int, chosen: Any, votes: Any, state: _Screened, total: int
    ) -> tuple[pd.DataFrame, dict[str, Retests]]:
        """Votes and retests of chosen voters, and of the sample in a large track."""
        arrays = self._reader.arrays
        with self._database.reading() as session:
            if total <= REFERENCE:
                votes_of_all = read_votes(session, arrays, track, None)
                return votes_of_all, read_retests(session, track, None)
            if state.sample is None or total > REDRAW * state.sampled_at:
                sample = self._up_to(REFERENCE, np.flatnonzero(votes), votes).tolist()
                state.sample = read_votes(session, arrays, track, sample)
                state.retests = read_retests(session, track, sample)
                state.sampled_at = total
            tested = read_votes(session, arrays, track, chosen.tolist())
            retests = read_retests(session, track, chosen.tolist())
        others = state.sample[~state.sample["voter"].isin(chosen)]
        frame = pd.concat([others, tested]).sort_values("vote", kind="stable", ignore_index=True)
        return frame, {
            name: Retests(
                {**state.retests[name].failed, **found.failed},
                {**state.retests[name].shown, **found.shown},
            )
            for name, found in retests.items()
        }

    def _events(
        self, track: int, pool: Pool, state: _Screened, table: pd.DataFrame
    ) -> list[NewEvent]:
        """What follows from what `voter_rules.flag` says of all voters."""
        held, counting = self._held(pool)
        numbers = table.index.to_numpy()
        of_rule = table["rule"].to_numpy(dtype=object)
        rules = {int(numbers[at]): str(of_rule[at]) for at in np.flatnonzero(of_rule != "")}
        keeps = set(numbers[table["keeps"].to_numpy(dtype=bool)].tolist())
        known = set(numbers.tolist()) if held else set()
        for voter, rule in held.items():
            if voter in keeps or voter not in known:
                rules.setdefault(voter, rule)
        events: list[NewEvent] = []
        with self._database.reading() as session:
            for voter in sorted(rules.keys() | held.keys()):
                rule_, held_by = rules.get(voter), held.get(voter)
                if rule_ is not None and not counting[voter]:
                    continue  # all its votes are held
                decided = (rule_, held_by, int(counting[voter]))
                if state.settled.get(voter) == decided:
                    continue
                new = events_of_voter(session, track, voter, rule_, held_by)
                if not new:
                    state.settled[voter] = decided
                events += new
        return events

    def _held(self, pool: Pool) -> tuple[dict[int, str], Any]:
        """Voters whose votes rules hold now, with the rule; and how many votes of each count."""
        rules = self._reader.arrays.rules
        rows, voter = pool.held_rows, pool.votes["voter"]
        codes = pool.votes["held"][rows]
        held: dict[int, str] = {}
        for code, rule in enumerate(rules, start=1):
            if rule in VOTER_RULES:
                held |= dict.fromkeys(np.unique(voter[rows[codes == code]]).tolist(), rule)
        counting = np.bincount(voter) - np.bincount(voter[rows], minlength=int(voter.max()) + 1)
        return held, counting

    # --- groups of voters -------------------------------------------------------------------------

    def _test_blocs(self, pool: Pool, state: _Screened) -> list[NewEvent]:
        total = len(pool.votes)
        if total <= BLOCS_AGAIN * state.blocs_at:
            return []
        state.blocs_at = total
        _, inside, rows = blocs_of(pool, self._reader.arrays)
        found = rows[inside & (pool.votes["held"][rows] == 0)]
        if not len(found):
            return []
        with self._database.reading() as session:
            return events_of_votes(session, pool.votes["vote"][found].tolist(), HoldRule.BLOC)


def blocs_of(pool: Pool, arrays: VoteArrays) -> tuple[Sequence[Bloc], Any, Any]:
    """Return the blocs of a track, whether each tested vote is one of them, and its row.

    Votes that other rules hold are left out.
    """
    held = pool.votes["held"]
    bloc = 1 + arrays.rules.index(HoldRule.BLOC) if HoldRule.BLOC in arrays.rules else -1
    rows = np.flatnonzero((held == 0) | (held == bloc))
    votes = {name: pool.votes[name][rows] for name in ("voter", "left", "right", "outcome")}
    blocs, inside = find_blocs(**votes, models=len(arrays.entrants))
    return blocs, inside, rows
