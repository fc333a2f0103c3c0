"""The command `arena costs`: what clips took, cost, and were waited for."""

from typing import TYPE_CHECKING

from arena.commands.options import TrackOption, open_configured_arena
from arena.commands.output import FormatOption, TableFormat, show_table

if TYPE_CHECKING:
    from arena.standings.production_stats import Figure

COLUMNS = (
    *("track", "model", "clips", "failed", "refused", "seconds", "usd per minute", "usd billed"),
    *("order to file", "from", "to", "orders", "in its queue"),
)


def costs(track: TrackOption = None, format: FormatOption = TableFormat.TABLE) -> None:
    """Show time and cost of clips by track and model, and the wait at services in the last 14 days.

    `order to file` is the median of seconds from an order at a service to its whole file, `from`
    and `to` are its 95% interval (between order statistics; from six orders on).
    """
    from arena.catalog.tracks import find_track, list_tracks
    from arena.context import utc_now
    from arena.standings.production_stats import production_stats

    with open_configured_arena().database.reading() as session:
        tracks = [find_track(session, track)] if track else list_tracks(session)
        rows = [
            (
                *(each.name, record.model, record.clips, record.failed, record.refused),
                _value(record.seconds, 2),
                _value(record.cost_per_minute_usd, 3),
                _value(record.billed_per_minute_usd, 3),
                *_interval(record.order_seconds),
                _value(record.queue_seconds, 1),
            )
            for each in tracks
            for record in production_stats(session, each, now=utc_now())
        ]
    show_table("Time and cost", COLUMNS, rows, format, if_empty="No clips. Next: `arena generate`.")


def _value(figure: "Figure | None", digits: int) -> float | None:
    return None if figure is None else round(figure.value, digits)


def _interval(figure: "Figure | None") -> tuple[float | int | None, ...]:
    """The median, its interval, and the number of orders."""
    if figure is None:
        return None, None, None, None
    ends = (None if end is None else round(end, 1) for end in (figure.lower, figure.upper))
    return round(figure.value, 1), *ends, figure.clips
