"""`/leaderboard`: ratings of a track with intervals and counts, by category and kind of voter."""

from dataclasses import replace
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from arena.catalog.registration import PublishedRegistration, find_registration
from arena.catalog.tracks import find_track, list_tracks
from arena.catalog.variants import Variants, variants_by_name
from arena.context import utc_now
from arena.errors import ArenaError, DatabaseError, StoreUnavailable
from arena.models import OVERALL, VoterGroup, VoterKind
from arena.standings import standings
from arena.standings.boards import Board, describe_age, describe_intervals, held_out_alarm
from arena.standings.hold_texts import describe_held
from arena.standings.production_stats import ProductionStats, production_stats
from arena.text import page_text, pluralize, track_label, utc_text
from arena.voting.matchmaking import is_active
from arena.web.rendering.charts import pair_chart, rating_chart
from arena.web.rendering.details import render_details, render_registration, render_terms
from arena.web.rendering.tables import render_board, render_production_stats
from arena.web.rendering.theme import PALETTES, Palette
from arena.web.views.app_state import get_arena
from arena.web.views.last_known import last_known

METHOD_URL = "{base}/about#how-ratings-are-computed"
CACHE_S = 5  # readers within this time share one query


@last_known
@st.cache_data(ttl=CACHE_S, max_entries=256, show_spinner=False)
def _tracks() -> list[str]:
    """Names of the active tracks; of all tracks if none is active."""
    with get_arena().database.reading() as session:
        tracks = list_tracks(session)
        active = [track.name for track in tracks if is_active(session, track)]
        return active or [track.name for track in tracks]


@last_known
@st.cache_data(ttl=CACHE_S, max_entries=256, show_spinner=False)
def _first_voters(track: str) -> str:
    """Whose votes the page opens on: people's, unless only simulated voters have voted."""
    voted = [group for group in VoterGroup if _board(track, OVERALL, group.value).votes]
    only_simulated = voted == [VoterGroup.SIMULATED]
    return (VoterGroup.SIMULATED if only_simulated else VoterGroup.PEOPLE).value


@last_known
@st.cache_data(ttl=CACHE_S, max_entries=256, show_spinner=False)
def _categories(track: str) -> list[str]:
    with get_arena().database.reading() as session:
        return standings.known_categories(session, find_track(session, track))


# A resource is shared between readers; nobody changes a board.
@st.cache_resource(ttl=CACHE_S, max_entries=256, show_spinner=False)
def _board(track: str, category: str, voters: str) -> Board:
    board = standings.leaderboard(
        get_arena().database,
        track_name=track,
        category=category,
        voters=VoterGroup(voters).kind,
        now=utc_now(),
    )
    return _with_page_texts(board)


def _with_page_texts(board: Board) -> Board:
    """The board with names as pages show them."""
    rows = [
        replace(row, model=page_text(row.model), creator=row.creator and page_text(row.creator))
        for row in board.rows
    ]
    pairs = [
        replace(each, model_a=page_text(each.model_a), model_b=page_text(each.model_b))
        for each in board.pairs
    ]
    return replace(board, rows=rows, pairs=pairs, holds=_with_page_names(board.holds))


def _with_page_names(value: Any) -> Any:
    """What the board says of held votes, with models' names as pages show them."""
    if isinstance(value, dict):
        return {
            key: page_text(each) if key == "model" else _with_page_names(each)
            for key, each in value.items()
        }
    return [_with_page_names(each) for each in value] if isinstance(value, list) else value


@last_known
@st.cache_data(ttl=CACHE_S, max_entries=1, show_spinner=False)
def _variants() -> dict[str, Variants]:
    """The variants of each model's maker, by the name that pages show."""
    with get_arena().database.reading() as session:
        counted = variants_by_name(session)
    return {page_text(name): variants for name, variants in counted.items()}


@last_known
@st.cache_data(ttl=CACHE_S, max_entries=256, show_spinner=False)
def _production_stats(track: str) -> list[ProductionStats]:
    with get_arena().database.reading() as session:
        records = production_stats(session, find_track(session, track), now=utc_now())
    return [replace(each, model=page_text(each.model)) for each in records]


@last_known
@st.cache_data(ttl=CACHE_S, max_entries=256, show_spinner=False)
def _registration(track: str) -> PublishedRegistration | None:
    with get_arena().database.reading() as session:
        return find_registration(session, find_track(session, track))


@last_known
@st.cache_data(ttl=CACHE_S, max_entries=256, show_spinner=False)
def _terms(track: str) -> str:
    with get_arena().database.reading() as session:
        return render_terms(find_track(session, track))


def show_leaderboard() -> None:
    """Render the page: controls, charts, tables, and how they were computed."""
    palette = PALETTES.get(st.context.theme.type or "dark", PALETTES["dark"])
    st.html(_style(palette))
    try:
        _show(palette)
    except ArenaError as error:
        sentence = error.sentence if isinstance(error, StoreUnavailable) else str(error)
        st.html(_notice("The leaderboard cannot be shown", escape(sentence), ""))


def _style(palette: Palette) -> str:
    sheet = (files("arena.web.views") / "board.css").read_text(encoding="utf-8")
    return f"<style>:root {{ {palette.as_css('board-')} }}\n{sheet}</style>"


def _show(palette: Palette) -> None:
    tracks = _tracks()
    heading = st.container()
    if not tracks:
        st.html(_notice("There are no tracks yet", "Run <code>arena init</code>.", ""))
        return
    track, category, voters = _choose(tracks)
    board = _board(track, category, voters)
    heading.html(_heading(board))
    if voters == VoterGroup.SIMULATED:
        st.html(
            "<p class='simulated-notice'><b>Simulated votes, not people.</b> A program cast them, "
            "based on measurements of the clips. They are never mixed with people's votes.</p>"
        )
    if board.stale:
        age = describe_age(board, now=utc_now())
        st.html(
            f"<p class='stale-notice'><b>This leaderboard is {age}.</b> A newer one cannot be "
            "computed now, because the arena's database does not respond or the process that "
            "computes leaderboards does not run.</p>"
        )
    if alarm := held_out_alarm(board):
        st.html(f"<p class='stale-notice'><b>Alarm.</b> {escape(alarm)}</p>")
    if board.votes == 0:
        st.html(_no_votes(track, voters))
        if not board.rows:
            return
    else:
        chart = rating_chart(board, palette)
        if chart:
            st.vega_lite_chart(chart, width="stretch", theme=None, key="ratings")
    st.html(render_board(board, _variants()))
    st.html(_provenance(board))
    st.html(_terms(track))
    if (registration := _registration(track)) is not None:
        st.html(render_registration(registration, get_arena().settings.base_path))
    _show_held(board)
    if board.votes:
        _show_pairs(board, palette)
        _show_details(board)
    _show_production(track)


def _choose(tracks: list[str]) -> tuple[str, str, str]:
    """Track, category and voters, kept in the page's URL."""
    # The page's URL contains the track's label; its name, as in the API, works too.
    named = st.query_params.get("track", "")
    st.session_state.setdefault("track", named if named in tracks else tracks[0])
    track = st.segmented_control(
        "Track",
        tracks,
        required=True,
        format_func=track_label,
        key="track",
        bind="query-params",
    )
    categories = _categories(track or tracks[0])
    columns = st.columns([2, 2, 3], vertical_alignment="bottom")
    with columns[0]:
        category = st.selectbox(
            "Category",
            categories,
            format_func=str.capitalize,
            key="category",
            bind="query-params",
        )
    with columns[1]:
        _open_on_voters(track or tracks[0])
        voters = st.segmented_control(
            "Voters",
            [group.value for group in VoterGroup],
            required=True,
            format_func=str.capitalize,
            key="voters",
            bind="query-params",
            on_change=_keep_voters,
        )
    return track or tracks[0], category or OVERALL, voters or VoterGroup.PEOPLE.value


def _open_on_voters(track: str) -> None:
    """Set whose votes are shown, until the reader or the URL says."""
    named = st.query_params.get("voters", "").lower()
    if "voters" not in st.session_state and named in list(VoterGroup):
        st.session_state["voters"] = named
        _keep_voters()
    elif not st.session_state.get("keeps_voters"):
        st.session_state["voters"] = _first_voters(track)


def _keep_voters() -> None:
    st.session_state["keeps_voters"] = True


def _heading(board: Board) -> str:
    votes = "vote" if board.votes == 1 else "votes"
    kind = f"blind {votes} by people" if board.voters is VoterKind.PERSON else f"simulated {votes}"
    return (
        "<h1 class='board-title'>Leaderboard</h1>"
        f"<p class='board-lead'>{escape(track_label(board.track))}. Elo from "
        f"<b>{board.votes:,}</b> {kind}. "
        "A rank such as 1 – 3 is the best and the worst that the votes allow: with 95% confidence, "
        "all models are within theirs.</p>"
    )


def _ties(board: Board) -> str:
    ties = board.parameters["ties"]
    return "ties and both bad count half" if ties == "half" else f"ties by {ties}"


def _provenance(board: Board) -> str:
    """Where the numbers come from, and links to them."""
    query = {
        "track": board.track,
        "category": board.category,
        "voters": board.voters.group.value,
        "format": "csv",
    }
    base = get_arena().settings.base_path
    csv = f"{base}/api/v1/leaderboard?{urlencode(query)}"
    json = f"{base}/api/v1/leaderboard?{urlencode(query | {'format': 'json'})}"
    time = utc_text(board.computed_at)
    method = f"Bradley-Terry, {_ties(board)}, mean 1000; {describe_intervals(board)}"
    return (
        f"<p class='board-note'>Computed from {pluralize(board.votes, 'vote')} up to vote "
        f"#{board.watermark:,} at {time} ({describe_age(board, now=utc_now())}). {escape(method)} "
        f"(<a href='{METHOD_URL.format(base=base)}' target='_self'>method</a>). "
        f"<a href='{escape(csv, quote=True)}' download>CSV</a> · "
        f"<a href='{escape(json, quote=True)}'>JSON</a></p>"
    )


# Built once for all readers of a snapshot: a resource is shared, where data would be copied.
@st.cache_resource(max_entries=64, show_spinner=False)
def _pair_chart(_board: Board, _palette: Palette, *_key: object) -> dict[str, Any] | None:
    return pair_chart(_board.pairs, [row.model for row in _board.rows], _palette)


def _show_pairs(board: Board, palette: Palette) -> None:
    key = (board.track, board.category, board.voters.value, board.computed_at.isoformat())
    names = tuple(row.model for row in board.rows)
    chart = _pair_chart(board, palette, *key, board.watermark, palette.paper, names)
    if chart:
        st.subheader("Win rate, row against column", anchor=False)
        st.vega_lite_chart(dict(chart), width="content", theme=None, key="pairs")


def _show_held(board: Board) -> None:
    """Which votes do not count, and what difference that makes."""
    lines = describe_held(board)
    if lines:
        st.subheader("Votes that are held", anchor=False)
        st.html("".join(f"<p class='board-note'>{escape(line)}</p>" for line in lines))


def _show_details(board: Board) -> None:
    """How far the numbers can be trusted, and what more votes would settle."""
    if board.details is None:
        return
    st.subheader("How far these numbers can be trusted", anchor=False)
    st.html(render_details(board.details))


def _show_production(track: str) -> None:
    try:
        records = _production_stats(track)
    except DatabaseError:
        return
    base = get_arena().settings.base_path
    if records:
        st.subheader("Generation time and cost", anchor=False)
        st.html(render_production_stats(track, records))
        clips = sum(record.clips for record in records)
        st.html(
            f"<p class='board-note'>Measured while {pluralize(clips, 'clip')} of this track were "
            "generated, beside anything else that ran on the machine; these are not the makers' "
            "figures. Medians and shares have 95% intervals. From order to file is what a user of "
            "a service waits for, over the last 14 days. Values that were not reported are "
            "left empty. "
            "Price, memory and hardware of a model under a codename appear once its maker claims "
            "it. "
            f"<a href='{base}/api/v1/production?{urlencode({'track': track})}'>JSON</a></p>"
        )


def _no_votes(track: str, voters: str) -> str:
    if voters == VoterGroup.SIMULATED:
        return _notice(
            "No simulated votes in this track",
            f"<code>arena simulate --votes 500 --track {escape(track)}</code> adds simulated votes "
            "to this leaderboard. People's votes have their own.",
            "",
        )
    return _notice(
        "No votes yet",
        "This leaderboard is computed from people's blind votes, and nobody has voted in this "
        "track yet. Watch two clips and choose the better one.",
        f"<a class='action' href='{get_arena().settings.base_path}/' target='_self'>"
        "Cast the first vote</a>",
    )


def _notice(title: str, text: str, action: str) -> str:
    return f"<div class='notice'><h2>{title}</h2><p>{text}</p>{action}</div>"
