"""What a leaderboard says of held votes, in sentences for terminals and pages."""

from typing import Any

from arena.standings.boards import Board, BoardRow, rank_range
from arena.standings.hold_share import UNKNOWN, UNUSUAL
from arena.text import pluralize


def describe_held(board: Board) -> list[str]:
    """Return sentences: how many votes are held and why, and whether that is usual."""
    holds = board.holds
    if holds is None:
        return []
    lines = []
    if holds["held"]:
        by_rule = ", ".join(f"{each['votes']:,} {each['reason']}" for each in holds["by_rule"])
        lines.append(
            f"{holds['held']:,} of {pluralize(holds['votes'], 'vote')} ({holds['share']:.1%}) "
            f"held: {by_rule}."
        )
        if holds["without"] is not None:
            lines.append(_describe_effect(board, holds["without"]))
    alarm = holds["alarm"]
    if alarm is not None and holds["held"]:
        lines.append(_describe_alarm(alarm))
    lines += [
        f"{each['model']} is under review: {each['reason']}" for each in holds["under_review"]
    ]
    return lines


def ratings_without(board: Board) -> dict[str, dict[str, Any]]:
    """Return the ratings without holds by model; empty if no event holds a vote."""
    holds = board.holds
    if holds is None or holds["without"] is None:
        return {}
    return {each["model"]: each for each in holds["without"]}


def under_review(board: Board) -> dict[str, str]:
    """Return the models that are under review, with the reason."""
    if board.holds is None:
        return {}
    return {each["model"]: each["reason"] for each in board.holds["under_review"]}


def rank_without(without: dict[str, Any]) -> str | None:
    """Return the ranks that the votes allow without holds, such as "1-3"."""
    lower, upper = without["rank_lower"], without["rank_upper"]
    if lower is None or upper is None:
        return None
    return str(lower) if lower == upper else f"{lower}-{upper}"


def _describe_effect(board: Board, without: list[dict[str, Any]]) -> str:
    rows = {row.model: row for row in board.rows}
    moved: list[tuple[float, BoardRow, dict[str, Any]]] = []
    for each in without:
        row = rows.get(each["model"])
        if row is None or row.rating is None or each["rating"] is None:
            continue
        moved.append((abs(each["rating"] - row.rating), row, each))
    if not moved:
        return "Without holds, no rating can be compared."
    size, row, each = max(moved, key=lambda found: found[0])
    ranks = [
        f"{one.model} {rank_without(other)} instead of {rank_range(one)}"
        for _, one, other in moved
        if rank_without(other) != rank_range(one)
    ]
    sentence = (
        f"Without holds, ratings differ by {size:.1f} Elo at most ({row.model}: "
        f"{each['rating']:.0f} instead of {row.rating:.0f})"
    )
    return f"{sentence}; ranks: {', '.join(ranks)}." if ranks else f"{sentence}, and no rank does."


def _describe_alarm(alarm: dict[str, Any]) -> str:
    if alarm["status"] == UNKNOWN:
        return (
            f"What share of votes is usually held is not known yet: too little history, "
            f"{pluralize(alarm['days'], 'day')} with votes."
        )
    share = "no votes today" if alarm["share"] is None else f"{alarm['share']:.1%} today"
    usual = f"its usual range of {alarm['lower']:.1%} to {alarm['upper']:.1%}"
    if alarm["status"] == UNUSUAL:
        return f"Alarm: the share of votes held, {share}, is outside {usual}."
    return f"The share of votes held, {share}, is in {usual}."
