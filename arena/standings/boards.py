"""A leaderboard as data: its rows and columns, and its formats for people and programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

from arena.holds.rules import rule_text
from arena.models import OVERALL, VoterKind
from arena.text import page_text, pluralize
from ratings.csv_cells import escape_cell
from ratings.schema import format_number

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class BoardRow:
    """One entrant's row of a leaderboard: the one declaration of its columns.

    The fields with a description are the published columns, those of `ratings.COLUMNS`; files,
    snapshots and the data dictionary derive names, types and descriptions from here. Ratings are
    in Elo points and None where an entrant cannot be rated.
    """

    rank: Annotated[
        int | None,
        "1 + the models whose rating_lower exceeds this rating_upper: each interval by itself, so "
        "it can differ from rank_lower; not shown on pages",
    ]
    rank_lower: Annotated[
        int | None,
        "best rank that the votes allow; with 95% confidence, rank_lower to rank_upper hold for "
        "all models at once; shown as the rank",
    ]
    rank_upper: Annotated[int | None, "worst rank that the votes allow"]
    model: Annotated[str, "name in `models.*`"]
    rating: Annotated[float | None, "Elo points, mean 1000; empty if the model cannot be rated"]
    rating_lower: Annotated[float | None, "lower end of the 95% interval, clustered by voter"]
    rating_upper: Annotated[float | None, "upper end of the 95% interval"]
    variance: Annotated[float | None, "in Elo points squared"]
    vote_count: Annotated[int, "number of votes on the model"]
    wins: Annotated[int, "votes for the model"]
    losses: Annotated[int, "votes for the other model"]
    ties: Annotated[int, "votes `tie`"]
    both_bad: Annotated[int, "votes `both_bad`, rated as ties"]
    win_rate: Annotated[float | None, "(wins + ties / 2 + both_bad / 2) / vote_count"]
    status: Annotated[str, "`ok`, `preliminary`, `disconnected`, `undefeated` or `winless`"]
    creator: str | None
    licence: str | None
    release_date: str | None
    commitment: str | None
    retired: bool


# Published columns, in order, with their descriptions and their types without None.
COLUMN_DESCRIPTIONS: dict[str, str] = {}
COLUMN_TYPES: dict[str, type] = {}
for _name, _hint in get_type_hints(BoardRow, include_extras=True).items():
    if get_origin(_hint) is Annotated:
        _type, COLUMN_DESCRIPTIONS[_name] = get_args(_hint)
        COLUMN_TYPES[_name] = (get_args(_type) or (_type,))[0]
BOARD_COLUMNS = list(COLUMN_DESCRIPTIONS)
RATING_COLUMNS = [name for name in BOARD_COLUMNS if name != "model"]  # what a snapshot stores
INTEGER_COLUMNS = [name for name, kind in COLUMN_TYPES.items() if kind is int]


# What each cell of `Board.details` is, and where it comes from: shown with it.
SOURCES = {
    "first_place": "Fewest votes whose removal, or addition, puts another model first, found by "
    "computing the ratings again (after Broderick, Giordano and Meager 2020).",
    "first_known": "Whether the model is first, valid also if one looks after every vote: an "
    "e-process for its lead over each other model (Robbins' mixture, after Waudby-Smith et al. "
    "2024), with the variance of the intervals. At most 5% of leaderboards ever show a false first "
    "place as known.",
    "above_next": "Probability that the true rating is above that of the model listed next, from "
    "both ratings and their covariance, clustered by voter.",
    "left_side": "Share of the votes for a side that went to the left clip; 50% without bias. "
    "Wilson's interval, clustered by voter.",
    "left_advantage": "Elo points that the left side is worth, in a fit with the ratings.",
    "first_played": "Share of the votes for a side that went to the clip that was played first. "
    "Wilson's interval, clustered by voter.",
    "repeats": "Share of deliberately repeated pairs, sides swapped, to which a voter gave the "
    "same answer; repeats do not count in the ratings.",
    "repeats_beyond_chance": "The same beyond chance: 1 for always, 0 for chance (Scott's pi).",
    "held_out": "Ratings on held-out prompts, whose votes never reveal names, against those on the "
    "others, by Wald's test for two fits with shared voters, clustered by voter; with 99% "
    "confidence, over all models (Holm), none is said to depart by chance. Whoever knows the clips "
    "of the other prompts by heart moves the others only.",
    "fit": "Test of Bradley-Terry against a separate win rate for each pair: deviance with a "
    "parametric bootstrap, overdispersed by voters; a small p means that one rating per model "
    "does not describe the votes.",
    "plan": "More votes in the whole track until neighbours differ significantly, if their true "
    "difference is the one estimated.",
}
# The keys in these cells whose values are models.
MODEL_KEYS = frozenset({"model", "next", "first", "challenger", "other"})


@dataclass(frozen=True)
class PairRecord:
    """The votes between two models: `wins` are those for model_a, out of `votes`."""

    model_a: str
    model_b: str
    votes: int
    wins: int
    losses: int
    ties: int
    both_bad: int


@dataclass(frozen=True)
class Board:
    """A leaderboard with everything needed to recompute it.

    Attributes:
        stale: whether a newer one could not be had, because the database cannot be read now or
            the process that computes leaderboards does not run.
        pairs: the votes between each two models, the one listed first as model_a.
        details: what is shown beside the ratings, `cells` from `standings.details` by name, with
            the votes and the time that they are of; None: not computed yet.
        holds: from `public_holds`; None: of an earlier version.
    """

    track: str
    category: str
    voters: VoterKind
    computed_at: datetime
    watermark: int
    votes: int
    parameters: dict[str, Any]
    rows: list[BoardRow]
    stale: bool = False
    pairs: list[PairRecord] = field(default_factory=list)
    details: dict[str, Any] | None = None
    holds: dict[str, Any] | None = None


def public_holds(
    stored: dict[str, Any] | None, events: int, names: dict[int, str]
) -> dict[str, Any] | None:
    """Return what a leaderboard says of held votes, as the API shows it.

    Args:
        stored: from `held_votes`, with the numbers of entrants as models.
        events: the ledger was read up to this number.
        names: of the entrants, by number.

    Returns:
        `events`; `votes`, counted and held; `held`, and its `share`; `by_rule`, with the votes of
        each rule; `without`, the ratings if held votes counted, null if none is held by an event;
        `alarm`, from `hold_share`; `under_review`, models with the reason.
    """
    if stored is None:
        return None
    held, votes = sum(stored["held"].values()), int(stored["votes"])
    shown: dict[str, Any] = with_names(
        {name: stored[name] for name in ("without", "alarm", "under_review")}, names
    )
    return {
        **{"events": events, "votes": votes, "held": held},
        "share": held / votes if votes else 0.0,
        "by_rule": [
            {
                **{"rule": rule, "reason": rule_text(rule).short, "votes": number},
                "share": number / votes,
            }
            for rule, number in stored["held"].items()
        ],
        **shown,
    }


def describe_age(board: Board, *, now: datetime) -> str:
    """Return how old a leaderboard is, such as "3 minutes old"."""
    seconds = max(0.0, (now - board.computed_at).total_seconds())
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return f"{pluralize(int(seconds // length), unit)} old"
    return "less than a minute old"


def board_csv(board: Board) -> str:
    """Return the published columns as CSV, with the numbers as `python -m ratings` prints them."""
    return frame_csv(board_frame(board))


def frame_csv(frame: "pd.DataFrame") -> str:
    """Return a table of leaderboards as CSV; names that begin like a formula are escaped."""
    names = {
        name: frame[name].map(escape_cell, na_action="ignore")
        for name in ("track", "model")
        if name in frame
    }
    frame = frame.assign(**names)
    return frame.to_csv(index=False, float_format=format_number, lineterminator="\n")


def board_frame(board: Board) -> "pd.DataFrame":
    """Return the published columns, one row per model."""
    import pandas as pd  # loads slowly, and tables on terminals and pages do not need it

    frame = pd.DataFrame([asdict(row) for row in board.rows], columns=BOARD_COLUMNS)
    return frame.astype(dict.fromkeys(INTEGER_COLUMNS, "Int64"))


def boards_frame(boards: Sequence[Board], *, with_track: bool) -> "pd.DataFrame":
    """Concatenate several boards; with `with_track` the first column names each row's track."""
    import pandas as pd

    frames = [board_frame(board) for board in boards]
    if with_track:
        for frame, board in zip(frames, boards, strict=True):
            frame.insert(0, "track", board.track)
    return pd.concat(frames) if frames else pd.DataFrame(columns=BOARD_COLUMNS)


def board_document(board: Board) -> dict[str, Any]:
    """Return the board as JSON-compatible values: what it was computed from, then its rows."""
    from arena.standings.hold_texts import ratings_without, under_review

    details = board.details and board.details | {"sources": SOURCES}
    without, reviewed = ratings_without(board), under_review(board)
    document = asdict(board)
    for row in document["rows"]:
        row["under_review"] = reviewed.get(row["model"])
        other = without.get(row["model"])
        row["rating_without_holds"] = other["rating"] if other else row["rating"]
    return document | {
        "details": details,
        "voters": board.voters.group.value,
        "computed_at": board.computed_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def describe_held_out(cell: Mapping[str, Any] | None) -> str | None:
    """Return which models' ratings depart on held-out prompts, as a phrase; None if none do."""
    departing = [each for each in (cell or {}).get("models", ()) if each["departs"]]
    if not departing:
        return None
    each = "; ".join(
        f"{page_text(str(row['model']))} {row['difference']:+.0f} Elo "
        f"({row['lower']:+.0f} to {row['upper']:+.0f})"
        for row in departing
    )
    return f"ratings depart on held-out prompts: {each}"


def held_out_alarm(board: Board) -> str | None:
    """Return the alarm of a leaderboard whose held-out prompts give other ratings, or None."""
    cells = (board.details or {}).get("cells") or {}
    phrase = describe_held_out(cells.get("held_out"))
    if phrase is None:
        return None
    return (
        f"{phrase[0].upper()}{phrase[1:]}. Somebody may recognize clips of the other prompts, or "
        "the held-out prompts suit these models more or less than the others."
    )


def rank_range(row: BoardRow, separator: str = "-") -> str | None:
    """Return the ranks that the votes allow, such as "1-3" or "2"; None without a rating."""
    if row.rank_lower is None or row.rank_upper is None:
        return None
    ends = dict.fromkeys((str(row.rank_lower), str(row.rank_upper)))
    return separator.join(ends)


def describe_intervals(board: Board) -> str:
    """Return how the intervals were computed, such as "95% intervals, clustered by voter"."""
    parameters = board.parameters
    is_clustered = parameters["intervals"].endswith("by voter")
    method = "clustered by voter" if is_clustered else "votes taken as independent"
    note = parameters.get("intervals_note")
    reason = f" ({note})" if note else ""
    return f"{parameters['confidence']:.0%} intervals, {method}{reason}"


def board_cells(board: Board, *, now: datetime) -> tuple[str, list[str], list[list[object]]]:
    """Return title, column headings and rows for a terminal."""
    who = "people" if board.voters is VoterKind.PERSON else "SIMULATED voters, not people"
    category = "" if board.category == OVERALL else f", category {board.category}"
    title = (
        f"{board.track}{category}: {pluralize(board.votes, 'vote')} by {who}, "
        f"up to vote {board.watermark:,}; "
        f"Bradley-Terry, ties {board.parameters['ties']}, {describe_intervals(board)}; "
        f"rank: best to worst that the votes allow, for all models at once"
    )
    if board.stale:
        title += f"; could not be updated, {describe_age(board, now=now)}"
    # Imported here: it uses this module.
    from arena.standings.hold_texts import ratings_without, under_review

    without, reviewed = ratings_without(board), under_review(board)
    columns = ["rank", "model", "Elo", "interval", "votes", "won", "lost", "tied", "bad"]
    rows: list[list[object]] = [
        [
            *(rank_range(row), row.model),
            *(
                _rounded(row.rating),
                _interval(_rounded(row.rating_lower), _rounded(row.rating_upper)),
            ),
            *(row.vote_count, row.wins, row.losses, row.ties, row.both_bad),
            None if row.win_rate is None else f"{row.win_rate:.1%}",
            row.status + (", under review" if row.model in reviewed else ""),
            *([_rounded(without.get(row.model, {}).get("rating"))] if without else []),
        ]
        for row in board.rows
    ]
    more = ["without holds"] if without else []
    return title, [*columns, "win rate", "status", *more], rows


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)


def _interval(lower: int | None, upper: int | None) -> str | None:
    return None if lower is None or upper is None else f"{lower} to {upper}"


def with_names(value: Any, names: dict[int, str]) -> Any:
    """Return the cells with names for the numbers of entrants."""
    if isinstance(value, dict):
        return {
            key: names.get(each) if key in MODEL_KEYS else with_names(each, names)
            for key, each in value.items()
        }
    return [with_names(each, names) for each in value] if isinstance(value, list) else value
