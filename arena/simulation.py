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
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from arena.ballots import admit_voter, cast_vote, issue_battle
from arena.catalog import find_track, list_tracks
from arena.database import Database
from arena.errors import NoPair
from arena.forms import VoteForm
from arena.limits import Rules
from arena.matchmaking import is_active
from arena.models import Battle, Choice, Clip, ClipStatus, Track, Vote, VoterKind

QUALITY = "quality"  # the measure that says all in one number
# Of a measure's whole range: single voters often disagree with the measured order, many rarely do.
CHANCE = 0.12
TASTE = 0.08
CLOSE = 0.05  # gives about one tie in ten among clips of like quality
POOR = 0.3  # below it a clip shows little of what was asked
VOTES_AT_ONCE = 200  # votes a transaction: one wait for the disk, and people's votes get their turn
RULES = Rules(limits=(), watch_time=False)


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


def simulate(
    database: Database,
    *,
    votes: int,
    track: str | None,
    voters: int,
    seed: int,
    now: datetime,
    on_vote: Callable[[], None],
) -> int:
    """Cast `votes` simulated votes in one track, or evenly over all that are active.

    Args:
        database: where the battles and votes go, through `ballots` as everyone's.
        votes: how many.
        track: a track's name; None for every active one.
        voters: how many simulated voters take turns.
        seed: of voters, draws and judgements.
        now: when they are cast.
        on_vote: called after each vote.

    Raises:
        NoPair: no active track, clips that were not measured, or all pairs seen by all voters.
        NotFound: no such track.
    """
    judges = [Judge(key=_key(seed, number), seed=seed) for number in range(voters)]
    with database.writing() as session:
        tracks = [find_track(session, track)] if track else _active_tracks(session)
        for each in tracks:
            _refuse_unmeasured(session, each)
        for judge in judges:
            admit_voter(session, judge.key, now=now, kind=VoterKind.SIMULATED)
        there = session.scalar(select(func.count()).select_from(Vote)) or 0
    if not tracks:
        raise NoPair("No track has two entrants with clips of one prompt: run `arena generate`.")
    rng = random.Random(f"{seed}/{there}")  # noqa: S311  (a repeatable simulation)
    for number, each in enumerate(tracks):
        share = votes // len(tracks) + (number < votes % len(tracks))
        _vote_in(
            database, each.name, share, judges=deque(judges), now=now, rng=rng, on_vote=on_vote
        )
    return votes


def _key(seed: int, number: int) -> str:
    """A voter's key: the same again in a second run of this seed, which then goes on."""
    return hashlib.sha256(f"simulated voter {number} of seed {seed}".encode()).hexdigest()[:32]


def _active_tracks(session: Session) -> list[Track]:
    return [track for track in list_tracks(session) if is_active(session, track)]


def _refuse_unmeasured(session: Session, track: Track) -> None:
    """Simulated voters see nothing but measures: without them they would vote at random."""
    clips = session.scalars(
        select(Clip).where(Clip.track_id == track.id, Clip.status == ClipStatus.READY)
    )
    unmeasured = sum(QUALITY not in (clip.measures or {}) for clip in clips)
    if unmeasured:
        raise NoPair(
            f"{unmeasured} clips of the track {track.name} have no measured quality, so simulated "
            "voters cannot judge them: its prompts are not of the built-in model's world."
        )


def _vote_in(
    database: Database,
    track: str,
    votes: int,
    *,
    judges: deque[Judge],
    now: datetime,
    rng: random.Random,
    on_vote: Callable[[], None],
) -> None:
    """Let the voters take turns; who has seen every pair goes home."""
    left = votes
    while left:
        with database.writing() as session:
            for _ in range(min(left, VOTES_AT_ONCE)):
                _take_turn(session, track, judges, now=now, rng=rng)
                left -= 1
                on_vote()


def _take_turn(
    session: Session, track: str, judges: deque[Judge], *, now: datetime, rng: random.Random
) -> None:
    while judges:
        judge = judges[0]
        try:
            issued = issue_battle(
                session, voter_key=judge.key, track_name=track, rules=RULES, now=now, rng=rng
            )
        except NoPair:
            judges.popleft()
            continue
        battle = session.get_one(Battle, issued.id)
        form = VoteForm(choice=judge.choose(battle.clip_a, battle.clip_b), reasons=[])
        cast_vote(
            session,
            voter_key=judge.key,
            token=issued.token,
            form=form,
            rules=RULES,
            now=now,
            rng=rng,
        )
        judges.rotate(-1)
        return
    raise NoPair(
        f"Every simulated voter has seen every pair of the track {track}: "
        "use more of them with --voters, or another --seed."
    )
