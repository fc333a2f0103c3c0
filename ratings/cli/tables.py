"""Format results: plain tables with a caption below, CSV, JSON."""

import json
from collections.abc import Iterable

import pandas as pd

from ratings.cli import describe
from ratings.cli.report_kinds import Report
from ratings.csv_cells import escape_cell
from ratings.leaderboard import Effect, Leaderboard, LeaderboardGroups
from ratings.model.elo import INITIAL, K
from ratings.printable import pluralize, printable_json
from ratings.schema import format_number

_SHOWN = {
    "ranks": "rank",
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


def format_leaderboard(result: Leaderboard | LeaderboardGroups, style: str) -> str:
    """A leaderboard, or one per value of a column.

    Args:
        result: what to show.
        style: "table", "csv" or "json".
    """
    if style != "table":
        return _for_programs(_with_effects(result), style)
    if isinstance(result, Leaderboard):
        return f"{_table(result.frame)}\n{'; '.join(_caption(result))}\n"
    captions = {value: _caption(board) for value, board in result.boards.items()}
    shared = [line for line in next(iter(captions.values())) if _in_all(line, captions.values())]
    if result.frame.empty:
        return f"{_table(result.frame)}\n{'; '.join(shared)}\n"
    tables = []
    for value, board in result.boards.items():
        differing = [line for line in captions[value] if line not in shared]
        below = f"{'; '.join(differing)}\n" if differing else ""
        tables.append(f"{result.column}: {value}\n{_table(board.frame)}{below}\n")
    return f"{''.join(tables)}{'; '.join(shared)}\n"


def _in_all(line: str, captions: Iterable[list[str]]) -> bool:
    return all(line in caption for caption in captions)


def _table(board: pd.DataFrame) -> str:
    if board.empty:
        return "no votes\n"
    # The joint rank set; sequential Elo has none, so the place in the order.
    best = board["rank_lower"].fillna(board["rank"])
    worst = board["rank_upper"].fillna(board["rank"])
    shown = board.assign(
        ranks=[
            "" if pd.isna(low) else str(low) if low == high else f"{low}-{high}"
            for low, high in zip(best, worst, strict=True)
        ],
        interval=[
            "" if pd.isna(low) else f"{low:.1f} to {high:.1f}"
            for low, high in zip(board["rating_lower"], board["rating_upper"], strict=True)
        ],
        rating=["" if pd.isna(rating) else f"{rating:.1f}" for rating in board["rating"]],
        win_rate=["" if pd.isna(rate) else f"{rate:.1%}" for rate in board["win_rate"]],
    )
    return shown[list(_SHOWN)].rename(columns=_SHOWN).to_string(index=False) + "\n"


def _caption(board: Leaderboard) -> list[str]:
    """What a leaderboard is based on."""
    options = board.options
    if board.method == "elo":
        lines = [f"sequential Elo in row order, k {K:g}, from {INITIAL:g}, no intervals"]
    else:
        lines = ["Bradley-Terry"]
    lines += describe.rules(options.ties, options.both_bad, board.tie_parameter)
    unrated = describe.unrated(board.unrated_reason)
    if board.intervals and not unrated:
        how = f" from {board.rounds} resamples" if board.rounds else ""
        by = describe.clusters(board.cluster, board.cluster_note)
        level = describe.percent(options.confidence)
        lines.insert(0, f"ranks from best to worst, {level} sure for all models at once")
        lines.append(f"{level} intervals{how} {by}")
    if board.rounds_left_out:
        lines.append(f"{pluralize(board.rounds_left_out, 'resample')} without ratings left out")
    lines += describe.prior(options.prior_sd)
    lines += [describe.effect(effect) for effect in board.effects]
    lines += describe.anchors(options.anchors)
    return lines + unrated


def _with_effects(result: Leaderboard | LeaderboardGroups) -> pd.DataFrame:
    """The leaderboard with columns for the effects that were estimated with each row's rating."""
    boards = [result] if isinstance(result, Leaderboard) else list(result.boards.values())
    rows = [_effect_columns(board.effects) for board in boards for _ in range(len(board.frame))]
    columns = pd.DataFrame(rows, index=result.frame.index)
    if not len(columns.columns):
        return result.frame
    return pd.concat([result.frame, columns], axis=1)


def _effect_columns(effects: Iterable[Effect]) -> dict[str, float]:
    columns = {}
    for effect in effects:
        columns[f"effect_{effect.effect}"] = effect.estimate
        columns[f"effect_{effect.effect}_lower"] = effect.lower
        columns[f"effect_{effect.effect}_upper"] = effect.upper
    return columns


def format_report(report: Report, style: str) -> str:
    """A report in one of the styles "table", "csv" and "json"."""
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
        text = {
            name: table[name].map(escape_cell, na_action="ignore")
            for name in table.columns
            if table[name].map(lambda value: isinstance(value, str)).any()
        }
        table = table.assign(**text)
        return table.to_csv(index=False, float_format=format_number, lineterminator="\n")
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    for row in rows:
        for name, value in row.items():
            if isinstance(value, float):
                row[name] = float(format_number(value)) if abs(value) < float("inf") else None
    return printable_json(json.dumps(rows, indent=2, ensure_ascii=False)) + "\n"
