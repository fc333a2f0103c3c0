"""Simulated voters: votes that fill a leaderboard before people come. Always marked as such.

How one of them judges two clips. Each clip looks to the voter as good as its measured `quality`
(0 to 1), plus the voter's taste, plus chance:

    seen(clip) = quality + sum of taste[m] * (m - the pair's mean m) over other measures + chance

`taste` is the voter's own and stays: how much more or less than others it minds each measured
part, normal with standard deviation `TASTE`. `chance` is normal with standard deviation `CHANCE`,
one draw for each clip of a pair. Two clips seen below `POOR` are both bad; two seen closer than
`CLOSE` are a tie; else the better one wins. Sides play no part: the draws belong to the clips, so
one seed, voter and pair of clips give one answer, whichever way round.
"""

import hashlib
import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import count, islice

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from arena.catalog.catalog import find_track, list_tracks
from arena.database import Database
from arena.errors import BallotError, NoPair
from arena.models import (
    Battle,
    Choice,
    Clip,
    ClipStatus,
    Entrant,
    Prompt,
    Track,
    Vote,
    Voter,
    VoterKind,
)
from arena.voting.ballots import admit_voter, cast_vote, issue_battle
from arena.voting.limits import Rules
from arena.voting.matchmaking import is_active
from arena.voting.schemas import IssuedBattle, VoteForm

QUALITY = "quality"  # the measure that says all in one number
# In parts of a measure's range: one voter often parts from the measured order, a hundred rarely.
CHANCE = 0.12
TASTE = 0.1
CLOSE = 0.05  # a difference that a viewer would not swear to
POOR = 0.3  # below it, a clip shows little of what was asked
KEY_DIGITS = 32  # as long as a person's key
VOTES_AT_ONCE = 200  # a transaction: few waits for the disk, and people's votes get their turn
RULES = Rules(watch_time=False)

_Turns = deque[tuple["Judge", IssuedBattle | None]]  # each voter with its open battle, if known


@dataclass(frozen=True)
class Judge:
    """A simulated voter's judgement; see the module for the model."""

    key: str
    seed: int

    def choose(self, a: Clip, b: Clip) -> Choice:
        """The answer to a battle of two measured clips."""
        low, high = sorted((a, b), key=lambda clip: clip.id)
        liking = self._liking(low, high) / 2
        chance = self._random(f"{low.id}/{high.id}")
        seen = {
            low.id: _quality(low) + liking + chance.gauss(0, CHANCE),
            high.id: _quality(high) - liking + chance.gauss(0, CHANCE),
        }
        if max(seen.values()) < POOR:
            return Choice.BAD
        if abs(seen[a.id] - seen[b.id]) < CLOSE:
            return Choice.TIE
        return Choice.A if seen[a.id] > seen[b.id] else Choice.B

    def _liking(self, low: Clip, high: Clip) -> float:
        """By how much this voter's taste puts one clip before the other."""
        mine, theirs = low.measures or {}, high.measures or {}
        shared = sorted(mine.keys() & theirs.keys() - {QUALITY})
        return float(sum(self._taste(name) * (mine[name] - theirs[name]) for name in shared))

    @lru_cache(maxsize=4096)  # noqa: B019  (small, and gone with the run's judges)
    def _taste(self, measure: str) -> float:
        return self._random(measure).gauss(0, TASTE)

    def _random(self, what: str) -> random.Random:
        return random.Random(f"{self.seed}/{self.key}/{what}")  # noqa: S311


def _quality(clip: Clip) -> float:
    return float((clip.measures or {})[QUALITY])


def simulate(
    database: Database,
    *,
    votes: int,
    track: str | None,
    voters: int = 50,
    seed: int,
    now: datetime,
    on_vote: Callable[[], object],
) -> int:
    """Cast votes of simulated voters; returns how many, which is `votes`.

    The same seed means the same voters: another run goes on with what they have not seen. When all
    of them have seen every pair, more join.

    Args:
        database: at this code's head.
        votes: how many; with no track named, spread evenly over the active ones.
        track: its name, or None for every active track whose clips can all be judged.
        voters: how many take turns.
        seed: of the voters and of what they are shown.
        now: when all of it happens; aware.
        on_vote: called after each vote.

    Raises:
        NotFound: no such track.
        NoPair: the track has no two clips to compare, or no track has.
        BallotError: a clip of the track, or of each track, was not measured; then nothing was cast.
    """
    with database.reading() as session:
        clips = _judgeable_clips(session, track)
    share, rest = divmod(votes, len(clips))
    for place, (name, measured) in enumerate(clips.items()):
        run = _Run(track=name, clips=measured, voters=voters, seed=seed, now=now)
        _cast(database, run, votes=share + (place < rest), on_vote=on_vote)
    return votes


@dataclass(frozen=True)
class _Run:
    """What stays the same while the votes of one track are cast."""

    track: str
    clips: dict[int, Clip]
    voters: int
    seed: int
    now: datetime


def _tracks(session: Session, name: str | None) -> list[str]:
    if name is None:
        active = [track.name for track in list_tracks(session) if is_active(session, track)]
        if not active:
            raise NoPair("No track has two clips to compare yet: run `arena generate` first.")
        return active
    if not is_active(session, find_track(session, name)):
        raise NoPair(
            f"The track {name} has no two clips to compare, or is closed: "
            "run `arena generate` first, or name another track."
        )
    return [name]


def _judgeable_clips(session: Session, track: str | None) -> dict[str, dict[int, Clip]]:
    """Measured clips by track; of several tracks those are left out that cannot be judged."""
    clips: dict[str, dict[int, Clip]] = {}
    refused: BallotError | None = None
    for name in _tracks(session, track):
        try:
            clips[name] = _measured_clips(session, name)
        except BallotError as error:
            refused = refused or error
    if not clips and refused is not None:
        raise refused
    return clips


def _measured_clips(session: Session, track_name: str) -> dict[int, Clip]:
    """The clips that may be shown, by id, each with its measures."""
    query = (
        select(Clip)
        .join(Track, Track.id == Clip.track_id)
        .join(Entrant, Entrant.id == Clip.entrant_id)
        .join(Prompt, Prompt.id == Clip.prompt_id)
        .where(
            Track.name == track_name,
            Clip.status == ClipStatus.READY,
            Entrant.retired_at.is_(None),
            Prompt.retired_at.is_(None),
        )
    )
    clips = {clip.id: clip for clip in session.scalars(query)}
    unmeasured = [clip for clip in clips.values() if not _is_measured(clip)]
    if unmeasured:
        raise BallotError(
            f"Simulated voters cannot judge the track {track_name}: {len(unmeasured)} of its "
            f"{len(clips)} clips have no measured quality (the first is of the prompt "
            f"{unmeasured[0].prompt_id}); they judge only what the built-in measures cover."
        )
    return clips


def _is_measured(clip: Clip) -> bool:
    values = (clip.measures or {}).values()
    return QUALITY in (clip.measures or {}) and all(
        isinstance(value, int | float) and math.isfinite(value) for value in values
    )


def _keys(seed: int) -> Iterator[str]:
    """The keys of a seed's voters, without end: the same in every run."""
    for number in count():
        named = f"simulated voter {number} of seed {seed}"
        yield hashlib.sha256(named.encode()).hexdigest()[:KEY_DIGITS]


def _cast(database: Database, run: _Run, *, votes: int, on_vote: Callable[[], object]) -> None:
    """Cast the votes of one track, voter by voter in turn, many a transaction."""
    keys = _keys(run.seed)
    waiting: _Turns = deque((Judge(key, run.seed), None) for key in islice(keys, run.voters))
    done = 0
    while done < votes:
        with database.writing() as session:
            rng = random.Random(f"{run.seed}/{_votes_so_far(session)}")  # noqa: S311
            held = _load_all(session, run)
            for _ in range(min(VOTES_AT_ONCE, votes - done)):
                _vote(session, run, waiting, keys, rng)
                done += 1
                on_vote()
            del held  # not before: the session itself forgets what nobody holds


def _load_all(session: Session, run: _Run) -> list[object]:
    """What every battle of a transaction refers to, so that it is not loaded battle by battle."""
    clips = session.scalars(
        select(Clip)
        .where(Clip.id.in_(run.clips))
        .options(
            joinedload(Clip.entrant),
            joinedload(Clip.track),
            joinedload(Clip.prompt).selectinload(Prompt.category_rows),
        )
    )
    voters = session.scalars(select(Voter).where(Voter.kind == VoterKind.SIMULATED))
    return [*clips, *voters]


def _votes_so_far(session: Session) -> int:
    """A number that no two transactions of one database share, for what they draw."""
    query = (
        select(func.count(Vote.id))
        .join(Voter, Voter.id == Vote.voter_id)
        .where(Voter.kind == VoterKind.SIMULATED)
    )
    return session.scalar(query) or 0


def _vote(
    session: Session,
    run: _Run,
    waiting: _Turns,
    keys: Iterator[str],
    rng: random.Random,
) -> None:
    """One vote of the next voter that has a pair left; its next battle waits for its turn."""
    while True:
        joins = not waiting
        judge, issued = (Judge(next(keys), run.seed), None) if joins else waiting.popleft()
        issued = issued or _first_battle(session, run, judge, rng)
        if joins and issued is None:
            raise NoPair(f"The track {run.track} has nothing to compare any more.")
        while issued is not None:
            choice = _choice(session, run, judge, issued)
            cast = cast_vote(
                session,
                voter_key=judge.key,
                token=issued.token,
                form=VoteForm(choice=choice, reasons=[]),
                rules=RULES,
                now=run.now,
                rng=rng,
            )
            issued = cast.next
            if choice is not Choice.SKIP:
                if issued is not None:
                    waiting.append((judge, issued))
                return


def _first_battle(
    session: Session, run: _Run, judge: Judge, rng: random.Random
) -> IssuedBattle | None:
    """The voter's open battle; None where it has seen every pair."""
    admit_voter(session, judge.key, now=run.now, kind=VoterKind.SIMULATED)
    try:
        return issue_battle(
            session, voter_key=judge.key, track_name=run.track, rules=RULES, now=run.now, rng=rng
        )
    except NoPair:
        return None


def _choice(session: Session, run: _Run, judge: Judge, issued: IssuedBattle) -> Choice:
    battle = session.get_one(Battle, issued.id)
    a, b = run.clips.get(battle.clip_a_id), run.clips.get(battle.clip_b_id)
    # A battle that an earlier run left open may be of clips that are no longer shown.
    return judge.choose(a, b) if a and b else Choice.SKIP
