"""The leaderboard as an HTML table: names in the page, for readers, search and screen readers."""

from html import escape

from arena.boards import Board, BoardRow

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


def render_board(board: Board) -> str:
    """The table of a board; every word of an entrant's is escaped."""
    heads = "".join(
        f"<th scope='col' title='{escape(tip, quote=True)}'>{name}</th>" for name, tip in HEADINGS
    )
    rows = "".join(_row(row) for row in board.rows)
    return (
        "<div class='board-scroll'><table class='board'>"
        f"<caption>Leaderboard of the track {escape(board.track)}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
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
