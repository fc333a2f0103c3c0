"""Decides which battle a voter is shown, and which one is prefetched; draws new ones.

A voter has one open battle per track, and a prefetched one whose clips can load meanwhile. Nothing
is written here: the changes are collected, so that those of many voters are stored together.
"""

import os
import random
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from struct import calcsize, unpack

from sqlalchemy.orm import Session

from arena.catalog.index import CatalogIndex
from arena.catalog.track_index import IndexedPrompt, IndexedTrack, TrackIndex
from arena.errors import TooMany
from arena.models import HONEY, REPEAT, BattleState
from arena.voting.battles import (
    BATTLE_LIFETIME,
    BattleRow,
    VoterTrack,
    has_expired,
    read_live,
    read_repeatable,
    read_set_aside,
    read_shown,
)
from arena.voting.limits import VotingRules
from arena.voting.matchmaking import ClipPair, Pair, draw
from arena.voting.schemas import IssuedBattle, IssuedSource
from arena.voting.snapshots import LastSnapshot

_WORDS = "64Q"  # numbers of 64 bits, as `struct` reads them
TOKEN_BYTES = 16  # 128 bits, so that a battle's token cannot be guessed
REPEAT_SHARE = 0.02  # of the battles of voters who have voted `REPEAT_AFTER` times in the track
REPEAT_AFTER = 10
NOT_REPEATED = 5  # of the last votes: the voter would remember them
# Share of honey pairs of the battles of voters who were shown `HONEY_AFTER` pairs of the track.
# Voters cast three to four votes on average: those all go to models, and nobody meets a damaged
# clip first and takes the arena to be broken. Whoever casts no more is not tested one by one.
HONEY_SHARE = 0.03
HONEY_AFTER = 3


class _SystemRandom(random.SystemRandom):
    """The system's random numbers, asked for many at a time: each question is a system call."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers: list[int] = []

    def _next(self) -> int:
        if not self._numbers:
            self._numbers = list(unpack(_WORDS, os.urandom(calcsize(_WORDS))))
        return self._numbers.pop()

    def random(self) -> float:
        """Return a number from 0 to below 1, with 53 random bits."""
        return (self._next() >> 11) * 2.0**-53

    def getrandbits(self, k: int) -> int:
        """Return an integer with `k` random bits."""
        return self._next() >> (64 - k) if 0 < k <= 64 else super().getrandbits(k)


def system_rng() -> random.Random:
    """Return the random numbers of real battles, which nobody can predict."""
    return _SystemRandom()


@dataclass
class VoterBattles:
    """One voter's battles in one track.

    Attributes:
        voter_id: 0 for a voter who is not stored yet.
        track: its clips.
        live: the open and the prefetched battle.
        shown: the clips of each of the voter's battles in the track.
        changed: new and changed battles, to be stored.
    """

    voter_id: int
    track: TrackIndex
    live: list[BattleRow] = field(default_factory=list)
    shown: set[ClipPair] = field(default_factory=set)
    changed: list[BattleRow] = field(default_factory=list)

    def find(self, state: BattleState) -> BattleRow | None:
        """Return the battle in this state."""
        return next((battle for battle in self.live if battle.state is state), None)

    def change(self, battle: BattleRow, state: BattleState) -> None:
        """Change a battle's state, and note that it has to be stored."""
        battle.state = state
        self.note(battle)

    def note(self, battle: BattleRow) -> None:
        """Note that a battle has to be stored."""
        if not any(battle is noted for noted in self.changed):
            self.changed.append(battle)

    def is_withdrawn(self, battle: BattleRow) -> bool:
        """Whether a battle may be shown no more."""
        return not self.track.shows(battle.clip_a_id, battle.clip_b_id)


def read_voter_battles(
    session: Session,
    index: CatalogIndex,
    voters: Sequence[VoterTrack],
    live: Mapping[int, Sequence[BattleRow]] | None = None,
) -> dict[VoterTrack, VoterBattles]:
    """Read the battles of some voters, each in one track.

    Args:
        session: in a transaction that writes.
        index: has what their open and prefetched battles show.
        voters: and the tracks.
        live: the open and the prefetched battles of each voter, if they are read already.
    """
    if not voters:
        return {}
    voter_ids = sorted({voter_id for voter_id, _ in voters})
    live = read_live(session, voter_ids) if live is None else live
    shown = read_shown(session, voter_ids)
    return {
        key: VoterBattles(
            voter_id=key[0],
            track=index.of(session, key[1]),
            live=[battle for battle in live.get(key[0], ()) if battle.track_id == key[1]],
            shown=shown.get(key, set()),
        )
        for key in voters
    }


@dataclass(frozen=True)
class Issuer:
    """Issues battles at one moment.

    Attributes:
        session: reads the few things that are rarely needed.
        snapshot: the last one of the track.
        now: aware.
        rng: draws pairs and sides.
        refusal: why no new battle may be issued; None if it may.
    """

    session: Session
    snapshot: LastSnapshot
    now: datetime
    rng: random.Random
    refusal: TooMany | None = None

    def open_next(self, voter: VoterBattles, category: str | None) -> BattleRow | None:
        """Return the open battle, else open the prefetched or a new one; prefetch another one.

        Args:
            voter: its battles in the track.
            category: of the battle after the open one; None for all prompts.

        Returns:
            The open battle; None if the voter has seen every pair, or the track is inactive.
        """
        return self._continue(voter, self._usable(voter, BattleState.OPEN), category)

    def open_after(self, voter: VoterBattles, ended: BattleRow) -> BattleRow | None:
        """Return the battle after one that was answered or voided, as `open_next` does."""
        battle = self._usable(voter, BattleState.OPEN)
        return self._continue(voter, battle, (battle or ended).next_category)

    def _usable(self, voter: VoterBattles, state: BattleState) -> BattleRow | None:
        """Return the voter's battle in this state; close it if it cannot be answered any more."""
        battle = voter.find(state)
        if battle is not None and (voter.is_withdrawn(battle) or has_expired(battle, self.now)):
            voter.change(battle, BattleState.EXPIRED)
            return None
        return battle

    def _continue(
        self, voter: VoterBattles, battle: BattleRow | None, category: str | None
    ) -> BattleRow | None:
        if category is not None and not voter.track.may_ask_for(category):
            category = None  # it has become too small since the voter asked for it
        prefetched = self._usable(voter, BattleState.PREFETCHED)
        if prefetched is not None and prefetched.category != category:
            voter.change(prefetched, BattleState.EXPIRED)
            prefetched = self._resume(voter, category)
        if battle is None:
            battle = prefetched or self._create(voter, category)
            if battle is None:
                return None
            prefetched = None
            battle.opened_at = self.now
            battle.expires_at = self.now + BATTLE_LIFETIME
            voter.change(battle, BattleState.OPEN)
        if battle.next_category != category:
            battle.next_category = category
            voter.note(battle)
        if prefetched is None:
            self._create(voter, category)
        return battle

    def _resume(self, voter: VoterBattles, category: str | None) -> BattleRow | None:
        """Prefetch again the battle that a change of category put aside.

        Otherwise a voter could go through all pairs, and choose one, by changing the category.
        """
        if not voter.voter_id:
            return None
        set_aside = read_set_aside(
            self.session,
            voter_id=voter.voter_id,
            track_id=voter.track.track.id,
            category=category,
        )
        battle = next((row for row in set_aside if not voter.is_withdrawn(row)), None)
        if battle is not None:
            voter.live.append(battle)
            voter.change(battle, BattleState.PREFETCHED)
        return battle

    def _create(self, voter: VoterBattles, category: str | None) -> BattleRow | None:
        """Draw a pair, assign its sides at random, and note the battle as prefetched."""
        if self.refusal is not None:
            return None
        track = voter.track
        pair = draw(
            track,
            voter.shown,
            self.rng,
            category=category,
            sampler=track.track.sampler,
            chances=self.snapshot.chances,
        )
        if pair is None:
            return None
        battle = self._honey(voter, category)
        if battle is None and category is None:
            battle = self._repeat(voter)
        if battle is None:
            battle = self._new(voter, pair, category)
            battle.clip_a_id, battle.clip_b_id = self.rng.sample(pair.clips, 2)
        voter.shown.add((battle.clip_a_id, battle.clip_b_id))
        voter.live.append(battle)
        voter.note(battle)
        return battle

    def _honey(self, voter: VoterBattles, category: str | None) -> BattleRow | None:
        """Show, rarely, a clip and its own damaged copy; of the copies, those least shown so far.

        In a category too, or whoever asks for one would not be tested.
        """
        track = voter.track
        if len(voter.shown) < HONEY_AFTER or not track.copies:
            return None
        if self.rng.random() >= HONEY_SHARE:
            return None
        copies = track.copies_of(category)
        if not copies:
            return None
        times = Counter(clip for pair in voter.shown for clip in pair if clip in track.copies)
        fewest = min(times[copy] for copy in copies)
        candidates = [copy for copy in copies if times[copy] == fewest]
        copy = self.rng.choice(candidates)
        left, right = self.rng.sample((track.copies[copy], copy), 2)
        pair = Pair((left, right), track.clips[copy].prompt_id, HONEY, 1 / len(candidates))
        return self._new(voter, pair, category)

    def _repeat(self, voter: VoterBattles) -> BattleRow | None:
        """Show, rarely, an earlier pair with its sides swapped."""
        if len(voter.shown) < REPEAT_AFTER or self.rng.random() >= REPEAT_SHARE:
            return None
        voted = read_repeatable(
            self.session, voter_id=voter.voter_id, track_id=voter.track.track.id
        )
        candidates = [row for row in voted[:-NOT_REPEATED] if voter.track.shows(row[1], row[2])]
        if len(voted) < REPEAT_AFTER or not candidates:
            return None
        battle_id, left, right, prompt_id = self.rng.choice(candidates)
        pair = Pair((right, left), prompt_id, REPEAT, 1 / len(candidates))
        battle = self._new(voter, pair, category=None)
        battle.repeat_of = battle_id
        return battle

    def _new(self, voter: VoterBattles, pair: Pair, category: str | None) -> BattleRow:
        return BattleRow(
            token=secrets.token_urlsafe(TOKEN_BYTES),
            track_id=voter.track.track.id,
            prompt_id=pair.prompt_id,
            voter_id=voter.voter_id,
            clip_a_id=pair.clips[0],
            clip_b_id=pair.clips[1],
            category=category,
            sampler=pair.sampler,
            probability=pair.probability,
            state=BattleState.PREFETCHED,
            issued_at=self.now,
        )


def describe(
    index: CatalogIndex, voter: VoterBattles, battle: BattleRow, rules: VotingRules
) -> IssuedBattle:
    """Return what a stored battle's voter may know about it, with the prefetched one after it."""
    upcoming = None
    if battle.state is BattleState.OPEN:
        upcoming = voter.find(BattleState.PREFETCHED)
    track, prompt = voter.track.track, index.prompts[battle.prompt_id]
    return IssuedBattle(
        id=battle.id,
        token=battle.token,
        track=track.name,
        prompt_id=prompt.id,
        prompt_text=prompt.text,
        categories=prompt.categories,
        source=_source(prompt, track),
        min_watch_ms=track.min_watch_ms if rules.watch_time else 0,
        expires_at=battle.expires_at,
        next=describe(index, voter, upcoming, rules) if upcoming else None,
    )


def _source(prompt: IndexedPrompt, track: IndexedTrack) -> IssuedSource | None:
    if not track.shows_source or prompt.source_media_type is None:
        return None
    return IssuedSource(
        media_type=prompt.source_media_type,
        width=prompt.source_width,
        height=prompt.source_height,
    )
