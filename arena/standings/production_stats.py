"""What clips took: measured time, memory and cost of each entrant, and how often it failed."""

import math
from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import numpy as np
from scipy import stats
from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.models import Clip, ClipStatus, Entrant, Track
from arena.standings.standings import CONFIDENCE

READ = ("seconds", "gpu_seconds", "peak_memory_bytes", "cost_usd")


@dataclass(frozen=True)
class Figure:
    """A number, its 95% interval where one can be given, and how many clips it is from."""

    value: float
    lower: float | None
    upper: float | None
    clips: int


@dataclass(frozen=True)
class ProductionStats:
    """What one entrant's clips of a track took. Figures are None where no clip tells.

    Attributes:
        clips: asked for and made, or failed or refused at the last try.
        failed: how many of them could not be made, or not be shown.
        refused: how many of them the model would not make, by its rules of content.
        failure_rate: share that failed; Wilson's interval (1927).
        refusal_rate: share that was refused, likewise.
        seconds: median time that the model took for a clip, without loading; its interval is that
            between order statistics.
        gpu_seconds: the same of seconds times GPUs.
        peak_memory_bytes: the most that any clip took. None under a codename: to the byte it is
            the model's fingerprint.
        cost_per_minute_usd: mean price of a minute of what was made, as clips recorded it. None
            under a codename, where a price tells the maker.
        hardware: what clips were made on; empty under a codename.
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
    hardware: tuple[str, ...]


def production_stats(session: Session, track: Track) -> list[ProductionStats]:
    """One record for each entrant with clips in the track, in the order of their names."""
    rows = session.execute(
        select(Clip.entrant_id, Clip.status, Clip.refused, Clip.provenance)
        .where(Clip.track_id == track.id)
        .order_by(Clip.id)
    )
    by_entrant: dict[int, list[Any]] = defaultdict(list)
    for entrant_id, status, refused, provenance in rows:
        told = provenance or {}
        figures = (told.get("hardware"), *(told.get(name) for name in READ))
        by_entrant[entrant_id].append((status, refused, *figures))
    entrants = session.scalars(select(Entrant).where(Entrant.id.in_(by_entrant)))
    minutes = track.frames / track.fps / 60
    records = [_record(entrant, by_entrant[entrant.id], minutes) for entrant in entrants]
    return sorted(records, key=lambda record: record.model)


def _record(entrant: Entrant, rows: list[Any], minutes: float) -> ProductionStats:
    statuses, refusals, hardware, *columns = zip(*rows, strict=True)
    ready = [status is ClipStatus.READY for status in statuses]
    seconds, gpu_seconds, memory, cost = (_told(column, ready) for column in columns)
    refused = refusals.count(True)
    failed = ready.count(False) - refused
    open_name = not entrant.stealth
    return ProductionStats(
        model=entrant.shown_name,
        clips=len(rows),
        failed=failed,
        refused=refused,
        failure_rate=_rate(failed, len(rows)),
        refusal_rate=_rate(refused, len(rows)),
        seconds=_median(seconds),
        gpu_seconds=_median(gpu_seconds),
        peak_memory_bytes=int(max(memory)) if memory and open_name else None,
        cost_per_minute_usd=_mean([each / minutes for each in cost]) if open_name else None,
        hardware=tuple(sorted(set(filter(None, hardware)))) if open_name else (),
    )


def _told(column: tuple[Any, ...], ready: list[bool]) -> list[float]:
    """What clips that are there say of one figure; what is no measured number is not counted."""
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
    if min(values) == max(values):  # a list price has no spread
        return Figure(mean, None, None, len(values))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values))
    return Figure(mean, max(0.0, mean - half), mean + half, len(values))
