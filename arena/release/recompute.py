"""Recomputes every leaderboard of a release from its votes, and compares."""

import math
from itertools import groupby
from typing import Any

import pandas as pd

from arena.errors import ReleaseError
from arena.models import OVERALL, VoterGroup
from arena.release.collect import JOIN
from arena.release.schema import SIMULATED, VOTES
from arena.standings.boards import COLUMN_TYPES, RATING_COLUMNS
from arena.standings.standings import rate
from ratings import RatingsError

TABLE_OF: dict[str, str] = {VoterGroup.PEOPLE: VOTES.name, VoterGroup.SIMULATED: SIMULATED.name}
# Another machine may round differently in the last digits; nothing else may differ.
RELATIVE = 1e-6
ABSOLUTE = 1e-6
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
    ties = {row["track"]: row["ties"] for row in tables["tracks"].to_pylist()}
    for row in rows:
        _check_references(row, models, ties)
    ids = {name: row["id"] for name, row in models.items()}
    votes = {voters: _votes(tables[name], ids) for voters, name in TABLE_OF.items()}
    boards = [list(board) for _, board in groupby(sorted(rows, key=_board_of), key=_board_of)]
    for board in boards:
        _check_board(board, votes[board[0]["voters"]], ties=ties[board[0]["track"]], ids=ids)
    return len(boards)


def _board_of(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in ("leaderboard_publish_date", "track", "category", "voters"))


def _check_references(row: Row, models: dict[str, Row], ties: dict[str, str]) -> None:
    for name in ("leaderboard_publish_date", "category", "watermark", "computed_at"):
        if row[name] is None:
            raise _wrong(row, f"{name} is empty")
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


def _votes(table: Any, ids: dict[str, str]) -> pd.DataFrame:
    """Return the votes with entrants' ids as names, so that even the order is that of the arena."""
    frame: pd.DataFrame = table.select(
        ["id", "model_a", "model_b", "winner", "track", "categories", "counted", "repeat_of"]
    ).to_pandas()
    frame["id"] = frame["id"].astype("int64")
    for side in ("model_a", "model_b"):
        frame[side] = frame[side].map(ids)
    frame["categories"] = frame["categories"].fillna("")
    return frame


def _votes_of_board(votes: pd.DataFrame, board: Row) -> pd.DataFrame:
    """Return the votes from which a leaderboard was computed."""
    mask = (votes["track"] == board["track"]) & (votes["id"] <= board["watermark"])
    if board["category"] != OVERALL:
        matching = [
            joined
            for joined in votes["categories"].unique()
            if board["category"] in joined.split(JOIN)
        ]
        mask &= votes["categories"].isin(matching)
    selected: pd.DataFrame = votes.loc[
        mask, ["model_a", "model_b", "winner", "counted", "repeat_of"]
    ]
    return selected


def _check_board(rows: list[Row], votes: pd.DataFrame, *, ties: str, ids: dict[str, str]) -> None:
    first = rows[0]
    listed: set[str] = set()
    for row in rows:
        if (row["watermark"], row["computed_at"]) != (first["watermark"], first["computed_at"]):
            raise _wrong(row, "its watermark differs from that of the leaderboard's other rows")
        if row["model_name"] in listed:
            raise _wrong(row, "this model is in the leaderboard twice")
        listed.add(row["model_name"])
    try:
        board = rate(
            _votes_of_board(votes, first), ties=ties, models=[ids[name] for name in listed]
        )
    except RatingsError as error:
        raise _wrong(first, f"its votes cannot be rated: {error}") from error
    computed = {row["model"]: row for row in board.to_dict("records")}
    for name, number in ids.items():
        if number in computed and name not in listed:
            raise _wrong(first, f"{name} has votes for this leaderboard but is not in it")
    # Counts first: a wrong count shows where a vote was changed.
    for column in COUNTS_FIRST:
        for row in rows:
            released, expected = row[column], computed[ids[row["model_name"]]][column]
            if not _is_equal(released, expected):
                raise _wrong(
                    row, f"{column} is {_shown(released)}, but the votes give {_shown(expected)}"
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
