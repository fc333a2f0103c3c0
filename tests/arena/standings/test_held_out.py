"""Votes on held-out prompts reveal nothing and count, and their ratings are compared."""

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select

import ratings
from arena.catalog.prompts import count_held_out, import_prompts
from arena.catalog.schemas import PromptEntry
from arena.catalog.tracks import find_track
from arena.database import Database
from arena.errors import CatalogError
from arena.models import Entrant, Prompt, VoterKind
from arena.standings.boards import SOURCES, describe_held_out, held_out_alarm
from arena.standings.details import compute_details
from arena.standings.rated_votes import RatedVotes
from arena.standings.standings import leaderboard
from arena.standings.vote_arrays import FIRST_UNKNOWN
from arena.web.rendering.details import MEASURES
from small_arena import NAMES, START, TRACK, Booth

NO_REPEATS = {name: np.zeros(0, dtype=np.int8) for name in ("answer", "again", "voter")}


def cell_of(*, lift: float, votes: int = 6000) -> dict[str, object] | None:
    """The cell of a leaderboard whose other prompts lift Cedar, and whose held-out ones do not."""
    rng = np.random.default_rng(1)
    left = rng.integers(0, 3, votes)
    right = (left + rng.integers(1, 3, votes)) % 3
    inside = rng.random(votes) < 0.25
    gap = np.where(inside, 0, lift) * ((left == 2) * 1.0 - (right == 2))
    won = rng.random(votes) < 1 / (1 + 10 ** (-gap / 400))
    frame = pd.DataFrame(
        {
            "model_a": pd.Categorical.from_codes(left, pd.Index(NAMES)),
            "model_b": pd.Categorical.from_codes(right, pd.Index(NAMES)),
            "winner": np.where(won, "model_a", "model_b"),
            "voter": pd.Categorical(rng.integers(0, 200, votes)),
        }
    )
    entrants = {name: Entrant(id=number, name=name) for number, name in enumerate(NAMES)}
    battles = ratings.Battles.from_frame(frame, models=list(NAMES))
    first = np.full(votes, FIRST_UNKNOWN, np.int8)
    rated = RatedVotes(battles, entrants, first, NO_REPEATS, inside)
    found = compute_details(rated, ties="half")["held_out"]
    assert found is None or isinstance(found, dict)
    return found


def test_ratings_that_depart_are_named_and_others_are_not() -> None:
    cell = cell_of(lift=120)
    assert cell is not None
    departing = [each["model"] for each in cell["models"] if each["departs"]]
    assert 2 in departing
    assert cell["departing"] == len(departing)
    named = cell | {"models": [each | {"model": NAMES[each["model"]]} for each in cell["models"]]}
    sentence = MEASURES["held_out"][1](named)
    assert "ratings depart on held-out prompts: " in sentence
    assert "Cedar -" in sentence
    quiet = cell_of(lift=0)
    assert quiet is not None
    assert quiet["departing"] == 0
    assert describe_held_out(quiet) is None
    assert MEASURES["held_out"][1](quiet).startswith("no model departs; ")
    assert "held_out" in SOURCES


def test_few_votes_say_nothing_yet() -> None:
    assert cell_of(lift=120, votes=150) is None


def test_a_vote_on_a_held_out_prompt_reveals_nothing_and_counts(
    arena_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.standings.lots.LOT_VOTES", 1)
    with arena_database.writing() as session:
        for prompt in session.scalars(select(Prompt)):
            prompt.held_out = True
    booth = Booth(arena_database)
    cast = booth.vote("a")
    assert (cast.reveal, cast.status) == (None, "counted")
    board = leaderboard(arena_database, track_name=TRACK, voters=VoterKind.PERSON, now=booth.now)
    assert board.votes == 1
    assert held_out_alarm(board) is None
    assert board.details is not None
    reasons = board.details["cells"]["reasons"]
    assert reasons["held_out"] == "all votes are on held-out prompts"


def test_prompts_are_held_out_by_a_column_and_stay_as_they_are(arena_database: Database) -> None:
    with arena_database.writing() as session:
        entries = [
            PromptEntry(id="h-1", text="Held", held_out=True),
            PromptEntry(id="h-2", text="Private", private=True),
        ]
        import_prompts(session, entries, now=START)
        assert session.get_one(Prompt, "h-1").is_held_out
        assert session.get_one(Prompt, "h-2").held_out
        assert not session.get_one(Prompt, "p-1").is_held_out
        assert count_held_out(session, find_track(session, TRACK)) == 2
        import_prompts(session, entries, now=START)
        late = PromptEntry(id="p-1", text="Prompt p-1", held_out=True)
        with pytest.raises(CatalogError, match="p-1 exists and is not held out"):
            import_prompts(session, [late], now=START)
