"""The leaderboard and the production statistics as HTML tables, with every text escaped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from arena.catalog.variants import Variants, describe_variants
from arena.standings.boards import Board, BoardRow, rank_range
from arena.standings.hold_texts import rank_without, ratings_without, under_review
from arena.standings.production_stats import Figure, ProductionStats
from arena.text import pluralize

Row = TypeVar("Row")

MINUS = "\N{MINUS SIGN}"
EMPTY = "<span class='empty-cell'>–</span>"
# Explanation of each status of `ratings`, which is shown as it is named there.
STATUSES = {
    "ok": "Rated from at least 100 votes",
    "preliminary": "Fewer than 100 votes so far",
    "disconnected": "Not yet compared, directly or through other models, with the rest",
    "undefeated": "Won every vote, so no finite rating exists",
    "winless": "Lost every vote, so no finite rating exists",
}


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column of a table.

    Attributes:
        heading: its heading.
        cell: returns the HTML in the cell of a row.
        tip: an explanation, shown when pointing at the heading.
        css: the class of its cells.
        is_name: whether its cells name the row.
    """

    heading: str
    cell: Callable[[Row], str]
    tip: str = ""
    css: str = ""
    is_name: bool = False

    def render_heading(self) -> str:
        css = f" class='{self.css}'" if self.css else ""
        tip = escape(self.tip, quote=True)
        return f"<th scope='col'{css} title='{tip}'>{escape(self.heading)}</th>"

    def render_cell(self, row: Row, *, is_labelled: bool = False) -> str:
        if self.is_name:
            return f"<th scope='row'>{self.cell(row)}</th>"
        css = f" class='{self.css}'" if self.css else ""
        label = f" data-label='{escape(self.heading, quote=True)}'" if is_labelled else ""
        return f"<td{css}{label}>{self.cell(row)}</td>"


COMMITMENT_DIGITS = 12  # of a commitment that a page shows; all of them when pointing at it


def with_minus(number: str) -> str:
    """A formatted number, with the minus sign for its hyphen."""
    return number.replace("-", MINUS)


def _name(row: BoardRow, variants: Mapping[str, Variants] = MappingProxyType({})) -> str:
    is_codename = row.creator is None
    if row.creator is None:
        details = ["runs under a codename"]
    else:
        details = [row.creator, *filter(None, (row.licence, row.release_date))]
    counted = variants.get(row.model)
    if counted is not None and (phrase := describe_variants(counted, is_codename=is_codename)):
        details.append(phrase)
    if row.retired:
        details.append("retired")
    cells = [escape(detail) for detail in details]
    if row.commitment is not None:
        tip = f"SHA-256 of the opening, public since the codename entered: {row.commitment}"
        cells.append(
            f"<span title='{escape(tip, quote=True)}'>commitment "
            f"<code>{escape(row.commitment[:COMMITMENT_DIGITS])}</code></span>"
        )
    return f"<b>{escape(row.model)}</b><small>{' · '.join(cells)}</small>"


def _rating(row: BoardRow) -> str:
    if row.rating is None:
        return EMPTY
    if row.rating_lower is None or row.rating_upper is None:
        return with_minus(f"<b>{row.rating:.0f}</b>")
    up, down = row.rating_upper - row.rating, row.rating - row.rating_lower
    return with_minus(f"<b>{row.rating:.0f}</b> <small>+{up:.0f} -{down:.0f}</small>")


def _range(lower: float | None, upper: float | None) -> str:
    if lower is None or upper is None:
        return EMPTY
    return with_minus(f"{lower:.0f}" if lower == upper else f"{lower:.0f} – {upper:.0f}")


def _win_rate(row: BoardRow) -> str:
    if row.win_rate is None:
        return EMPTY
    return f"<i style='--rate: {row.win_rate:.4f}'></i>{row.win_rate:.0%}"


def _status(row: BoardRow, reviewed: Mapping[str, str] = MappingProxyType({})) -> str:
    tip = STATUSES.get(row.status, "")
    css = escape(f"badge {row.status}", quote=True)
    badge = f"<span class='{css}' title='{escape(tip, quote=True)}'>{escape(row.status)}</span>"
    reason = reviewed.get(row.model)
    if reason is None:
        return badge
    title = escape(reason, quote=True)
    return f"{badge} <span class='badge review' title='{title}'>under review</span>"


def _without_holds(row: BoardRow, without: Mapping[str, Any]) -> str:
    other = without.get(row.model)
    if other is None or other["rating"] is None:
        return EMPTY
    ranks = rank_without(other)
    return with_minus(f"{other['rating']:.0f}") + (f" <small>rank {ranks}</small>" if ranks else "")


BOARD_TABLE = (
    Column[BoardRow](
        "Rank",
        lambda row: rank_range(row, " – ") or EMPTY,
        "Best and worst rank that the votes allow; with 95% confidence, those of all models hold "
        "at once",
        "rank",
    ),
    Column[BoardRow]("Model", _name, is_name=True),
    Column[BoardRow](
        "Elo", _rating, "Bradley-Terry rating on the Elo scale, and its 95% interval", "elo"
    ),
    Column[BoardRow]("95% interval", lambda row: _range(row.rating_lower, row.rating_upper)),
    Column[BoardRow](
        "Win rate",
        _win_rate,
        "Wins, plus half of the votes for equal and both bad, as a share of all votes",
        "rate",
    ),
    Column[BoardRow]("Votes", lambda row: f"{row.vote_count:,}"),
    Column[BoardRow]("Won", lambda row: f"{row.wins:,}"),
    Column[BoardRow]("Lost", lambda row: f"{row.losses:,}"),
    Column[BoardRow]("Equal", lambda row: f"{row.ties:,}"),
    Column[BoardRow]("Both bad", lambda row: f"{row.both_bad:,}"),
    Column[BoardRow]("Status", _status, css="status"),
)


def _figure(figure: Figure | None, spec: str) -> str:
    """A number and its interval; the number of clips is shown when pointing at it."""
    if figure is None:
        return EMPTY
    source = f"from {pluralize(figure.clips, 'clip')}"
    interval = source
    if figure.lower is not None and figure.upper is not None:
        interval = f"({format(figure.lower, spec)} – {format(figure.upper, spec)})"
    value = format(figure.value, spec)
    return f"<span title='{source}'>{value} <small>{interval}</small></span>"


def _wait(figure: Figure | None) -> str:
    """Seconds with their interval and the number of clips."""
    if figure is None or figure.lower is None:
        return _figure(figure, ".1f")
    return f"{_figure(figure, '.1f')} <small>from {pluralize(figure.clips, 'clip')}</small>"


def _memory(record: ProductionStats) -> str:
    memory = record.peak_memory_bytes
    return EMPTY if memory is None else f"{memory / 2**30:.2f} GiB"


PRODUCTION_TABLE = (
    Column[ProductionStats]("Model", lambda it: f"<b>{escape(it.model)}</b>", is_name=True),
    Column[ProductionStats](
        "Clips", lambda it: f"{it.clips:,}", "Requested clips: generated, failed and refused"
    ),
    Column[ProductionStats](
        "Failed",
        lambda it: _figure(it.failure_rate, ".1%"),
        "Share that could not be generated or displayed, with its 95% interval",
    ),
    Column[ProductionStats](
        "Refused",
        lambda it: _figure(it.refusal_rate, ".1%"),
        "Share that the model refused under its content policy, with its 95% interval",
    ),
    Column[ProductionStats](
        "Seconds per clip",
        lambda it: _figure(it.seconds, ".2f"),
        "Median generation time without loading the model, with its 95% interval",
    ),
    Column[ProductionStats](
        "GPU-seconds",
        lambda it: _figure(it.gpu_seconds, ".2f"),
        "Median of seconds times GPUs, with its 95% interval",
    ),
    Column[ProductionStats](
        "Peak memory", _memory, "Largest memory use of the model's process, or of its GPU"
    ),
    Column[ProductionStats](
        "USD per minute",
        lambda it: _figure(it.cost_per_minute_usd, ".3f"),
        "Mean list price per minute of generated video, with its 95% interval",
    ),
    Column[ProductionStats](
        "USD billed",
        lambda it: _figure(it.billed_per_minute_usd, ".3f"),
        "The same by what the services' answers say was billed, where they say it",
    ),
    Column[ProductionStats](
        "Order to file",
        lambda it: _wait(it.order_seconds),
        "Median seconds from the order at a service to its whole file, over the last 14 days, with "
        "its 95% interval",
    ),
    Column[ProductionStats](
        "In its queue",
        lambda it: _wait(it.queue_seconds),
        "Median of the seconds of these that the order was in the service's queue, where its "
        "answers say it",
    ),
    Column[ProductionStats](
        "Hardware", lambda it: escape(", ".join(it.hardware)) or EMPTY, css="status"
    ),
)


def render_table(
    caption: str,
    columns: Sequence[Column[Row]],
    rows: Sequence[tuple[Row, str]],
    *,
    css: str = "board",
    is_stacked: bool = False,
) -> str:
    """An HTML table; `rows` are paired with the class of their `tr`.

    With `is_stacked`, a narrow screen shows the cells of a row below each other.
    """
    heads = "".join(column.render_heading() for column in columns)
    body = "".join(
        f"<tr class='{name}'>"
        f"{''.join(column.render_cell(row, is_labelled=is_stacked) for column in columns)}</tr>"
        for row, name in rows
    )
    css += " stacked" if is_stacked else ""
    return (
        f"<div class='board-scroll'><table class='{css}'><caption>{escape(caption)}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def render_board(board: Board, variants: Mapping[str, Variants] = MappingProxyType({})) -> str:
    """The table of a leaderboard; `variants` are those of the makers, by the models' names."""
    rows = [(row, "leader" if row.rank_lower == 1 else "") for row in board.rows]
    without, reviewed = ratings_without(board), under_review(board)
    columns = [
        replace(column, cell=lambda row: _name(row, variants)) if column.is_name else column
        for column in BOARD_TABLE
    ]
    columns[-1] = replace(columns[-1], cell=lambda row: _status(row, reviewed))
    if without:
        columns.insert(
            4,
            Column[BoardRow](
                "Without holds",
                lambda row: _without_holds(row, without),
                "Rating and rank if the votes counted that are held",
            ),
        )
    return render_table(
        f"Leaderboard of the track {board.track}", columns, rows, css="board ranked"
    )


def render_production_stats(track: str, records: list[ProductionStats]) -> str:
    """The table of generation times and costs."""
    rows = [(record, "") for record in records]
    return render_table(
        f"Generation time and cost of clips in the track {track}",
        PRODUCTION_TABLE,
        rows,
        css="board",
    )
