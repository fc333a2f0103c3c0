"""Production statistics: each entrant's measured time, memory, cost and failure rate."""

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean, median
from typing import Any

import numpy as np
from scipy import stats
from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.models import Clip, ClipStatus, Entrant, Track
from arena.standings.computing import CONFIDENCE

FIGURES = ("seconds", "gpu_seconds", "peak_memory_bytes", "cost_usd", "billed_usd")
WAITS = ("order_seconds", "queue_seconds")
# What users of a service wait for changes with its load: only orders of the last days are counted.
RECENT = timedelta(days=14)


@dataclass(frozen=True)
class Figure:
    """An estimate with its 95% interval, if there is one, and the number of clips it is from."""

    value: float
    lower: float | None
    upper: float | None
    clips: int


@dataclass(frozen=True)
class ProductionStats:
    """Statistics of one entrant's clips in a track. Figures are None if no clip reports them.

    Attributes:
        model: its public name.
        clips: number of clips requested: ready, failed or refused at the last attempt.
        failed: number that could not be generated or shown.
        refused: number that the model refused by its content policy.
        failure_rate: share that failed, with Wilson's interval (1927).
        refusal_rate: share that was refused, with Wilson's interval.
        seconds: median generation time per clip, without loading; the interval is that between
            order statistics.
        gpu_seconds: the same for seconds times number of GPUs.
        peak_memory_bytes: maximum over the clips. None under a codename, since the exact number
            is a fingerprint of the model.
        cost_per_minute_usd: mean price per minute of video, as recorded with the clips. None under
            a codename, since a price can identify the creator.
        billed_per_minute_usd: the same by what the services' own answers say was billed.
        order_seconds: of a service, median time from the order to its file, over the clips that
            were made in the last 14 days; the interval is that between order statistics. None under
            a codename, since it says that the model is a service, and which.
        queue_seconds: the same for the part in the service's queue, where its answers say it.
        hardware: on which the clips were generated; empty under a codename.
    """

    model: str
    clips: int
    failed: int
    refused: int
    failure_rate: Figure
    refusal_rate: Figure
    seconds: Figure | None
    gpu_seconds: Figure | None
    peak_memory_bytes: int | None
    cost_per_minute_usd: Figure | None
    billed_per_minute_usd: Figure | None
    order_seconds: Figure | None
    queue_seconds: Figure | None
    hardware: tuple[str, ...]


def production_stats(session: Session, track: Track, *, now: datetime) -> list[ProductionStats]:
    """Return the statistics of each entrant with clips in the track, ordered by name.

    Args:
        session: of the database.
        track: the track.
        now: aware; the end of the days that waiting times are of.
    """
    rows = session.execute(
        select(Clip.entrant_id, Clip.status, Clip.refused, Clip.provenance)
        .where(Clip.track_id == track.id, Clip.damage.is_(None))
        .order_by(Clip.id)
    )
    by_entrant: dict[int, list[Any]] = defaultdict(list)
    for entrant_id, status, refused, provenance in rows:
        values = provenance or {}
        is_recent = _is_recent(values.get("created_at"), now)
        figures = (
            values.get("hardware"),
            *(values.get(name) for name in FIGURES),
            *(values.get(name) if is_recent else None for name in WAITS),
        )
        by_entrant[entrant_id].append((status, refused, *figures))
    entrants = session.scalars(select(Entrant).where(Entrant.id.in_(by_entrant)))
    minutes = track.frames / track.fps / 60
    statistics = [_statistics(entrant, by_entrant[entrant.id], minutes) for entrant in entrants]
    return sorted(statistics, key=lambda each: each.model)


def _statistics(entrant: Entrant, rows: list[Any], minutes: float) -> ProductionStats:
    statuses, refusals, hardware, *columns = zip(*rows, strict=True)
    ready = [status is ClipStatus.READY for status in statuses]
    measured = (_measured(column, ready) for column in columns)
    seconds, gpu_seconds, memory, cost, billed, waits, queues = measured
    refused = refusals.count(True)
    failed = ready.count(False) - refused
    is_named = not entrant.stealth
    return ProductionStats(
        model=entrant.shown_name,
        clips=len(rows),
        failed=failed,
        refused=refused,
        failure_rate=_rate(failed, len(rows)),
        refusal_rate=_rate(refused, len(rows)),
        seconds=_median(seconds),
        gpu_seconds=_median(gpu_seconds),
        peak_memory_bytes=int(max(memory)) if memory and is_named else None,
        cost_per_minute_usd=_mean([each / minutes for each in cost]) if is_named else None,
        billed_per_minute_usd=_mean([each / minutes for each in billed]) if is_named else None,
        order_seconds=_median(waits) if is_named else None,
        queue_seconds=_median(queues) if is_named else None,
        hardware=tuple(sorted(set(filter(None, hardware)))) if is_named else (),
    )


def _is_recent(created_at: Any, now: datetime) -> bool:
    """Whether a clip was made in the last days, by its provenance."""
    try:
        return now - RECENT <= datetime.fromisoformat(created_at)
    except (TypeError, ValueError):
        return False


def _measured(column: tuple[Any, ...], ready: list[bool]) -> list[float]:
    """Return the values that ready clips report, leaving out what is not a finite number."""
    return [
        float(value)
        for value, is_ready in zip(column, ready, strict=True)
        if is_ready and isinstance(value, int | float) and 0 <= value < math.inf
    ]


def _rate(count: int, of: int) -> Figure:
    interval = stats.binomtest(count, of).proportion_ci(CONFIDENCE, method="wilson")
    return Figure(count / of, float(interval.low), float(interval.high), of)


def _median(values: list[float]) -> Figure | None:
    if not values:
        return None
    test = stats.quantile_test(values, q=median(values), p=0.5)
    lower, upper = (
        float(end) if np.isfinite(end) else None for end in test.confidence_interval(CONFIDENCE)
    )
    return Figure(median(values), lower, upper, len(values))


def _mean(values: list[float]) -> Figure | None:
    if not values:
        return None
    mean = fmean(values)
    if min(values) == max(values):  # a list price does not vary
        return Figure(mean, None, None, len(values))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values))
    return Figure(mean, max(0.0, mean - half), mean + half, len(values))
