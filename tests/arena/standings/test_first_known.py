"""A leaderboard says whether its first place is known, and the page puts it in a sentence."""

import json

import numpy as np
import pandas as pd
import pytest

import ratings
from arena.models import Entrant
from arena.standings.boards import MODEL_KEYS, SOURCES
from arena.standings.details import compute_details
from arena.standings.rated_votes import RatedVotes
from arena.standings.vote_arrays import FIRST_UNKNOWN
from arena.web.rendering.details import MEASURES

NAMES = ("Ada", "Bell")
NO_REPEATS = {name: np.zeros(0, dtype=np.int8) for name in ("answer", "again", "voter")}


def details(wins: int, losses: int) -> dict[str, object]:
    """Of a leaderboard of two models, one vote a voter."""
    votes = wins + losses
    frame = pd.DataFrame(
        {
            "model_a": pd.Categorical([NAMES[0]] * votes, NAMES),
            "model_b": pd.Categorical([NAMES[1]] * votes, NAMES),
            "winner": ["model_a"] * wins + ["model_b"] * losses,
            "voter": pd.Categorical(range(votes)),
        }
    )
    entrants = {name: Entrant(id=number, name=name) for number, name in enumerate(NAMES, start=7)}
    battles = ratings.Battles.from_frame(frame, models=list(NAMES))
    rated = RatedVotes(battles, entrants, np.full(votes, FIRST_UNKNOWN, np.int8), NO_REPEATS)
    return compute_details(rated, ties="half")


@pytest.mark.parametrize(
    ("wins", "losses", "status", "sentence"),
    [
        (400, 100, "known", "Ada is first with 95% confidence: at least "),
        (260, 240, "open", "not known yet: Ada is 14 Elo ahead of Bell (p = 1), 500 votes"),
    ],
)
def test_the_first_place_is_known_or_not_and_the_page_says_so(
    wins: int, losses: int, status: str, sentence: str
) -> None:
    cell = details(wins, losses)["first_known"]
    assert isinstance(cell, dict)
    assert (cell["model"], cell["challenger"]) == (7, 8)
    assert (cell["status"], cell["known"]) == (status, status == "known")
    assert (cell["votes"], cell["models"], cell["confidence"]) == (wins + losses, 2, 0.95)
    assert (cell["gap_lower"] > 0) == cell["known"]
    json.dumps(cell, allow_nan=False)
    named = cell | {key: {7: "Ada", 8: "Bell"}[cell[key]] for key in MODEL_KEYS & set(cell)}
    assert MEASURES["first_known"][1](named).startswith(sentence)
    assert "first_known" in SOURCES


def test_without_two_rated_models_the_reason_is_given() -> None:
    found = details(0, 0)
    assert found["first_known"] is None
    assert found["reasons"]["first_known"]  # type: ignore[index]
