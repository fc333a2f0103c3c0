"""Applies the rules about voters to the stored votes, and writes what they decide to the ledger.

Each round tests the voters with new votes only, together with a sample of other voters to compare
them with, so that a round costs no more in a large arena than in a small one. P-values of all
voters are kept, so that false alarms are controlled over all of them.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import pandas as pd
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from arena.audit.voter_rules import NO_RETESTS, TESTED, Retests, flag, voter_p_values
from arena.database import Database
from arena.holds.decisions import is_decided
from arena.holds.ledger import NewEvent, add_events, last_events
from arena.holds.rules import AUTOMATIC, RULES
from arena.models import (
    Battle,
    Choice,
    Clip,
    HoldEvent,
    HoldKind,
    HoldRule,
    Track,
    Vote,
    Voter,
    VoterKind,
)
from arena.standings.rated_votes import WINNERS

REFERENCE = 60_000  # votes of other voters that tested ones are compared with
CHUNK = 400  # voters in one query
LOOKBACK = 2000  # numbers below the newest vote that may have been committed late
EVENTS = 200  # in one transaction, for which votes wait
OWN_RULES = (*TESTED, HoldRule.ONE_SIDED)  # the rules that are applied here
_MIRRORED = {Choice.A: Choice.B, Choice.B: Choice.A}


class VoterScreen:
    """The voters of all tracks with what the rules say of them.

    Args:
        database: of the arena.
        seed: draws the voters that others are compared with.
    """

    def __init__(self, database: Database, *, seed: int | None = None) -> None:
        self._database = database
        self._random = random.Random(seed)  # noqa: S311  (a sample, no secret)
        self._tables: dict[int, pd.DataFrame] = {}
        self._watermark = 0
        self._recent: set[int] = set()

    def run(self, *, now: datetime) -> int:
        """Test the voters with new votes, and write what follows; return the number of events.

        Raises:
            StoreUnavailable: the database cannot be read or written.
        """
        written = 0
        with self._database.reading() as session:
            changed = self._voters_with_news(session)
            decisions = [
                self._decide(session, track, voters) for track, voters in changed.items() if voters
            ]
        for events in decisions:
            for at in range(0, len(events), EVENTS):
                write = partial(_add_new, events=events[at : at + EVENTS], now=now)
                written += len(self._database.write(write))
        return written

    def table(self, session: Session, track: Track) -> pd.DataFrame:
        """Test all voters of a track now, and return what `voter_rules.flag` says of them."""
        frame = read_votes(session, track.id, None)
        if frame.empty:
            return pd.DataFrame()
        voters = frame["voter"].unique().tolist()
        return flag(voter_p_values(frame, repeats=read_repeats(session, track.id, voters)))

    def _voters_with_news(self, session: Session) -> dict[int, set[int]]:
        """Voters with votes since the last round, by track."""
        query = (
            select(Vote.id, Battle.track_id, Vote.voter_id)
            .join(Battle, Battle.id == Vote.battle_id)
            .join(Voter, Voter.id == Vote.voter_id)
            .where(Vote.id > self._watermark - LOOKBACK, Voter.kind == VoterKind.PERSON)
            .order_by(Vote.id)
        )
        changed: defaultdict[int, set[int]] = defaultdict(set)
        for number, track, voter in session.execute(query):
            if number not in self._recent:
                changed[track].add(voter)
                self._recent.add(number)
        if self._recent:
            self._watermark = max(self._recent)
            self._recent = {each for each in self._recent if each > self._watermark - LOOKBACK}
        return changed

    def _decide(self, session: Session, track_id: int, voters: set[int]) -> list[NewEvent]:
        """Test voters of a track, and return the events that follow for any of its voters."""
        others, is_complete = self._reference(session, track_id, voters)
        tested = read_votes(session, track_id, sorted(voters))
        frame = pd.concat([others, tested]).sort_values("vote", kind="stable")
        if frame.empty:
            return []
        everybody = frame["voter"].unique().tolist()
        table = voter_p_values(frame, repeats=read_repeats(session, track_id, everybody))
        known = self._tables.get(track_id)
        if known is not None and not is_complete:
            table = table.loc[table.index.isin(voters)]
            table = pd.concat([known.loc[~known.index.isin(voters)], table])
        self._tables[track_id] = table
        return self._events(session, track_id, flag(table))

    def _reference(
        self, session: Session, track_id: int, voters: set[int]
    ) -> tuple[pd.DataFrame, bool]:
        """Votes of other voters, drawn at random; and whether these are all others."""
        newest = session.scalar(select(func.max(Voter.id))) or 0
        numbers = [number for number in range(1, newest + 1) if number not in voters]
        self._random.shuffle(numbers)
        parts, votes = [read_votes(session, track_id, [])], 0
        for at in range(0, len(numbers), CHUNK):
            if votes >= REFERENCE:
                return pd.concat(parts), False
            part = read_votes(session, track_id, numbers[at : at + CHUNK])
            parts.append(part)
            votes += len(part)
        return pd.concat(parts), True

    def _events(self, session: Session, track_id: int, table: pd.DataFrame) -> list[NewEvent]:
        held = _held_by_rules(session, track_id)
        numbers: list[int] = table.index.tolist()
        rules = {
            voter: str(rule) for voter, rule in zip(numbers, table["rule"], strict=True) if rule
        }
        keeps = {voter for voter, kept in zip(numbers, table["keeps"], strict=True) if kept}
        for voter, rule in held.items():
            if voter in keeps or voter not in table.index:
                rules.setdefault(voter, rule)
        events: list[NewEvent] = []
        for voter in sorted(rules.keys() | held.keys()):
            events += _events_of(session, track_id, voter, rules.get(voter), held.get(voter))
        return events


def _add_new(session: Session, events: Sequence[NewEvent], now: datetime) -> list[int]:
    """Write events, but for those about votes that somebody decided on meanwhile."""
    last = last_events(session, [event.vote_id for event in events])
    wanted = [
        event
        for event in events
        if not is_decided(last.get(event.vote_id))
        and (event.vote_id not in last or last[event.vote_id].kind is not event.kind)
    ]
    return add_events(session, wanted, now=now)


def _events_of(
    session: Session, track_id: int, voter: int, rule: str | None, held: str | None
) -> list[NewEvent]:
    """The events that hold a voter's votes by a rule, or release those that rules held."""
    numbers = list(session.scalars(_rated(track_id).where(Vote.voter_id == voter)))
    last = last_events(session, numbers)
    if any(is_decided(event) for event in last.values()):
        return []  # a person decided about this voter
    if rule is None:
        if held is None:
            return []
        name = HoldRule(held)
        reason = "With more votes, this no longer holds: they count again."
        return [
            NewEvent(number, HoldKind.RELEASE, name, RULES[name].version, reason, AUTOMATIC)
            for number, event in last.items()
            if event.kind is HoldKind.HOLD and event.author == AUTOMATIC and event.rule in OWN_RULES
        ]
    name = HoldRule(rule)
    text = RULES[name]
    return [
        NewEvent(number, HoldKind.HOLD, name, text.version, text.reason, AUTOMATIC)
        for number in numbers
        if number not in last or last[number].kind is not HoldKind.HOLD
    ]


def _rated(track_id: int) -> Select[int]:
    return (
        select(Vote.id)
        .join(Battle, Battle.id == Vote.battle_id)
        .where(
            Battle.track_id == track_id,
            Vote.choice != Choice.SKIP,
            Vote.picture_only.is_(False),
        )
    )


def _held_by_rules(session: Session, track_id: int) -> dict[int, str]:
    """Voters of a track whose votes rules hold now, with the rule."""
    last = select(func.max(HoldEvent.number)).group_by(HoldEvent.vote_id)
    query = (
        select(Vote.voter_id, HoldEvent.rule)
        .join(Vote, Vote.id == HoldEvent.vote_id)
        .join(Battle, Battle.id == Vote.battle_id)
        .where(
            HoldEvent.number.in_(last),
            HoldEvent.kind == HoldKind.HOLD,
            HoldEvent.author == AUTOMATIC,
            HoldEvent.rule.in_([rule.value for rule in OWN_RULES]),
            Battle.track_id == track_id,
        )
    )
    return {int(voter): rule for voter, rule in session.execute(query)}


def read_votes(session: Session, track_id: int, voters: Sequence[int] | None) -> pd.DataFrame:
    """Return votes by people in a track, as `voter_rules.voter_p_values` takes them.

    Args:
        session: only reads.
        track_id: of the track.
        voters: whose votes; None: everybody's.
    """
    a, b = aliased(Clip), aliased(Clip)
    query = (
        select(
            *(Vote.id, Vote.voter_id, a.entrant_id, b.entrant_id, Vote.choice, Vote.decided_ms),
            *(Battle.clip_a_id, Battle.clip_b_id, Battle.probability),
        )
        .join(Battle, Battle.id == Vote.battle_id)
        .join(Voter, Voter.id == Vote.voter_id)
        .join(a, a.id == Battle.clip_a_id)
        .join(b, b.id == Battle.clip_b_id)
        .where(
            *(Battle.track_id == track_id, Battle.repeat_of.is_(None)),
            *(Vote.choice != Choice.SKIP, Vote.picture_only.is_(False)),
            Voter.kind == VoterKind.PERSON,
        )
        .order_by(Vote.id)
    )
    rows: list[Any] = []
    for part in _parts(query, voters):
        rows += session.execute(part)
    columns = ["vote", "voter", "model_a", "model_b", "winner", "decided_ms"]
    frame = pd.DataFrame(rows, columns=[*columns, "clip_a", "clip_b", "probability"])
    frame["model_a"], frame["model_b"] = frame["model_a"].astype(str), frame["model_b"].astype(str)
    frame["winner"] = [WINNERS[choice] for choice in frame["winner"]]
    return frame


def _parts(query: Any, voters: Sequence[int] | None) -> Iterable[Any]:
    if voters is None:
        return [query]
    return [
        query.where(Vote.voter_id.in_(voters[at : at + CHUNK]))
        for at in range(0, len(voters), CHUNK)
    ]


def read_repeats(session: Session, track_id: int, voters: Sequence[int]) -> Retests:
    """Return how often voters answered deliberate repeats differently."""
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


def effect_of(frame: pd.DataFrame, voters: Sequence[int], names: dict[str, str]) -> list[str]:
    """Return sentences on how ratings and ranks change if these voters' votes are held.

    Args:
        frame: from `read_votes`.
        voters: whose votes are held.
        names: of the entrants, by number.
    """
    import ratings

    if not len(voters):
        return []
    kept = frame[~frame["voter"].isin(voters)]
    try:
        before, after = (
            ratings.bradley_terry(ratings.Battles.from_frame(part), "half").ratings
            for part in (frame, kept)
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
