"""Describes one entrant for its operator: what it is, its clips by track, how they were made."""

from collections import Counter
from statistics import median
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from arena.catalog.withholding import is_withheld
from arena.models import Clip, ClipStatus, Entrant, Prompt, PromptTrack, Track

SHARED = ("pipeline_class", "model", "revision", "weights_sha256", "hardware", "dtype")

FOLDER = "folder"  # the kind of backend whose clips lie in a folder


def has_folder(entrant: Entrant) -> bool:
    """Whether the entrant's clips are files of a folder, made elsewhere."""
    return entrant.backend.get("kind") == FOLDER


def has_clips(session: Session, entrant: Entrant) -> bool:
    """Whether the entrant has a clip with a master, ready or not."""
    query = select(Clip.id).where(Clip.entrant_id == entrant.id, Clip.master_path.is_not(None))
    return session.scalar(query.limit(1)) is not None


def describe_entrant(session: Session, entrant: Entrant, *, identity: bool) -> dict[str, Any]:
    """Return what is known of an entrant, as JSON-compatible values.

    Args:
        session: of the database.
        entrant: the entrant.
        identity: whether to say what a codename hides: name, creator, settings and hardware.
    """
    is_open = identity or not entrant.stealth
    date = entrant.release_date if is_open else None
    return {
        "slug": entrant.slug if is_open else entrant.shown_slug,
        "model": entrant.name if is_open else entrant.shown_name,
        "codename": entrant.codename,
        "creator": entrant.creator if is_open else None,
        "licence": entrant.licence if is_open else None,
        "release_date": date.isoformat() if date else None,
        "price_usd_per_minute": entrant.price_usd_per_minute if is_open else None,
        "commitment": entrant.commitment,
        "state": "retired" if entrant.retired_at is not None else "active",
        "added_at": entrant.created_at.isoformat(timespec="seconds"),
        "backend": entrant.backend if is_open else None,
        "provenance": _provenance(session, entrant) if is_open else None,
        "tracks": [_clips(session, entrant, track) for track in entrant.tracks],
    }


def _clips(session: Session, entrant: Entrant, track: Track) -> dict[str, Any]:
    """Return the numbers of clips in a track; those of retired prompts are left out."""
    query = (
        select(Clip.status, func.count())
        .join(Prompt, Prompt.id == Clip.prompt_id)
        .where(
            *(Clip.entrant_id == entrant.id, Clip.track_id == track.id, Clip.damage.is_(None)),
            Prompt.retired_at.is_(None),
        )
        .group_by(Clip.status)
    )
    counts = Counter(dict(session.execute(query).all()))
    withheld = dict(session.execute(query.where(is_withheld())).all())
    prompts = session.scalar(
        select(func.count())
        .select_from(PromptTrack)
        .join(Prompt, Prompt.id == PromptTrack.prompt_id)
        .where(PromptTrack.track_id == track.id, Prompt.retired_at.is_(None))
    )
    wanted = 0 if track.closed_at else (prompts or 0) * track.seeds
    ready, failed = counts[ClipStatus.READY], counts[ClipStatus.FAILED]
    return {
        "track": track.name,
        "ready": ready,
        "missing": max(0, wanted - ready - failed),
        "failed": failed,
        "withheld": withheld.get(ClipStatus.READY, 0),
    }


def _provenance(session: Session, entrant: Entrant) -> dict[str, Any] | None:
    """Return how the entrant's ready clips were made, summed up; None without clips."""
    query = select(Clip.provenance, Clip.created_at).where(
        *(Clip.entrant_id == entrant.id, Clip.status == ClipStatus.READY),
        Clip.damage.is_(None),
    )
    rows = list(session.execute(query))
    if not rows:
        return None
    known = [provenance or {} for provenance, _ in rows]
    summary: dict[str, Any] = {"clips": len(rows)}
    for key in SHARED:
        values = sorted({str(each[key]) for each in known if each.get(key) is not None})
        # A folder's clips name a file each: say how many rather than list them all.
        summary[key] = f"{len(values)} different" if len(values) > 3 else values
    seconds = [each["seconds"] for each in known if each.get("seconds") is not None]
    costs = [each["cost_usd"] for each in known if each.get("cost_usd") is not None]
    dates = [created_at for _, created_at in rows]
    return {
        **{key: value for key, value in summary.items() if value},
        "median_seconds": round(median(seconds), 3) if seconds else None,
        "cost_usd": round(sum(costs), 4) if costs else None,
        "first_clip_at": min(dates).isoformat(timespec="seconds"),
        "last_clip_at": max(dates).isoformat(timespec="seconds"),
    }
