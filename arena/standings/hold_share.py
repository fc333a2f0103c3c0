"""Whether the share of votes that are held has left its usual range.

The share of a day is the number of votes that became held on it, less those that were released, of
the votes cast on it; both follow from the last snapshots of the days. It is unusual below a fifth
or above five times the median of the last 28 days, if chance does not explain that: a filter that
is broken open or shut is seen on the same day.
"""

from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.models import OVERALL, Snapshot, VoterKind

DAYS = 28
MIN_DAYS = 7  # with votes, before anything is said
LOW, HIGH = 0.2, 5.0  # times the median
MIN_SHARE = 0.01  # with a median of almost nothing, the range ends here
MAX_P = 0.01  # of a share as far off by chance
USUAL, UNUSUAL, UNKNOWN = "usual", "unusual", "too little history"


def share_alarm(
    session: Session, track_id: int, *, votes: int, held: int, now: datetime
) -> dict[str, Any]:
    """Compare today's share of held votes with that of the last 28 days.

    Args:
        session: reads the snapshots of these days.
        track_id: of the track.
        votes: all votes by people so far, counted and held.
        held: of these, the held ones.
        now: aware.

    Returns:
        `status` (`usual`, `unusual` or `too little history`); `share` of today, `median`, `lower`
        and `upper` end of the range, None where unknown; `days` with votes, before today.
    """
    today = now.astimezone(UTC).date()
    totals = _daily_totals(session, track_id, today)
    shares = []
    before = (0, 0)
    for day, counts in totals:
        if counts[0] > before[0] and day >= today - timedelta(days=DAYS):
            shares.append(max(0, counts[1] - before[1]) / (counts[0] - before[0]))
        before = counts
    return compare_share(shares, votes=votes - before[0], held=held - before[1])


def compare_share(shares: list[float], *, votes: int, held: int) -> dict[str, Any]:
    """Compare a day's held votes with the shares of the days before; see `share_alarm`."""
    from scipy.special import bdtr, bdtrc  # loads slowly

    held = max(0, held)
    share = held / votes if votes > 0 else None
    if len(shares) < MIN_DAYS:
        found = {"status": UNKNOWN, "median": None, "lower": None, "upper": None}
        return {**found, "share": share, "days": len(shares)}
    middle = median(shares)
    lower, upper = LOW * middle, max(HIGH * middle, MIN_SHARE)
    status = USUAL
    if share is not None and votes > 0:
        too_low = share < lower and bdtr(held, votes, middle) < MAX_P
        # With a median of almost nothing, the end of the range is what a share is compared with.
        usual = max(middle, MIN_SHARE / HIGH)
        too_high = share > upper and bdtrc(held - 1, votes, usual) < MAX_P
        status = UNUSUAL if too_low or too_high else USUAL
    usual_range = {"status": status, "median": middle, "lower": lower, "upper": upper}
    return {**usual_range, "share": share, "days": len(shares)}


def _daily_totals(
    session: Session, track_id: int, today: date
) -> list[tuple[date, tuple[int, int]]]:
    """Votes and held votes at the end of each day before today that has a snapshot, in order."""
    query = (
        select(Snapshot.published_on, Snapshot.holds)
        .where(
            Snapshot.track_id == track_id,
            Snapshot.category == OVERALL,
            Snapshot.voters == VoterKind.PERSON,
            Snapshot.published_on < today,
            Snapshot.published_on >= today - timedelta(days=DAYS + 1),
            Snapshot.holds.is_not(None),
        )
        .order_by(Snapshot.published_on)
    )
    return [
        (day, (int(holds["votes"]), sum(holds["held"].values())))
        for day, holds in session.execute(query)
    ]
