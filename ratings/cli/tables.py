"""How results look: plain tables with what they rest on below, CSV, JSON."""

import json
from typing import Any

import pandas as pd

from ratings.cli import describe
from ratings.cli.reports import Report
from ratings.leaderboard import parameters_of

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
_DECIMALS, _DIGITS = 6, 6
_FEW_DECIMALS = 1e-3  # below it six decimals would leave less than four digits, or none


def show_leaderboard(board: pd.DataFrame, style: str) -> str:
    """A leaderboard, or one for each value of a column."""
    parameters = parameters_of(board)
    column = parameters.get("by")
    if style != "table":
        return _for_programs(_with_effects(board, parameters), style)
    if column is None or board.empty:
        return f"{_table(board)}\n{'; '.join(_caption(parameters))}\n"
    shared = _caption(parameters)
    tables = []
    for value, part in board.groupby(column):
        own = [said for said in _caption(_parameters_at(parameters, value)) if said not in shared]
        below = f"{'; '.join(own)}\n" if own else ""
        tables.append(f"{column}: {value}\n{_table(part)}{below}\n")
    return f"{''.join(tables)}{'; '.join(shared)}\n"


def _parameters_at(parameters: dict[str, Any], value: Any) -> dict[str, Any]:
    own: dict[str, Any] = parameters["groups"][value]
    return parameters | own


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


def _caption(parameters: dict[str, Any]) -> list[str]:
    """What the table rests on, as far as the parameters tell."""
    if parameters["method"] == "elo":
        said = [
            f"sequential Elo in the order of rows, k {parameters['k']:g}, "
            f"from {parameters['initial']:g}, no intervals"
        ]
    else:
        said = ["Bradley-Terry"]
    said += describe.describe_rules(
        parameters["ties"], parameters["both_bad"], parameters.get("tie_parameter")
    )
    nobody = describe.describe_unrated(parameters.get("unrated_because"))
    # Groups of votes may share the confidence and differ in what could be clustered by.
    if {"confidence", "cluster", "cluster_note"} <= set(parameters) and not nobody:
        how = f" from {parameters['rounds']} resamples" if parameters["rounds"] else ""
        by = describe.describe_clusters(parameters["cluster"], parameters["cluster_note"])
        said.append(f"{describe.percent(parameters['confidence'])} intervals{how} {by}")
    if parameters.get("rounds_left_out"):
        said.append(f"{parameters['rounds_left_out']} resamples without ratings left out")
    said += describe.describe_prior(parameters.get("prior_sd"))
    said += [describe.describe_effect(effect) for effect in parameters.get("effects", ())]
    said += describe.describe_anchors(parameters["anchors"])
    return said + nobody


def _with_effects(board: pd.DataFrame, parameters: dict[str, Any]) -> pd.DataFrame:
    """The board, and in columns of their own what acts beside the ratings of each row."""
    column = parameters.get("by")
    if column is None:
        each = [parameters.get("effects", ())] * len(board)
    else:
        each = [_parameters_at(parameters, value).get("effects", ()) for value in board[column]]
    rows = [
        {
            f"effect_{effect['effect']}{end}": effect[name]
            for effect in effects
            for end, name in (("", "estimate"), ("_lower", "lower"), ("_upper", "upper"))
        }
        for effects in each
    ]
    beside = pd.DataFrame(rows, index=board.index)
    return pd.concat([board, beside], axis=1) if len(beside.columns) else board


def show_report(report: Report, style: str) -> str:
    """Any other report."""
    if style != "table":
        return _for_programs(report.table, style)
    shown = report.shown or (report.table,)
    tables = [
        part.to_string(index=False, na_rep="", float_format=_number)
        for part in shown
        if not part.empty
    ]
    return "\n\n".join([*(tables or ["nothing to show"]), report.caption]) + "\n"


def _number(value: float) -> str:
    whole = value == round(value) and abs(value) < 1e15
    return f"{value:.0f}" if whole else f"{value:.4g}"


def _for_programs(table: pd.DataFrame, style: str) -> str:
    if style == "csv":
        return table.to_csv(index=False, float_format=_exact, lineterminator="\n")
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    for row in rows:
        for name, value in row.items():
            if isinstance(value, float):
                row[name] = float(_exact(value)) if abs(value) < float("inf") else None
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def _exact(value: Any) -> str:
    """Six decimals; of a small number, such as a p-value, six digits."""
    small = value and abs(value) < _FEW_DECIMALS
    return f"{value:.{_DIGITS}g}" if small else f"{value:.{_DECIMALS}f}"
