"""Judges what a vote reports as watched and heard by the server's own clock and what it sent.

Nothing of this refuses a vote: what cannot be true is stored capped, and such a vote is one whose
watch time "could not be checked".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from arena.catalog.track_index import IndexedTrack
from arena.models import BattleFile, Choice
from arena.voting.battles import BattleRow
from arena.voting.fetches import Fetch
from arena.voting.limits import WATCH_TOLERANCE_MS, VotingRules
from arena.voting.schemas import PerSide, VoteForm

# Of a clip's bytes: what must have been sent of a clip that was watched to its end. Not all of
# them, since a player need not load the padding at the end.
FETCHED_SHARE = 0.5
CLIPS = (BattleFile.A, BattleFile.B)


@dataclass(frozen=True)
class WatchedTime:
    """What is stored of a vote's reported times.

    Attributes:
        watched, heard: milliseconds on each side, none above what the server's clock allows.
        checked: whether both clips are known to have been sent and watched; else "could not check".
        picture_only: whether not both sides were heard, in a track with sound.
    """

    watched: PerSide | None
    heard: PerSide | None
    checked: bool
    picture_only: bool


def judge_times(
    battle: BattleRow,
    track: IndexedTrack,
    form: VoteForm,
    *,
    fetches: Mapping[BattleFile, Fetch] | None,
    rules: VotingRules,
    now: datetime,
) -> WatchedTime:
    """Judge the times that a vote reports.

    Args:
        battle: an open battle.
        track: its track.
        form: the vote.
        fetches: what was sent of its clips; None if that is not known.
        rules: for this voter.
        now: when the vote arrived; aware.
    """
    allowed = _allowed_ms(battle, fetches or {}, now=now)
    skipped = form.choice is Choice.SKIP
    return WatchedTime(
        watched=_capped(form.watched_ms, allowed),
        heard=_capped(form.heard_ms, allowed),
        checked=skipped or not rules.watch_time or _is_plausible(track, form, fetches, allowed),
        picture_only=is_picture_only(track, form, rules=rules),
    )


def _elapsed_ms(since: datetime, now: datetime) -> int:
    return max(0, int((now - since).total_seconds() * 1000))


def _allowed_ms(
    battle: BattleRow, fetches: Mapping[BattleFile, Fetch], *, now: datetime
) -> tuple[int, int]:
    """Return how long each side can have been watched: since it opened and was first sent."""
    opened_at = battle.opened_at or now
    times = []
    for file in CLIPS:
        fetch = fetches.get(file)
        times.append(_elapsed_ms(max(opened_at, fetch.first_at) if fetch else opened_at, now))
    return times[0], times[1]


def _capped(reported: PerSide | None, allowed: tuple[int, int]) -> PerSide | None:
    if reported is None or (reported.a <= allowed[0] and reported.b <= allowed[1]):
        return reported
    return PerSide(a=min(reported.a, allowed[0]), b=min(reported.b, allowed[1]))


def _is_plausible(
    track: IndexedTrack,
    form: VoteForm,
    fetches: Mapping[BattleFile, Fetch] | None,
    allowed: tuple[int, int],
) -> bool:
    """Whether both clips were sent, and the watch times cover them and can be true."""
    watched, heard = form.watched_ms, form.heard_ms
    if watched is None:
        return False
    if fetches is not None:
        sent = [fetches[file].bytes for file in CLIPS if file in fetches]
        if len(sent) < len(CLIPS) or min(sent) < FETCHED_SHARE * track.bytes:
            return False
    covered_ms = track.min_watch_ms - WATCH_TOLERANCE_MS
    if min(watched.a, watched.b, *allowed) < covered_ms:
        return False
    limits = [ms + WATCH_TOLERANCE_MS for ms in allowed]
    if watched.a > limits[0] or watched.b > limits[1]:
        return False
    # Only one side sounds at a time.
    return heard is None or (
        heard.a <= limits[0] and heard.b <= limits[1] and heard.a + heard.b <= max(limits)
    )


def is_picture_only(track: IndexedTrack, form: VoteForm, *, rules: VotingRules) -> bool:
    """Whether a vote in a track with sound was cast without hearing both sides long enough.

    Without `heard_ms` it could not be checked, and the vote counts.
    """
    if not track.audio or form.choice is Choice.SKIP:
        return False
    if form.picture_only:
        return True
    # Without a watch time, each side must at least have been heard.
    needed_ms = max(1, track.min_watch_ms - WATCH_TOLERANCE_MS) if rules.watch_time else 1
    return form.heard_ms is not None and min(form.heard_ms.a, form.heard_ms.b) < needed_ms
