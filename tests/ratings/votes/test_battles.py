"""Valid and invalid tables of votes."""

import numpy as np
import pandas as pd
import pytest

import ratings
from ratings.votes.columns import Outcome

GOOD = pd.DataFrame(
    {
        "model_a": ["B", "A", "C", "A"],
        "model_b": ["A", "C", "B", "B"],
        "winner": ["model_a", "tie", "both_bad", "model_b"],
    }
)


def battles(**columns):
    return ratings.Battles.from_frame(GOOD.assign(**columns))


def test_names_and_outcomes_become_codes():
    coded = battles()
    assert coded.models == ("A", "B", "C")
    assert coded.a.tolist() == [1, 0, 2, 0]
    assert coded.b.tolist() == [0, 2, 1, 1]
    assert coded.outcome.tolist() == [Outcome.A, Outcome.TIE, Outcome.BOTH_BAD, Outcome.B]
    assert coded.pair_sums.votes.sum() == 4
    assert coded.pair_sums.votes[Outcome.B, 0, 1] == 1


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_every_string_type_is_read_alike(dtype):
    coded = ratings.Battles.from_frame(GOOD.astype(dtype))
    assert coded.models == ("A", "B", "C")
    assert np.array_equal(coded.pair_sums.votes, battles().pair_sums.votes)


def test_unused_categories_are_not_models():
    frame = GOOD.astype({"model_a": pd.CategoricalDtype(["A", "B", "C", "never"])})
    assert ratings.Battles.from_frame(frame).models == ("A", "B", "C")
    assert ratings.Battles.from_frame(frame, models=["never"]).models == ("A", "B", "C", "never")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["left", "right", "winner"], ["left", "tie", "tie", "right"]),
        (
            ["left_model", "right_model", "vote_type"],
            ["leftvote", "tievote", "bothbad_vote", "rightvote"],
        ),
        (["model_a", "model_b", "winner"], ["model_a", "tie", "tie (bothbad)", "model_b"]),
    ],
)
def test_other_sources_layouts(columns, words):
    frame = GOOD.set_axis(columns, axis=1).assign(**{columns[2]: words})
    coded = ratings.Battles.from_frame(frame)
    assert np.array_equal(coded.a, battles().a)
    assert coded.outcome[[0, 1, 3]].tolist() == [Outcome.A, Outcome.TIE, Outcome.B]


def test_uncounted_votes_are_not_checked():
    for no in (False, "False", "false", 0):
        coded = battles(counted=[True, True, True, no], winner=["model_a", "tie", "tie", "??"])
        assert len(coded.a) == 3


def test_repeats_and_weight_0_do_not_rate():
    assert battles(repeat_of=[None, "v1", "", None]).rows.tolist() == [0, 2, 3]
    coded = battles(weight=[2, 0, 0.5, 0])
    assert coded.rows.tolist() == [0, 2]
    assert coded.models == ("A", "B", "C")
    assert coded.pair_sums.weights.sum() == 2.5
    assert coded.pair_sums.squared_weights.sum() == 4.25
    assert coded.pair_sums.votes.sum() == 2


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"winner": ["model_a", "tie", "left", "tie"]},
            "row 3: winner is 'left', not one of model_a, model_b, tie, both_bad",
        ),
        ({"winner": ["model_a", None, "tie", "tie"]}, "row 2: winner is empty"),
        ({"model_a": ["B", "A", "C", " "]}, "row 4: model_a is empty"),
        ({"model_b": ["A", np.nan, "B", "B"]}, "row 2: model_b is empty"),
        ({"model_b": ["A", "C", "C", "B"]}, "row 3: 'C' is on both sides"),
        ({"weight": [1, 1, 1, -0.5]}, "row 4: weight is -0.5"),
        ({"weight": [1, np.nan, 1, 1]}, "row 2: weight is nan"),
        ({"weight": ["1", "1", "many", "1"]}, "row 3: weight is many"),
        ({"weight": [np.inf, 1, 1, 1]}, "row 1: weight is inf"),
        ({"counted": [True, "maybe", True, True]}, "row 2: counted is 'maybe'"),
        ({"counted": [True, True, None, True]}, "row 3: counted is empty"),
    ],
)
def test_errors_name_the_row(columns, message):
    for dtype in ("as it is", "category"):
        frame = GOOD.assign(**columns)
        if dtype == "category":
            frame = frame.astype({"model_a": dtype, "model_b": dtype, "winner": dtype})
        with pytest.raises(ratings.VotesError) as caught:
            ratings.Battles.from_frame(frame)
        assert str(caught.value).startswith(message)


def test_rows_are_counted_in_the_original_table():
    frame = GOOD.assign(counted=[False, False, True, True], winner=["tie", "tie", "tie", "x"])
    with pytest.raises(ratings.VotesError, match="row 4: winner is 'x'"):
        ratings.Battles.from_frame(frame.set_axis([9, 9, 9, 9]))


def test_missing_columns_are_named():
    with pytest.raises(ratings.VotesError, match=r"model_a, model_b, winner .*found: a, winner"):
        ratings.Battles.from_frame(pd.DataFrame({"a": ["x"], "winner": ["tie"]}))


@pytest.mark.parametrize(
    ("column", "values"),
    [("track", ["text-to-video", "video-edit"]), ("voter_kind", ["person", "simulated"])],
)
def test_tracks_and_kinds_of_voters_are_never_mixed(column, values):
    with pytest.raises(ratings.VotesError, match=f"2 values of {column} \\({', '.join(values)}\\)"):
        battles(**{column: values * 2})
    assert len(battles(**{column: values * 2}, counted=[True, False] * 2).a) == 2
    split = ratings.Battles.by_column(GOOD.assign(**{column: values * 2}), column)
    assert list(split) == values
    assert split[values[0]].rows.tolist() == [0, 2]
    with pytest.raises(ratings.VotesError, match=f"values of {column}"):
        ratings.Battles.by_column(GOOD.assign(**{column: values * 2}, language="en"), "language")


def test_splitting_keeps_row_numbers():
    frame = GOOD.assign(language=["en", "de", "en", "de"], winner=["tie", "tie", "tie", "x"])
    with pytest.raises(ratings.VotesError, match="row 4"):
        ratings.Battles.by_column(frame, "language")
    with pytest.raises(ratings.OptionError, match="no column 'country'"):
        ratings.Battles.by_column(frame, "country")


def test_an_empty_table_is_accepted():
    for frame in (pd.DataFrame(), GOOD.iloc[:0], GOOD.assign(counted=False)):
        assert ratings.Battles.from_frame(frame).pair_sums.votes.sum() == 0


def test_votes_from_counts():
    coded = battles()
    counted = ratings.Battles.from_counts(coded.models, coded.counts)
    assert len(counted) == 4
    votes = zip(counted.a, counted.b, counted.outcome, strict=True)
    assert sorted(votes) == sorted(zip(coded.a, coded.b, coded.outcome, strict=True))
    assert ratings.leaderboard(counted).equals(ratings.leaderboard(coded))


@pytest.mark.parametrize(
    ("models", "counts", "message"),
    [
        (["A", "A"], np.zeros((4, 2, 2)), "named twice"),
        (["A", "B"], np.zeros((3, 2, 2)), r"the shape \(3, 2, 2\), not \(4, 2, 2\)"),
        (["A", "B"], np.full((4, 2, 2), 0.5), "whole numbers"),
        (["A", "B"], np.full((4, 2, 2), -1), "whole numbers"),
        (["A", "B"], np.full((4, 2, 2), np.nan), "whole numbers"),
        (["A", "B"], np.ones((4, 2, 2)), "diagonal of the counts must be 0"),
    ],
)
def test_invalid_counts_are_refused(models, counts, message):
    with pytest.raises(ratings.VotesError, match=message):
        ratings.Battles.from_counts(models, counts)
