"""Reads votes into arrays: only those past the watermark, as plain rows of the driver.

A vote is read as three integers, packed by the database, which is several times faster than rows of
objects. Numbers of votes may be committed out of order where several processes write (PostgreSQL
draws a number when a vote is inserted, not when it is committed): a missing number is looked up
again for minutes before it is given up. Events of the ledger of holds are read in their order.
"""

import time
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Executable, Select, case, cast, literal, select
from sqlalchemy.orm import Session, aliased

from arena.holds.status import holding_rule, judge
from arena.models import (
    SAMPLERS,
    Battle,
    Choice,
    Clip,
    HoldEvent,
    Side,
    Vote,
    Voter,
    VoterKind,
    VoteStatus,
)
from arena.standings.vote_arrays import (
    FIRST_LEFT,
    FIRST_RIGHT,
    FIRST_UNKNOWN,
    MIRROR,
    Array,
    VoteArrays,
)
from ratings.votes.columns import Outcome

BATCH = 200_000  # votes in one transaction that reads
# How long a missing number is looked up again, and how long votes after it wait for it, so that a
# snapshot's watermark covers every vote below it.
GIVE_UP_S = 300.0
HOLD_S = 10.0
_MAX_GAPS = 50_000
_IN = 500  # numbers in one query; databases limit parameters
_OUTCOMES = {
    Choice.A: Outcome.A,
    Choice.B: Outcome.B,
    Choice.TIE: Outcome.TIE,
    Choice.BAD: Outcome.BOTH_BAD,
}
_PICTURE_ONLY = 6  # cast without hearing both clips: no rating counts it
_UNRATED = 7  # a skip
_KINDS = {VoterKind.PERSON: 0, VoterKind.SIMULATED: 1}
_BITS_OF_ID = 32
# The packed flags: 3 bits of answer, 2 of the side played first, 1 of "is a repeat".
_FIRST_BIT, _REPEAT_BIT, _FLAG_BITS = 3, 5, 6


class VoteReader:
    """Appends the votes past the watermark to arrays.

    Args:
        arrays: what was read so far.
        hold_s: how long votes wait for a smaller number that is missing, in seconds.
    """

    def __init__(self, arrays: VoteArrays, *, hold_s: float = 0.0) -> None:
        self.arrays, self.hold_s = arrays, hold_s
        self._clip_entrant = np.zeros(0, np.int16)
        self._clip_track = np.zeros(0, np.int32)
        self._clip_prompt = np.zeros(0, np.int32)
        self._voter_kind = np.zeros(0, np.int8)
        self._entrant_code = {number: code for code, number in enumerate(arrays.entrants)}
        self._prompt_code = {key: code for code, key in enumerate(arrays.prompts)}
        self._missing_since: dict[int, float] = {}

    def read(self, session: Session) -> bool:
        """Read one batch of new votes.

        Returns:
            Whether there may be more.
        """
        now = time.monotonic()
        rows = _fetch(session, _packed().where(Vote.id > self.arrays.watermark).limit(BATCH))
        full = len(rows) == BATCH
        settled = self._settled(rows[:, 0], now)
        self._append(session, rows[:settled])
        if settled:
            self.arrays.watermark = int(rows[settled - 1, 0])
        self._read_gaps(session, now)
        self._read_holds(session)
        return full and settled == len(rows)

    def read_all(self, session: Session) -> None:
        """Read all new votes that the session sees."""
        while self.read(session):
            pass

    def _settled(self, ids: Array, now: float) -> int:
        """How many of these new votes have no smaller number that may still be committed."""
        before = np.concatenate([[self.arrays.watermark], ids[:-1]]) if len(ids) else ids
        settled, missing = len(ids), self._missing_since
        for position in np.flatnonzero(ids - before > 1):
            first, last = int(before[position]) + 1, int(ids[position])
            numbers = range(max(first, last - _MAX_GAPS), last)
            if first == 1 and self.arrays.watermark == 0:
                continue  # numbers that an older version did not use
            waits = [now - missing.setdefault(number, now) < self.hold_s for number in numbers]
            if any(waits):
                settled = int(position)
                break
            for number in numbers:
                missing.pop(number, None)
                self.arrays.gaps[number] = now + GIVE_UP_S
        for number in list(self.arrays.gaps)[:-_MAX_GAPS]:
            del self.arrays.gaps[number]
        return settled

    def _read_gaps(self, session: Session, now: float) -> None:
        """Look the missing numbers up again."""
        gaps = self.arrays.gaps
        for number in [number for number, until in gaps.items() if until < now]:
            del gaps[number]
        for part in _parts(list(gaps)):
            rows = _fetch(session, _packed().where(Vote.id.in_(part)))
            self._append(session, rows)
            for number in rows[:, 0]:
                del gaps[int(number)]

    def _append(self, session: Session, rows: Array) -> None:
        """Decode packed rows, and append them to the pools of their tracks and voters.

        Honey pairs, whose two clips are of one entrant, are left out.
        """
        flags = rows[:, 2] & (1 << _FLAG_BITS) - 1
        outcome = flags & 7
        rated = outcome < _PICTURE_ONLY
        if not rated.all():
            self._count_picture_only(session, rows[outcome == _PICTURE_ONLY])
        if not rated.all():
            rows, flags, outcome = rows[rated], flags[rated], outcome[rated]
        if not len(rows):
            return
        clip_a, clip_b = rows[:, 1] >> _BITS_OF_ID, rows[:, 1] & (1 << _BITS_OF_ID) - 1
        self._know_clips(session, clip_a, clip_b)
        is_pair = self._clip_entrant[clip_a] != self._clip_entrant[clip_b]
        if not is_pair.all():
            rows, flags, outcome = rows[is_pair], flags[is_pair], outcome[is_pair]
            clip_a, clip_b = clip_a[is_pair], clip_b[is_pair]
        if not len(rows):
            return
        voter = rows[:, 2] >> _FLAG_BITS
        self._know_voters(session, voter)
        first = flags >> _FIRST_BIT & 3
        repeat = (flags >> _REPEAT_BIT & 1).astype(bool)
        track, kind = self._clip_track[clip_a], self._voter_kind[voter]
        values = {
            "left": self._clip_entrant[clip_a],
            "right": self._clip_entrant[clip_b],
            "outcome": outcome,
            "first": first,
            "voter": voter,
            "prompt": self._clip_prompt[clip_a],
            "vote": rows[:, 0],
            "held": self._pending(rows[:, 0]),
        }
        pool_of_row = track.astype(np.int64) * len(_KINDS) + kind
        for key in np.flatnonzero(np.bincount(pool_of_row)):  # sorting them would take longer
            track_id, kind_code = divmod(int(key), len(_KINDS))
            pool = self.arrays.pool(track_id, list(_KINDS)[kind_code])
            inside = (pool_of_row == key) & ~repeat
            chosen: Any = slice(None) if inside.all() else inside
            pool.votes.append(**{name: value[chosen] for name, value in values.items()})
        if repeat.any():
            self._append_repeats(session, rows[repeat, 0], pool_of_row[repeat])

    def _count_picture_only(self, session: Session, rows: Array) -> None:
        """Count the votes that were cast without hearing both clips."""
        if not len(rows):
            return
        clip, voter = rows[:, 1] >> _BITS_OF_ID, rows[:, 2] >> _FLAG_BITS
        other = rows[:, 1] & (1 << _BITS_OF_ID) - 1
        self._know_clips(session, clip, other)
        is_pair = self._clip_entrant[clip] != self._clip_entrant[other]
        clip, voter = clip[is_pair], voter[is_pair]
        if not len(clip):
            return
        self._know_voters(session, voter)
        tracks, kinds = self._clip_track[clip], self._voter_kind[voter]
        for track, kind, prompt in zip(
            tracks.tolist(), kinds.tolist(), self._clip_prompt[clip].tolist(), strict=True
        ):
            self.arrays.pool(track, list(_KINDS)[kind]).picture_only[prompt] += 1

    def _pending(self, numbers: Array) -> Array:
        """What holds new votes, about which events were read before."""
        held = np.zeros(len(numbers), np.int8)
        for number in [*self.arrays.pending] if self.arrays.pending else ():
            place = np.flatnonzero(numbers == number)
            if len(place):
                held[place] = self.arrays.rule_code(self.arrays.pending.pop(number))
        return held

    def _read_holds(self, session: Session) -> None:
        """Read the events that are new, and mark the votes that they are about."""
        arrays = self.arrays
        query = select(HoldEvent.number, HoldEvent.vote_id, HoldEvent.kind, HoldEvent.rule).where(
            HoldEvent.number > arrays.events
        )
        rows = _rows(session, query.order_by(HoldEvent.number))
        if not rows:
            return
        rules = {int(vote): holding_rule(kind, rule) for _, vote, kind, rule in rows}
        numbers = np.array(sorted(rules), dtype=np.int64)
        codes = np.array(
            [
                0 if (rule := rules[vote]) is None else arrays.rule_code(rule)
                for vote in sorted(rules)
            ]
        )
        for pool in arrays.pools.values():
            found = pool.find(numbers)
            pool.mark(found, codes[np.searchsorted(numbers, pool.votes["vote"][found])])
        for vote, rule in rules.items():
            if vote > arrays.watermark or vote in arrays.gaps:
                arrays.pending.pop(vote, None)
                if rule is not None:
                    arrays.pending[vote] = rule
        arrays.events = int(rows[-1][0])

    def _append_repeats(self, session: Session, ids: Array, pool_of_row: Array) -> None:
        """Append deliberate repeats with the answers that they repeat."""
        pool_of = dict(zip(ids.tolist(), pool_of_row.tolist(), strict=True))
        earlier, earlier_battle = aliased(Vote), aliased(Battle)
        query = (
            select(
                *(Vote.id, Vote.choice, earlier.choice, Vote.voter_id),
                *(Battle.clip_a_id, Battle.clip_b_id),
                *(earlier_battle.clip_a_id, earlier_battle.clip_b_id),
            )
            .join(Battle, Battle.id == Vote.battle_id)
            .join(earlier_battle, earlier_battle.id == Battle.repeat_of)
            .join(earlier, earlier.battle_id == earlier_battle.id)
            .where(
                earlier.choice != Choice.SKIP,
                earlier.picture_only.is_(False),
                earlier.voter_id == Vote.voter_id,
            )
        )
        for part in _parts(list(pool_of)):
            for row in session.execute(query.where(Vote.id.in_(part))):
                number, again, answer, voter, *clips = row
                sides, earlier_sides = clips[:2], clips[2:]
                if sorted(sides) != sorted(earlier_sides):
                    continue
                code = _OUTCOMES[again]
                track_id, kind = divmod(pool_of[number], len(_KINDS))
                self.arrays.pool(track_id, list(_KINDS)[kind]).repeats.append(
                    answer=np.array([_OUTCOMES[answer]]),
                    again=np.array([code if sides == earlier_sides else MIRROR[code]]),
                    voter=np.array([voter]),
                    prompt=self._clip_prompt[[sides[0]]],
                )

    def _know_clips(self, session: Session, *numbers: Array) -> None:
        """Read entrant, track and prompt of clips that are not known yet."""
        columns = (Clip.id, Clip.entrant_id, Clip.track_id, Clip.prompt_id)
        known = len(self._clip_entrant)
        if max(int(each.max()) for each in numbers) >= known:
            rows = _rows(session, select(*columns).where(Clip.id >= known).order_by(Clip.id))
            self._add_clips(rows)
        unknown = _unknown(self._clip_entrant, *numbers)
        for part in _parts(unknown):  # a clip with a smaller number, which was committed later
            self._add_clips(_rows(session, select(*columns).where(Clip.id.in_(part))))

    def _add_clips(self, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        size = max(max(row[0] for row in rows) + 1, len(self._clip_entrant))
        self._clip_entrant = _grown(self._clip_entrant, size)
        self._clip_track = _grown(self._clip_track, size)
        self._clip_prompt = _grown(self._clip_prompt, size)
        for number, entrant, track, prompt in rows:
            self._clip_entrant[number] = _code(self._entrant_code, self.arrays.entrants, entrant)
            self._clip_track[number] = track
            self._clip_prompt[number] = _code(self._prompt_code, self.arrays.prompts, prompt)

    def _know_voters(self, session: Session, numbers: Array) -> None:
        """Read the kind of voters that are not known yet."""
        kinds = case({kind.value: code for kind, code in _KINDS.items()}, value=Voter.kind)
        known = len(self._voter_kind)
        if int(numbers.max()) >= known:
            self._add_voters(_rows(session, select(Voter.id, kinds).where(Voter.id >= known)))
        unknown = _unknown(self._voter_kind, numbers)
        for part in _parts(unknown):
            self._add_voters(_rows(session, select(Voter.id, kinds).where(Voter.id.in_(part))))

    def _add_voters(self, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        pairs = np.fromiter(chain.from_iterable(rows), np.int64, 2 * len(rows)).reshape(-1, 2)
        self._voter_kind = _grown(
            self._voter_kind, max(int(pairs[:, 0].max()) + 1, len(self._voter_kind))
        )
        self._voter_kind[pairs[:, 0]] = pairs[:, 1]


def _packed() -> Select[int, int, int]:
    """Select votes in order: id, both clips, and voter, answer, first side and "is a repeat"."""
    heard, unheard = (
        case(
            {each.value: _code_of(each, picture_only=only) for each in Choice},
            value=Vote.choice,
            else_=_UNRATED,
        )
        for only in (False, True)
    )
    first = case(
        {Side.A.value: FIRST_LEFT, Side.B.value: FIRST_RIGHT},
        value=Vote.first,
        else_=FIRST_UNKNOWN,
    )
    repeat = case((Battle.repeat_of.is_(None), 0), else_=1)
    rated = case((Vote.picture_only, unheard), else_=heard)
    return (
        select(
            Vote.id,
            cast(Battle.clip_a_id, BigInteger) * literal(1 << _BITS_OF_ID, BigInteger)
            + Battle.clip_b_id,
            cast(Battle.voter_id, BigInteger) * (1 << _FLAG_BITS)
            + repeat * (1 << _REPEAT_BIT)
            + first * (1 << _FIRST_BIT)
            + rated,
        )
        .select_from(Vote)
        .join(Battle, Battle.id == Vote.battle_id)
        .order_by(Vote.id)
    )


def _code_of(choice: Choice, *, picture_only: bool) -> int:
    """What stands for an answer, before the ledger of holds is read.

    That of a pair of two models: `_append` leaves out honey pairs by their clips.
    """
    match judge(choice, picture_only=picture_only, sampler=SAMPLERS[0]).status:
        case VoteStatus.COUNTED:
            return int(_OUTCOMES[choice])
        case VoteStatus.HELD:
            return _PICTURE_ONLY
        case VoteStatus.SKIPPED:
            return _UNRATED


def _rows(session: Session, query: Executable) -> list[tuple[Any, ...]]:
    """All rows of a query, as the driver returns them: its types need no conversion."""
    result = session.connection().execute(query)
    cursor = result.cursor
    rows: list[tuple[Any, ...]] = [] if cursor is None else list(cursor.fetchall())
    result.close()
    return rows


def _fetch(session: Session, query: Executable) -> Array:
    """Rows of three integers, shape (rows, 3)."""
    rows = _rows(session, query)
    flat = np.fromiter(chain.from_iterable(rows), np.int64, 3 * len(rows))
    return flat.reshape(-1, 3)


def _parts(numbers: list[int]) -> Iterable[list[int]]:
    return (numbers[start : start + _IN] for start in range(0, len(numbers), _IN))


def _unknown(values: Array, *numbers: Array) -> list[int]:
    """The numbers whose value is not known: below 0. They are few, and sorting all takes long."""
    unknown = [each[values[each] < 0] for each in numbers]
    found: list[int] = np.unique(np.concatenate(unknown)).tolist()
    return found


def _grown(array: Array, size: int) -> Array:
    """The array with -1 for what is not known yet."""
    larger = np.full(size, -1, array.dtype)
    larger[: len(array)] = array
    return larger


def _code(codes: dict[Any, int], values: list[Any], value: Any) -> int:
    """The code of a value; a new one gets the next code."""
    code = codes.get(value)
    if code is None:
        code = codes[value] = len(values)
        values.append(value)
    return code
