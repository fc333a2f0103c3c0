"""The leaderboard as an HTML table: names in the page, for readers, search and screen readers."""

from html import escape

from arena.standings.boards import Board, BoardRow
from arena.standings.production_stats import Figure, ProductionStats
from arena.text import pluralize

MINUS = "\N{MINUS SIGN}"
STATUSES = {
    "ok": ("settled", "Rated from at least 100 votes"),
    "preliminary": ("preliminary", "Fewer than 100 votes so far"),
    "disconnected": (
        "not connected",
        "Not yet compared, directly or through others, with the rest",
    ),
    "undefeated": ("undefeated", "Won every vote: a rating needs at least one that it did not win"),
    "winless": ("winless", "Lost every vote: a rating needs at least one that it did not lose"),
}
NONE = "<span class='none'>–</span>"
HEADINGS = (
    ("Rank", "Models share a rank while their intervals overlap"),
    ("Model", ""),
    ("Elo", "Bradley-Terry on the Elo scale, with the half-widths of its 95% interval"),
    ("95% interval", ""),
    ("Ranks", "Best and worst rank that the votes allow, for all models jointly"),
    ("Win rate", "Wins and half of ties and both bad, of all votes"),
    ("Votes", ""),
    ("Won", ""),
    ("Lost", ""),
    ("Equal", ""),
    ("Both bad", ""),
    ("Status", ""),
)
PRODUCTION_HEADINGS = (
    ("Model", ""),
    ("Clips", "Asked for: those that are there, those that failed and those that were refused"),
    ("Failed", "Share of them that could not be made or shown, with its 95% interval"),
    ("Refused", "Share of them that the model would not make, by its rules of content"),
    ("Seconds a clip", "Median of what the model took, loading apart, with its 95% interval"),
    ("GPU-seconds", "Median of seconds times GPUs, with its 95% interval"),
    ("Peak memory", "The most that the model's process, or its GPU, held while a clip was made"),
    ("USD a minute", "Mean price of a minute of what was made, with its 95% interval"),
    ("Made on", ""),
)


def render_board(board: Board) -> str:
    """The table of a board; every word of an entrant's is escaped."""
    rows = "".join(_row(row) for row in board.rows)
    return _table(f"Leaderboard of the track {board.track}", HEADINGS, rows, kind="board ranked")


def render_production_stats(track: str, records: list[ProductionStats]) -> str:
    """The table of what clips took; every word of an entrant's is escaped."""
    rows = "".join(_making(record) for record in records)
    return _table(f"What clips of the track {track} took", PRODUCTION_HEADINGS, rows, kind="board")


def _table(caption: str, headings: tuple[tuple[str, str], ...], rows: str, *, kind: str) -> str:
    heads = "".join(
        f"<th scope='col' title='{escape(tip, quote=True)}'>{name}</th>" for name, tip in headings
    )
    return (
        f"<div class='board-scroll'><table class='{kind}'><caption>{escape(caption)}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _making(record: ProductionStats) -> str:
    memory = record.peak_memory_bytes
    cells = [
        f"<th scope='row'><b>{escape(record.model)}</b></th>",
        f"<td>{record.clips:,}</td>",
        f"<td>{_figure(record.failure_rate, '.1%')}</td>",
        f"<td>{_figure(record.refusal_rate, '.1%')}</td>",
        f"<td>{_figure(record.seconds, '.2f')}</td>",
        f"<td>{_figure(record.gpu_seconds, '.2f')}</td>",
        f"<td>{NONE if memory is None else f'{memory / 2**30:.2f} GiB'}</td>",
        f"<td>{_figure(record.cost_per_minute_usd, '.3f')}</td>",
        f"<td class='status'>{escape(', '.join(record.hardware)) or NONE}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _figure(figure: Figure | None, form: str) -> str:
    """A number over its interval; how many clips it is from is told on pointing at it."""
    if figure is None:
        return NONE
    value = format(figure.value, form)
    if figure.lower is None or figure.upper is None:
        span = f"from {pluralize(figure.clips, 'clip')}"
    else:
        span = f"({format(figure.lower, form)} – {format(figure.upper, form)})"
    return (
        f"<span title='from {pluralize(figure.clips, 'clip')}'>{value} <small>{span}</small></span>"
    )


def _row(row: BoardRow) -> str:
    word, tip = STATUSES.get(row.status, (row.status, ""))
    cells = [
        f"<td class='rank'>{NONE if row.rank is None else row.rank}</td>",
        f"<th scope='row'><b>{escape(row.model)}</b>{_maker(row)}</th>",
        f"<td class='elo'>{_rating(row)}</td>",
        f"<td>{_span(row.rating_lower, row.rating_upper)}</td>",
        f"<td>{_span(row.rank_lower, row.rank_upper)}</td>",
        f"<td class='rate'>{_win_rate(row.win_rate)}</td>",
        *(
            f"<td>{count:,}</td>"
            for count in (row.vote_count, row.wins, row.losses, row.ties, row.both_bad)
        ),
        f"<td class='status'><span class='pill {escape(row.status)}' "
        f"title='{escape(tip, quote=True)}'>{escape(word)}</span></td>",
    ]
    lead = " class='lead'" if row.rank == 1 else ""
    return f"<tr{lead}>{''.join(cells)}</tr>"


def _maker(row: BoardRow) -> str:
    if row.creator is None:
        parts = ["runs under a codename"]
    else:
        parts = [row.creator, row.licence, *([row.release_date] if row.release_date else [])]
    if row.retired:
        parts.append("retired")
    return f"<small>{escape(' · '.join(parts))}</small>"


def _rating(row: BoardRow) -> str:
    if row.rating is None:
        return NONE
    if row.rating_lower is None or row.rating_upper is None:
        return f"<b>{row.rating:.0f}</b>"
    up, down = row.rating_upper - row.rating, row.rating - row.rating_lower
    return f"<b>{row.rating:.0f}</b> <small>+{up:.0f} {MINUS}{down:.0f}</small>"


def _span(lower: float | None, upper: float | None) -> str:
    if lower is None or upper is None:
        return NONE
    return f"{lower:.0f}" if lower == upper else f"{lower:.0f} – {upper:.0f}"


def _win_rate(rate: float | None) -> str:
    if rate is None:
        return NONE
    return f"<i style='--rate: {rate:.4f}'></i>{rate:.0%}"
