"""How results look: plain tables with what they rest on below, CSV, JSON."""

from typing import Any

import pandas as pd

from ratings.leaderboard import parameters_of
from ratings.reports import Report

FORMATS = ("table", "csv", "json")

_SHOWN = {
    "rank": "rank",
    "ranks": "of ranks",
    "model": "model",
    "rating": "rating",
    "interval": "interval",
    "vote_count": "votes",
    "wins": "wins",
    "losses": "losses",
    "ties": "ties",
    "both_bad": "both bad",
    "win_rate": "win rate",
    "status": "status",
}


def show_leaderboard(board: pd.DataFrame, style: str) -> str:
    """A leaderboard, or one for each value of a column."""
    if style != "table":
        return _for_programs(board, style)
    parameters = parameters_of(board)
    column = parameters.get("by")
    if column is None:
        return _table(board) + _caption(parameters)
    tables = [f"{column}: {value}\n{_table(part)}\n" for value, part in board.groupby(column)]
    return "".join(tables) + _caption(parameters)


def _table(board: pd.DataFrame) -> str:
    if board.empty:
        return "no votes\n"
    shown = board.assign(
        ranks=[
            "" if pd.isna(low) else f"{low}-{high}"
            for low, high in zip(board["rank_lower"], board["rank_upper"], strict=True)
        ],
        interval=[
            "" if pd.isna(low) else f"{low:.1f} to {high:.1f}"
            for low, high in zip(board["rating_lower"], board["rating_upper"], strict=True)
        ],
        rank=["" if pd.isna(rank) else str(rank) for rank in board["rank"]],
        rating=["" if pd.isna(rating) else f"{rating:.1f}" for rating in board["rating"]],
        win_rate=["" if pd.isna(rate) else f"{rate:.1%}" for rate in board["win_rate"]],
    )
    return shown[list(_SHOWN)].rename(columns=_SHOWN).to_string(index=False) + "\n"


def _caption(parameters: dict[str, Any]) -> str:
    """What the table rests on, in one line."""
    ties = {
        "half": "half a win to each",
        "drop": "left out",
        "davidson": "Davidson's model",
        "rao-kupper": "Rao and Kupper's model",
    }
    bad = {"tie": "as a tie", "drop": "left out", "own": "an outcome of its own"}
    said = [
        "Bradley-Terry" if parameters["method"] == "bt" else "sequential Elo, no intervals",
        f"ties {ties[parameters['ties']]}",
        f"both bad {bad[parameters['both_bad']]}",
    ]
    if "confidence" in parameters:
        percent = f"{100 * parameters['confidence']:g}%"
        how = f" from {parameters['rounds']} resamples" if parameters["rounds"] else ""
        said.append(f"{percent} intervals{how} by {parameters['cluster'] or 'vote'}")
        if parameters["rounds_left_out"]:
            said.append(f"{parameters['rounds_left_out']} resamples without ratings left out")
        if parameters["prior_sd"] is not None:
            said.append(f"normal prior of {parameters['prior_sd']:g} points about the mean")
    for effect in parameters.get("effects", ()):
        said.append(
            f"{effect['effect']} {effect['estimate']:.1f} "
            f"({effect['lower']:.1f} to {effect['upper']:.1f}) points"
        )
    anchors = [f"{name} at {value:g}" for name, value in parameters["anchors"].items()]
    if anchors:
        said.append(f"anchored: {', '.join(anchors)}")
    return "\n" + "; ".join(said) + "\n"


def show_report(report: Report, style: str) -> str:
    """Any other report."""
    if style != "table":
        return _for_programs(report.table, style)
    if report.table.empty:
        return f"nothing to show\n\n{report.caption}\n"
    text = report.table.to_string(index=False, na_rep="", float_format=_number)
    return f"{text}\n\n{report.caption}\n"


def _number(value: float) -> str:
    whole = value == round(value) and abs(value) < 1e15
    return f"{value:.0f}" if whole else f"{value:.4g}"


def _for_programs(table: pd.DataFrame, style: str) -> str:
    if style == "csv":
        return table.to_csv(index=False, float_format="%.6f", lineterminator="\n")
    return table.to_json(orient="records", double_precision=6, indent=2) + "\n"
