"""Retires entrants and prompts, and restores them; each call runs in the caller's transaction."""

from datetime import datetime

from sqlalchemy.orm import Session

from arena.catalog.registration import note_deviations
from arena.models import Entrant, Prompt


def retire(session: Session, item: Entrant | Prompt, *, now: datetime) -> bool:
    """Stop generating clips and drawing battles for it; its clips and votes stay and count.

    Returns:
        Whether it was active until now.
    """
    active = item.retired_at is None
    if active:
        item.retired_at = now
        session.flush()
        note_deviations(session, now=now)
    return active


def restore(session: Session, item: Entrant | Prompt, *, now: datetime | None = None) -> bool:
    """Undo `retire`: generate its clips and draw battles for it again.

    Without a time, the next seal notes what that changes of a registered track.

    Returns:
        Whether it was retired until now.
    """
    was_retired = item.retired_at is not None
    if was_retired:
        item.retired_at = None
        session.flush()
        if now is not None:
            note_deviations(session, now=now)
    return was_retired
