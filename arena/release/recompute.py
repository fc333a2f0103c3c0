"""Recomputes every leaderboard of a release from its votes, and compares."""

import math
from itertools import groupby
from typing import Any

import pandas as pd

from arena.errors import ReleaseError
from arena.models import OVERALL, HoldRule, VoterGroup
from arena.release.boards import WITHOUT_HOLDS
from arena.release.collect import JOIN
from arena.release.holds import HoldHistory
from arena.release.schema import SIMULATED, VOTES
from arena.standings.boards import COLUMN_TYPES, RATING_COLUMNS
from arena.standings.computing import BY_VOTE, BY_VOTER, interval_method, rate
from ratings import RatingsError

TABLE_OF: dict[str, str] = {VoterGroup.PEOPLE: VOTES.name, VoterGroup.SIMULATED: SIMULATED.name}
# Another machine may round differently in the last published digit; nothing else may differ. The
# leaderboards of earlier versions have more digits.
RELATIVE = 1e-9
ABSOLUTE = 1.5e-6
COUNTS_FIRST = sorted(
    RATING_COLUMNS, key=lambda name: (COLUMN_TYPES[name] is float, "rank" in name)
)

Row = dict[str, Any]


def check_leaderboards(tables: dict[str, Any]) -> int:
    """Raise ReleaseError at the first row that differs; return the number of leaderboards."""
    rows: list[Row] = [
        {"number": number, **row}
        for number, row in enumerate(tables["leaderboard"].to_pylist(), start=1)
    ]
    models = {row["model"]: row for row in tables["models"].to_pylist()}
    names = [str(name) for name in models]
    ties = {row["track"]: row["ties"] for row in tables["tracks"].to_pylist()}
    for row in rows:
        _check_references(row, models, ties)
    votes = {voters: _votes(tables[name]) for voters, name in TABLE_OF.items()}
    boards = [list(board) for _, board in groupby(sorted(rows, key=_board_of), key=_board_of)]
    history = HoldHistory(tables["holds"].to_pylist())
    for board in boards:
        of_board = _votes_of_board(votes[board[0]["voters"]], board[0], history)
        _check_board(board, of_board, ties=ties[board[0]["track"]], names=names)
    return len(boards)


def _board_of(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in ("leaderboard_publish_date", "track", "category", "voters"))


def _check_references(row: Row, models: dict[str, Row], ties: dict[str, str]) -> None:
    for name in (
        *("leaderboard_publish_date", "category", "watermark"),
        "hold_events",
        "computed_at",
    ):
        if row[name] is None:
            raise _wrong(row, f"{name} is empty")
    if row["intervals"] not in (BY_VOTER, BY_VOTE):
        raise _wrong(row, f"intervals is {row['intervals']!r}, not {BY_VOTER!r} or {BY_VOTE!r}")
    model = models.get(row["model_name"])
    if model is None:
        raise _wrong(row, f"models.* has no model {row['model_name']!r}")
    if row["track"] not in ties:
        raise _wrong(row, f"tracks.* has no track {row['track']!r}")
    if row["voters"] not in TABLE_OF:
        raise _wrong(row, f"voters is {row['voters']!r}, not one of {', '.join(TABLE_OF)}")
    for name, source in (("organization", "creator"), ("license", "licence")):
        if row[name] != model[source]:
            raise _wrong(row, f"{name} differs from {source} in models.*")


RATED_COLUMNS = [
    *("model_a", "model_b", "winner", "evaluation_session_id", "counted", "repeat_of"),
]
NO_CATEGORY = ""
HELD = "held"  # by the events that a leaderboard was computed with


def _votes(table: Any) -> pd.DataFrame:
    texts = ["track", "categories", "hold_rule", *RATED_COLUMNS]
    # Texts are coded once, and not again for every leaderboard.
    frame: pd.DataFrame = table.select(["id", *texts]).to_pandas(
        categories=[name for name in texts if name != "counted"]
    )
    # Of a fact of the vote itself, which no event changes.
    frame["counted"] = frame["hold_rule"] != HoldRule.PICTURE_ONLY
    frame["id"] = frame["id"].astype("int64")
    frame["categories"] = frame["categories"].cat.add_categories([NO_CATEGORY]).fillna(NO_CATEGORY)
    return frame


def _votes_of_board(votes: pd.DataFrame, board: Row, history: HoldHistory) -> pd.DataFrame:
    """Return the votes from which a leaderboard was computed; `HELD` says which were held then."""
    mask = (votes["track"] == board["track"]) & (votes["id"] <= board["watermark"])
    if board["category"] != OVERALL:
        matching = [
            joined
            for joined in votes["categories"].cat.categories
            if board["category"] in joined.split(JOIN)
        ]
        mask &= votes["categories"].isin(matching)
    held = votes.loc[mask, "id"].isin(history.held(board["hold_events"]))
    selected: pd.DataFrame = votes.loc[mask, RATED_COLUMNS].assign(**{HELD: held})
    for name in ("model_a", "model_b"):  # a category is a model, also without a vote
        selected[name] = selected[name].cat.remove_unused_categories()
    return selected


def _rate(rows: list[Row], votes: pd.DataFrame, *, ties: str, models: list[str]) -> pd.DataFrame:
    """Rate the votes of a leaderboard again, with the intervals that it states."""
    stated = rows[0]["intervals"]
    try:
        board = rate(votes, ties=ties, models=models)
        if stated == BY_VOTE and interval_method(board) == BY_VOTER:
            return rate(votes, ties=ties, models=models, intervals=BY_VOTE)
    except RatingsError as error:
        raise _wrong(rows[0], f"its votes cannot be rated: {error}") from error
    if interval_method(board) != stated:
        raise _wrong(
            rows[0], f"intervals is {stated!r}, but the votes give {interval_method(board)!r}"
        )
    return board


def _check_board(rows: list[Row], votes: pd.DataFrame, *, ties: str, names: list[str]) -> None:
    first = rows[0]
    listed: set[str] = set()
    for row in rows:
        for name in ("watermark", "hold_events", "computed_at", "intervals"):
            if row[name] != first[name]:
                raise _wrong(row, f"its {name} differs from that of the leaderboard's other rows")
        if row["model_name"] in listed:
            raise _wrong(row, "this model is in the leaderboard twice")
        listed.add(row["model_name"])
    counted = votes.assign(counted=votes["counted"] & ~votes[HELD])
    board = _rate(rows, counted, ties=ties, models=list(listed))
    computed = {row["model"]: row for row in board.to_dict("records")}
    for name in names:
        if name in computed and name not in listed:
            raise _wrong(first, f"{name} has votes for this leaderboard but is not in it")
    # Counts first: a wrong count shows where a vote was changed.
    for column in COUNTS_FIRST:
        for row in rows:
            released, expected = row[column], computed[row["model_name"]][column]
            if not _is_equal(released, expected):
                raise _wrong(
                    row, f"{column} is {_shown(released)}, but the votes give {_shown(expected)}"
                )

    _check_without_holds(rows, votes, ties=ties, models=list(listed))


def _check_without_holds(
    rows: list[Row], votes: pd.DataFrame, *, ties: str, models: list[str]
) -> None:
    """Check the ratings that a leaderboard states for all votes, with those that were held."""
    released = [row for row in rows if row["rank_lower_without_holds"] is not None]
    if not released and not votes[HELD].any():
        return
    board = rate(votes, ties=ties, models=models)
    computed = {row["model"]: row for row in board.to_dict("records")}
    for row in rows:
        for name in WITHOUT_HOLDS:
            stated, expected = row[f"{name}_without_holds"], computed[row["model_name"]][name]
            if not _is_equal(stated, expected):
                raise _wrong(
                    row,
                    f"{name}_without_holds is {_shown(stated)}, but all votes give "
                    f"{_shown(expected)}",
                )


def _is_equal(released: Any, expected: Any) -> bool:
    if released is None or pd.isna(expected):
        return released is None and bool(pd.isna(expected))
    if isinstance(expected, str):
        return bool(released == expected)
    return math.isclose(released, expected, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _shown(value: Any) -> Any:
    return "empty" if value is None or pd.isna(value) else value


def _wrong(row: Row, reason: str) -> ReleaseError:
    return ReleaseError(
        f"leaderboard.*, row {row['number']} ({row['leaderboard_publish_date']}, {row['track']}, "
        f"{row['category']}, {row['voters']}, {row['model_name']}): {reason}."
    )
