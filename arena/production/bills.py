"""What missing clips will cost at paid services, before anything is ordered."""

from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.models import Clip, ClipStatus
from arena.production.orders import ClipKey, unfinished_orders
from arena.production.pending import PendingClip
from generator.backends import Backend, Estimate, estimate_clip, find_backend
from generator.errors import GeneratorError


@dataclass(frozen=True)
class BillLine:
    """The clips of one entrant in one track.

    Attributes:
        entrant: its public name.
        track: the track's name.
        clips: how many are ordered.
        continued: how many were ordered by an earlier run, and are only fetched.
        price_usd: their list price together; None if it is not known.
        seconds: how long they will take, from the times measured so far; None without one.
        adapted: what is asked for other than the track says.
        dropped: settings that the service does not take.
        problems: why clips cannot be ordered, each reason once.
    """

    entrant: str
    track: str
    clips: int
    continued: int
    price_usd: float | None
    seconds: float | None
    adapted: tuple[str, ...]
    dropped: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Bill:
    """What a run will cost.

    Attributes:
        lines: by entrant and track, without entrants that cost nothing.
        prices: list price of each clip that costs something or may, by its position; None if it is
            not known.
    """

    lines: tuple[BillLine, ...]
    prices: dict[int, float | None]

    @property
    def total_usd(self) -> float:
        """The sum of the prices that are known."""
        return sum(price for price in self.prices.values() if price is not None)

    @property
    def unpriced(self) -> int:
        """Number of clips whose price is not known."""
        return sum(price is None for price in self.prices.values())

    def within(self, max_usd: float, pending: list[PendingClip]) -> list[PendingClip]:
        """The clips that can be made before the sum of list prices passes a limit.

        Clips that cost nothing are all in it, those without a known price are not.
        """
        kept, spent = [], 0.0
        for number, item in enumerate(pending):
            price = self.prices.get(number, 0.0)
            if price is None or spent + price > max_usd + 1e-9:
                continue
            spent += price
            kept.append(item)
        return kept


def make_bill(session: Session, pending: list[PendingClip]) -> Bill:
    """Return what these clips will cost; sends nothing."""
    unfinished = unfinished_orders(session)
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    prices: dict[int, float | None] = {}
    estimates: dict[int, Estimate | str | None] = {}
    backends: dict[int, Backend] = {}
    for number, item in enumerate(pending):
        estimates[number] = _estimate(item, backends)
        if estimates[number] is not None:
            groups[item.entrant_id, item.track_id].append(number)
    lines = []
    for (entrant_id, track_id), numbers in groups.items():
        first = pending[numbers[0]]
        continued = 0
        known: list[Estimate] = []
        problems: dict[str, None] = {}
        for number in numbers:
            item, estimate = pending[number], estimates[number]
            key = ClipKey(item.entrant_id, item.track_id, item.prompt_id, item.seed)
            if isinstance(estimate, str):
                problems[estimate] = None
            elif key in unfinished and not item.order_again:
                continued += 1
            elif estimate is not None:
                known.append(estimate)
                prices[number] = estimate.price_usd
        costs = [each.price_usd for each in known]
        some = known[0] if known else None
        spec = first.request.entrant
        lines.append(
            BillLine(
                entrant=spec.codename or spec.name,
                track=first.request.track.name,
                clips=len(known),
                continued=continued,
                price_usd=None if None in costs else sum(each or 0.0 for each in costs),
                seconds=_expected(session, entrant_id, track_id, some, len(known)),
                adapted=some.adapted if some else (),
                dropped=some.dropped if some else (),
                problems=tuple(problems),
            )
        )
    return Bill(tuple(lines), prices)


def _estimate(item: PendingClip, backends: dict[int, Backend]) -> Estimate | str | None:
    """The estimate of a clip of a paid service, why it cannot be ordered, or None: it is free.

    `backends` are those of entrants that have been found before.
    """
    if item.request.stored_master is not None:
        return None
    try:
        if item.entrant_id not in backends:
            backends[item.entrant_id] = find_backend(item.request.entrant)
        return estimate_clip(item.request, backends[item.entrant_id])
    except GeneratorError as error:
        return str(error)


def _expected(
    session: Session, entrant_id: int, track_id: int, some: Estimate | None, clips: int
) -> float | None:
    """Seconds that the clips will take, from the median of those that are ready."""
    rows = session.scalars(
        select(Clip.provenance["seconds"].as_float()).where(
            Clip.entrant_id == entrant_id,
            Clip.track_id == track_id,
            Clip.status == ClipStatus.READY,
        )
    )
    measured = [float(value) for value in rows if value is not None]
    if not measured or some is None:
        return None
    rounds = -(-clips // max(1, some.concurrency))
    return median(measured) * rounds
