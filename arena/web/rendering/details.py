"""How far a leaderboard's numbers can be trusted, as HTML tables, with every text escaped."""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any
from urllib.parse import quote

from arena.catalog.registration import PublishedRegistration, describe_deviation
from arena.models import Track
from arena.standings.boards import SOURCES, describe_held_out
from arena.text import page_text, pluralize, utc_text
from arena.web.rendering.tables import EMPTY, Column, render_table, with_minus

Cell = Mapping[str, Any]


def render_details(details: Cell) -> str:
    """The tables: one of measures in sentences, one of neighbours on the leaderboard."""
    cells, reasons = details["cells"], details["cells"]["reasons"]
    rows = [
        (title, _sentence(cells.get(name), describe, reasons.get(name)), SOURCES[name])
        for name, (title, describe) in MEASURES.items()
    ]
    measures = render_table(
        "Measures of trust", MEASURE_TABLE, [(row, "") for row in rows], is_stacked=True
    )
    note = (
        f"<p class='board-note'>From {pluralize(details['votes'], 'vote')}, up to vote "
        f"#{details['watermark']:,}, at {utc_text(details['computed_at'])}. These take longer to "
        "compute than ratings, so they may be of fewer votes.</p>"
    )
    return measures + _neighbours(cells) + note


def render_registration(registration: PublishedRegistration, base_path: str) -> str:
    """What the track registered before its first vote, and what changed since."""
    document = registration.document
    address = f"{base_path}/api/v1/tracks/{quote(registration.track)}/registration"
    changes = "".join(
        f"<li>{escape(page_text(describe_deviation(each)))}, "
        f"noted {utc_text(each['noted_at'])}</li>"
        for each in registration.deviations
    )
    deviations = (
        f"<p class='board-note'><b>Deviations from it:</b></p><ul class='board-note'>{changes}</ul>"
        if changes
        else ""
    )
    return (
        "<p class='board-note'>Registered before the first vote, at "
        f"{utc_text(registration.registered_at)}: "
        f"{pluralize(len(document['prompts']), 'prompt')}, settings and rules "
        f"(<a href='{escape(address, quote=True)}'>SHA-256 {escape(registration.sha256[:12])}…</a>)"
        f". Closes: {escape(page_text(document['stopping_rule']))} "
        f"Left out: {escape(page_text(document['exclusion_rule']))}"
        f"{'' if changes else ' Nothing has changed since.'}</p>{deviations}"
    )


def render_terms(track: Track) -> str:
    """What all clips of a track have in common."""
    sound = "with sound" if track.audio else "without sound"
    rewriting = (
        "Services rewrite no prompt: where they do by default, it is switched off."
        if track.prompt_rewriting == "off"
        else "Makers' services may rewrite prompts, as they do by default."
    )
    return (
        f"<p class='board-note'>All clips: {track.width}x{track.height}, {track.fps} frames/s, "
        f"{track.frames / track.fps:g} s, {sound}. {rewriting}</p>"
    )


def _sentence(cell: Any, describe: Callable[[Cell], str], reason: str | None) -> str:
    if cell is None:
        return f"not known: {reason}" if reason else "not known"
    return describe(cell)


def _share(cell: Cell) -> str:
    return f"{cell['value']:.1%} ({_range(cell, '.1%')}), {pluralize(cell['votes'], 'vote')}"


def _range(cell: Cell, spec: str) -> str:
    if cell["lower"] is None or cell["upper"] is None:
        return "no interval"
    return with_minus(f"{cell['lower']:{spec}} – {cell['upper']:{spec}}")


def _first_place(cell: Cell) -> str:
    first, challenger = (page_text(str(cell[name])) for name in ("model", "challenger"))
    added = cell["added_votes"]
    by_adding = (
        f"{pluralize(added, 'more vote')} for {challenger} against it would do the same"
        if added is not None
        else f"no number of votes for {challenger} against it would do the same"
    )
    match cell["status"]:
        case "ok":
            removed = pluralize(cell["removed_votes"], "vote")
            return (
                f"without {removed} ({cell['removed_share']:.1%}) {challenger} would lead instead "
                f"of {first}; {by_adding}"
            )
        case "tied":
            return f"{first} and {challenger} share the first place: any vote decides"
        case "firm":
            return f"{first} leads even without any of the votes in its favour"
        case _:
            return f"removing votes leaves models without ratings before {first} falls; {by_adding}"


def _first_known(cell: Cell) -> str:
    first, challenger = (page_text(str(cell[name])) for name in ("model", "challenger"))
    votes, sure = pluralize(cell["votes"], "vote"), f"{cell['confidence']:.0%}"
    match cell["status"]:
        case "known":
            return (
                f"{first} is first with {sure} confidence: at least {cell['gap_lower']:.0f} Elo "
                f"ahead of {challenger}, {votes}"
            )
        case "unrated rival":
            return "not known: a model that won votes has no rating yet"
        case _:
            return (
                f"not known yet: {first} is {cell['gap']:.0f} Elo ahead of {challenger} "
                f"(p = {cell['p']:.2g}), {votes}"
            )


def _advantage(cell: Cell) -> str:
    value = with_minus(f"{cell['value']:+.1f}")
    return f"{value} Elo ({_range(cell, '+.1f')}), {pluralize(cell['votes'], 'vote')}"


def _beyond(cell: Cell) -> str:
    if cell["value"] is None:
        return "not known: all answers are alike"
    value = with_minus(f"{cell['value']:.2f}")
    return f"{value} ({_range(cell, '.2f')}), {pluralize(cell['votes'], 'repeat')}"


def _fit(cell: Cell) -> str:
    p = "not testable" if cell["p"] is None else f"p = {cell['p']:.3f}"
    poor = len(cell["poor_pairs"])
    return (
        f"{p}, {pluralize(cell['votes'], 'vote')} for a side on "
        f"{pluralize(cell['pairs'], 'pair')}; "
        f"{pluralize(poor, 'pair')} off by more than chance; "
        f"{cell['circular']:g} of {pluralize(cell['triads'], 'triad')} circular"
    )


def _held_out(cell: Cell) -> str:
    votes = (
        f"{pluralize(cell['votes'], 'vote')} on held-out prompts, "
        f"{cell['votes_rest']:,} on the others"
    )
    return f"{describe_held_out(cell) or 'no model departs'}; {votes}"


def _plan(cell: Cell) -> str:
    if cell["first_known"]:
        return f"{page_text(str(cell['first']))} is ahead of all others with 95% confidence"
    if cell["first_votes"] is None:
        return "no number of votes is expected to settle who is first"
    return (
        f"{pluralize(cell['first_votes'], 'more vote')} in this track until the first place is "
        f"settled, with a probability of {cell['power']:.0%}"
    )


MEASURES: dict[str, tuple[str, Callable[[Cell], str]]] = {
    "first_place": ("First place", _first_place),
    "first_known": ("Known, however often one looks", _first_known),
    "plan": ("To settle it", _plan),
    "left_side": ("Votes for the left side", _share),
    "left_advantage": ("Advantage of the left side", _advantage),
    "first_played": ("Votes for the clip played first", _share),
    "repeats": ("Same answer when asked again", _share),
    "repeats_beyond_chance": ("The same beyond chance", _beyond),
    "held_out": ("Held-out prompts against the rest", _held_out),
    "fit": ("Fit of the model", _fit),
}
MEASURE_TABLE = (
    Column[tuple[str, str, str]]("Measure", lambda row: f"<b>{escape(row[0])}</b>", is_name=True),
    Column[tuple[str, str, str]]("Value", lambda row: escape(row[1]), css="status"),
    Column[tuple[str, str, str]](
        "How it is computed", lambda row: f"<small>{escape(row[2])}</small>", css="status wrapped"
    ),
)


def _number(row: Cell, name: str) -> str:
    value = row.get(name)
    return "no number is enough" if value is None else f"{value:,}"


NEIGHBOUR_TABLE = (
    Column[Cell](
        "Model", lambda row: f"<b>{escape(page_text(str(row['model'])))}</b>", is_name=True
    ),
    Column[Cell]("Next", lambda row: escape(page_text(str(row["next"]))), css="status"),
    Column[Cell](
        "Probability above",
        lambda row: EMPTY if row["probability"] is None else f"{row['probability']:.1%}",
        SOURCES["above_next"],
    ),
    Column[Cell](
        "Elo apart",
        lambda row: with_minus(
            f"{row['gap']:.0f} <small>({row['gap_lower']:.0f} – {row['gap_upper']:.0f})</small>"
        ),
        "Difference of both ratings, with its 95% interval",
    ),
    Column[Cell](
        "More votes",
        lambda row: "told apart" if row["told_apart"] else _number(row, "more_votes"),
        SOURCES["plan"],
    ),
    Column[Cell](
        "If only on this pair",
        lambda row: EMPTY if row["told_apart"] else _number(row, "direct_votes"),
        "The same if every further vote is on these two models",
    ),
)


def _neighbours(cells: Cell) -> str:
    """The table of neighbours; empty if no two models are rated."""
    if not cells["above_next"] or not cells["plan"]:
        return ""
    probability = {(row["model"], row["next"]): row["probability"] for row in cells["above_next"]}
    rows = [
        ({**row, "probability": probability.get((row["model"], row["next"]))}, "")
        for row in cells["plan"]["neighbours"]
    ]
    return render_table("Neighbours on the leaderboard", NEIGHBOUR_TABLE, rows)
