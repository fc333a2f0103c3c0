"""Simulated voters, whose votes fill a leaderboard before people vote; always marked as simulated.

A simulated voter perceives each clip of a pair as its measured `quality` (0 to 1) plus noise and
the voter's taste, where `mean m` is the mean over the pair:

    perceived(clip) = quality + noise + sum over the other measures m of taste[m] * (m - mean m)

`taste[m]` is the voter's fixed weight of the measure m relative to other voters, normal with
standard deviation `TASTE_STD`. `noise` is normal with standard deviation `NOISE_STD`, one draw per
clip of a pair. If both clips are perceived below `POOR`, both are bad; if they differ by less than
`CLOSE`, they tie; otherwise the better one wins. Sides have no effect: the noise belongs to the
clips, so the seed, the voter and the pair of clips determine the answer. A clip is preferred to its
own damaged copy with the probability `REJECTS`.
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
from sqlalchemy.orm import Session

from arena.catalog.index import catalog_index
from arena.catalog.tracks import find_track, list_tracks
from arena.database import Database
from arena.errors import BallotError, NoPair, TooMany
from arena.models import (
    HONEY,
    Battle,
    Choice,
    Clip,
    Vote,
    Voter,
    VoterKind,
)
from arena.text import pluralize
from arena.voting.ballots import admit_voter, cast_vote, issue_battle
from arena.voting.limits import VotingRules
from arena.voting.matchmaking import is_active
from arena.voting.schemas import IssuedBattle, VoteForm

QUALITY = "quality"  # the measure that summarises the others
# On the scale of the measures: one voter often deviates from the measured order, 100 rarely do.
NOISE_STD = 0.12
TASTE_STD = 0.1
CLOSE = 0.05  # a difference that a viewer would hardly notice
POOR = 0.3  # below this, a clip shows little of its prompt
REJECTS = 0.95  # damaged copies, as people do who look
KEY_DIGITS = 32  # the length of a person's key
VOTES_PER_TRANSACTION = 200  # few waits for the disk, yet people's votes are not held up
RULES = VotingRules(watch_time=False)

_Queue = deque[tuple["Judge", IssuedBattle | None]]  # voters with their open battles, if known


@dataclass(frozen=True)
class Judge:
    """A simulated voter; the module's docstring describes its model."""

    key: str
    seed: int

    def choose(self, a: Clip, b: Clip) -> Choice:
        """Return the answer to a battle of two measured clips."""
        low, high = sorted((a, b), key=lambda clip: clip.id)
        preference = self._preference(low, high) / 2
        noise = self._random(f"{low.id}/{high.id}")
        perceived = {
            low.id: _quality(low) + preference + noise.gauss(0, NOISE_STD),
            high.id: _quality(high) - preference + noise.gauss(0, NOISE_STD),
        }
        if max(perceived.values()) < POOR:
            return Choice.BAD
        if abs(perceived[a.id] - perceived[b.id]) < CLOSE:
            return Choice.TIE
        return Choice.A if perceived[a.id] > perceived[b.id] else Choice.B

    def check(self, a: Clip, b: Clip) -> Choice:
        """Return the answer to a honey pair: a clip and its damaged copy."""
        rejects = self._random(f"{a.id + b.id}/honey").random() < REJECTS
        return Choice.A if (a.damage is None) == rejects else Choice.B

    def _preference(self, low: Clip, high: Clip) -> float:
        """Return by how much this voter's taste prefers the first clip."""
        first, second = low.measures or {}, high.measures or {}
        shared = sorted(first.keys() & second.keys() - {QUALITY})
        return float(sum(self._taste(name) * (first[name] - second[name]) for name in shared))

    @lru_cache(maxsize=4096)  # noqa: B019  (small, and freed with the run's judges)
    def _taste(self, measure: str) -> float:
        return self._random(measure).gauss(0, TASTE_STD)

    def _random(self, purpose: str) -> random.Random:
        return random.Random(f"{self.seed}/{self.key}/{purpose}")  # noqa: S311


def _quality(clip: Clip) -> float:
    return float((clip.measures or {})[QUALITY])


def simulate(
    database: Database,
    *,
    votes: int,
    track: str | None,
    voters: int = 50,
    seed: int,
    entrants: frozenset[int] | None = None,
    now: datetime,
    on_vote: Callable[[], object],
) -> int:
    """Cast votes of simulated voters.

    The same seed means the same voters: another run continues with the pairs they have not seen.
    Once all of them have seen every pair, more voters join.

    Args:
        database: at the newest revision.
        votes: number of votes; without a track, divided evenly among the active ones.
        track: its name, or None for every active track whose clips are all measured.
        voters: number of voters that take turns.
        seed: determines the voters and the pairs they see.
        entrants: ids of those that the voters judge; they skip battles of others. None: all.
        now: the time of all votes; aware.
        on_vote: called after each vote.

    Returns:
        The number of votes cast, which is `votes`.

    Raises:
        NotFound: no such track.
        NoPair: the track, or every track, lacks two clips to compare.
        BallotError: a clip of the track, or of each track, was not measured; no vote was cast.
    """
    with database.reading() as session:
        clips = _judgeable_clips(session, track, entrants)
    share, rest = divmod(votes, len(clips))
    for index, (name, measured) in enumerate(clips.items()):
        run = _Run(track=name, clips=measured, voters=voters, seed=seed, now=now)
        _cast(database, run, votes=share + (index < rest), on_vote=on_vote)
    return votes


@dataclass(frozen=True)
class _Run:
    """The parameters of casting the votes of one track."""

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


def _judgeable_clips(
    session: Session, track: str | None, entrants: frozenset[int] | None
) -> dict[str, dict[int, Clip]]:
    """Return measured clips by track; without a name, tracks with unmeasured clips are left out."""
    clips: dict[str, dict[int, Clip]] = {}
    refused: BallotError | None = None
    for name in _tracks(session, track):
        try:
            clips[name] = _measured_clips(session, name, entrants)
        except BallotError as error:
            refused = refused or error
    if not clips and refused is not None:
        raise refused
    return clips


def _measured_clips(
    session: Session, track_name: str, entrants: frozenset[int] | None
) -> dict[int, Clip]:
    """Return the clips that may be shown, by id, of these entrants or all; all have measures."""
    track_id = find_track(session, track_name).id
    shown = catalog_index(session, exact=True).of(session, track_id).shown
    query = select(Clip).where(Clip.track_id == track_id).order_by(Clip.id)
    if entrants is not None:
        query = query.where(Clip.entrant_id.in_(entrants))
    clips = {clip.id: clip for clip in session.scalars(query) if clip.id in shown}
    unmeasured = [clip for clip in clips.values() if not _is_measured(clip)]
    if unmeasured:
        raise BallotError(
            f"Simulated voters cannot judge the track {track_name}: the built-in measures do not "
            f"cover {len(unmeasured):,} of its {pluralize(len(clips), 'clip')}, the first of the "
            f"prompt {unmeasured[0].prompt_id}."
        )
    return clips


def _is_measured(clip: Clip) -> bool:
    values = (clip.measures or {}).values()
    return QUALITY in (clip.measures or {}) and all(
        isinstance(value, int | float) and math.isfinite(value) for value in values
    )


def _keys(seed: int) -> Iterator[str]:
    """Generate the keys of a seed's voters, without end; they are the same in every run."""
    for number in count():
        name = f"simulated voter {number} of seed {seed}"
        yield hashlib.sha256(name.encode()).hexdigest()[:KEY_DIGITS]


def _cast(database: Database, run: _Run, *, votes: int, on_vote: Callable[[], object]) -> None:
    """Cast the votes of one track; the voters take turns, with many votes per transaction."""
    keys = _keys(run.seed)
    queue: _Queue = deque((Judge(key, run.seed), None) for key in islice(keys, run.voters))
    done = 0
    while done < votes:
        with database.writing() as session:
            rng = random.Random(f"{run.seed}/{_votes_so_far(session)}")  # noqa: S311
            for _ in range(min(VOTES_PER_TRANSACTION, votes - done)):
                _vote(session, run, queue, keys, rng)
                done += 1
                on_vote()


def _votes_so_far(session: Session) -> int:
    """Return a number that differs between transactions, as a seed for their draws."""
    query = (
        select(func.count(Vote.id))
        .join(Voter, Voter.id == Vote.voter_id)
        .where(Voter.kind == VoterKind.SIMULATED)
    )
    return session.scalar(query) or 0


def _vote(
    session: Session,
    run: _Run,
    queue: _Queue,
    keys: Iterator[str],
    rng: random.Random,
) -> None:
    """Cast one vote of the next voter that has a pair left, and put the voter back in the queue."""
    while True:
        is_new = not queue
        judge, issued = (Judge(next(keys), run.seed), None) if is_new else queue.popleft()
        issued = issued or _first_battle(session, run, judge, rng)
        if is_new and issued is None:
            raise NoPair(f"The track {run.track} has no clips to compare any more.")
        while issued is not None:
            choice = _choice(session, run, judge, issued)
            try:
                cast = cast_vote(
                    session,
                    voter_key=judge.key,
                    token=issued.token,
                    form=VoteForm(choice=choice, reasons=[]),
                    rules=RULES,
                    now=run.now,
                    rng=rng,
                )
            except TooMany:  # skips: another voter goes on
                break
            issued = cast.next
            if choice is not Choice.SKIP:
                if issued is not None:
                    queue.append((judge, issued))
                return


def _first_battle(
    session: Session, run: _Run, judge: Judge, rng: random.Random
) -> IssuedBattle | None:
    """Return the voter's open battle; None if it has seen every pair."""
    admit_voter(session, judge.key, now=run.now, kind=VoterKind.SIMULATED)
    try:
        return issue_battle(
            session, voter_key=judge.key, track_name=run.track, rules=RULES, now=run.now, rng=rng
        )
    except NoPair:
        return None


def _choice(session: Session, run: _Run, judge: Judge, issued: IssuedBattle) -> Choice:
    battle = session.get_one(Battle, issued.id)
    if battle.sampler == HONEY and not run.clips.keys().isdisjoint(
        (battle.clip_a_id, battle.clip_b_id)
    ):
        return judge.check(battle.clip_a, battle.clip_b)
    a, b = run.clips.get(battle.clip_a_id), run.clips.get(battle.clip_b_id)
    # The clips may be of an entrant that is not judged, or no longer shown since an earlier run.
    return judge.choose(a, b) if a and b else Choice.SKIP
