"""A leaderboard as it is shown: its rows, and the forms it takes for people and programs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pandas as pd

import ratings
from arena.models import VoterKind

VOTERS = {VoterKind.PERSON: "people", VoterKind.SIMULATED: "simulated"}


@dataclass(frozen=True)
class BoardRow:
    """One entrant's place; ratings in Elo points, None where it cannot be rated."""

    rank: int | None
    rank_lower: int | None
    rank_upper: int | None
    model: str
    rating: float | None
    rating_lower: float | None
    rating_upper: float | None
    variance: float | None
    vote_count: int
    wins: int
    losses: int
    ties: int
    both_bad: int
    win_rate: float | None
    status: str
    creator: str | None
    licence: str
    release_date: str | None
    commitment: str | None
    retired: bool


@dataclass(frozen=True)
class PairRecord:
    """How the votes between two models went: `wins` of model_a, of `votes` in all."""

    model_a: str
    model_b: str
    votes: int
    wins: int
    losses: int
    ties: int
    both_bad: int


@dataclass(frozen=True)
class Board:
    """A leaderboard with everything needed to compute it again."""

    track: str
    category: str
    voters: VoterKind
    computed_at: datetime
    watermark: int
    votes: int
    parameters: dict[str, Any]
    rows: list[BoardRow]


BOARD_COLUMNS = list(ratings.COLUMNS)
WHOLE_COLUMNS = [
    *("rank", "rank_lower", "rank_upper", "vote_count", "wins", "losses", "ties", "both_bad"),
]


def board_frame(board: Board) -> pd.DataFrame:
    """The contract's columns, one row per model."""
    frame = pd.DataFrame([asdict(row) for row in board.rows], columns=BOARD_COLUMNS)
    return frame.astype(dict.fromkeys(WHOLE_COLUMNS, "Int64"))


def boards_frame(boards: Sequence[Board], *, with_track: bool) -> pd.DataFrame:
    """Several boards below each other, each row led by its track where that is asked for."""
    frames = [board_frame(board) for board in boards]
    if with_track:
        for frame, board in zip(frames, boards, strict=True):
            frame.insert(0, "track", board.track)
    return pd.concat(frames) if frames else pd.DataFrame(columns=BOARD_COLUMNS)


def board_document(board: Board) -> dict[str, Any]:
    """The board as JSON takes it: what it was computed from, then its rows."""
    return asdict(board) | {
        "voters": VOTERS[board.voters],
        "computed_at": board.computed_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def board_cells(board: Board) -> tuple[str, list[str], list[list[object]]]:
    """Title, columns and rows for a terminal."""
    who = "people" if board.voters is VoterKind.PERSON else "SIMULATED voters, not people"
    about = "" if board.category == "overall" else f", category {board.category}"
    title = (
        f"{board.track}{about}: {board.votes} votes of {who}, up to vote {board.watermark}; "
        f"Bradley-Terry, ties {board.parameters['ties']}, "
        f"{board.parameters['confidence']:.0%} intervals"
    )
    columns = ["rank", "ranks", "model", "Elo", "interval", "votes", "won", "lost", "tied", "bad"]
    rows: list[list[object]] = [
        [
            *(row.rank, _span(row.rank_lower, row.rank_upper), row.model),
            *(_whole(row.rating), _span(_whole(row.rating_lower), _whole(row.rating_upper))),
            *(row.vote_count, row.wins, row.losses, row.ties, row.both_bad),
            None if row.win_rate is None else f"{row.win_rate:.1%}",
            row.status,
        ]
        for row in board.rows
    ]
    return title, [*columns, "win rate", "status"], rows


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _span(lower: int | None, upper: int | None) -> str | None:
    return None if lower is None or upper is None else f"{lower} to {upper}"
