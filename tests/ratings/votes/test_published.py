"""Tables of published sets without a column for the winner's word are read as votes."""

import numpy as np
import pandas as pd
import pytest

import ratings


def kaggle(*answers: tuple[object, object, object]) -> pd.DataFrame:
    return pd.DataFrame(
        [("Ada", "Bell", *marks) for marks in answers],
        columns=["model_a", "model_b", "winner_model_a", "winner_model_b", "winner_tie"],
    )


def rapidata(*rows: tuple[float, float, object]) -> pd.DataFrame:
    return pd.DataFrame(
        [("Ada", "Bell", *row) for row in rows],
        columns=[
            *("model1", "model2", "weighted_results1_Preference", "weighted_results2_Preference"),
            "detailedResults_Preference",
        ],
    )


@pytest.mark.parametrize("marks", [(1, 0), (1.0, 0.0), ("1", "0"), (True, False)])
def test_one_of_three_columns_says_who_won(marks: tuple[object, object]) -> None:
    yes, no = marks
    frame = kaggle((yes, no, no), (no, yes, no), (no, no, yes), (no, no, yes))
    battles = ratings.Battles.from_frame(frame)
    assert battles.counts[:, 0, 1].tolist() == [1, 1, 2, 0]


@pytest.mark.parametrize("marks", [(1, 1, 0), (0, 0, 0), (None, 1, 0), ("x", 1, 0), (2, 0, 0)])
def test_a_row_without_exactly_one_answer_is_named(marks: tuple[object, object, object]) -> None:
    frame = kaggle((1, 0, 0), marks)
    with pytest.raises(ratings.VotesError, match="row 2: exactly one of winner_model_a") as error:
        ratings.Battles.from_frame(frame)
    assert error.value.row == 2


def test_shares_are_as_many_votes_as_there_are_answers() -> None:
    frame = rapidata((0.75, 0.25, [{}] * 8), (0.5, 0.5, None))
    battles = ratings.Battles.from_frame(frame)
    assert battles.pair_sums.weights[:2, 0, 1].tolist() == [6.5, 2.5]
    fitted = ratings.bradley_terry(battles).ratings
    assert fitted["Ada"] - fitted["Bell"] == pytest.approx(400 * np.log10(6.5 / 2.5))


def test_shares_that_are_no_numbers_are_named() -> None:
    with pytest.raises(ratings.VotesError, match="row 1: weighted_results1_Preference"):
        ratings.Battles.from_frame(rapidata((-0.1, 1.1, None)))


def test_a_column_named_winner_is_the_usual_one() -> None:
    frame = kaggle((1, 0, 0)).assign(winner="model_b")
    assert ratings.Battles.from_frame(frame).counts[:, 0, 1].tolist() == [0, 1, 0, 0]


def test_votes_are_split_by_another_column() -> None:
    frame = kaggle((1, 0, 0), (0, 1, 0)).assign(language=["en", "de"])
    parts = ratings.Battles.by_column(frame, "language")
    assert {name: len(part) for name, part in parts.items()} == {"de": 1, "en": 1}
