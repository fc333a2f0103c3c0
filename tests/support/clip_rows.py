"""Rows of clips without files, in place of generating clips."""

from datetime import datetime

from arena.models import Clip, ClipStatus
from arena.production import PendingClip


def ready_row(item: PendingClip, number: int, *, quality: float, created_at: datetime) -> Clip:
    """The row of a pending clip as if it had been generated, with a measured quality."""
    return Clip(
        entrant_id=item.entrant_id,
        track_id=item.track_id,
        prompt_id=item.prompt_id,
        seed=item.seed,
        status=ClipStatus.READY,
        rendition_path=f"renditions/{number}",
        sha256=f"{number:064}",
        measures={"quality": quality},
        created_at=created_at,
    )
