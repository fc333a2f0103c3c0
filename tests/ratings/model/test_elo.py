"""Sequential Elo."""

import numpy as np
import pandas as pd
import pytest

import ratings

FRAME = pd.DataFrame(
    [("A", "B", "model_a"), ("B", "A", "tie"), ("A", "C", "both_bad"), ("C", "B", "model_b")],
    columns=["model_a", "model_b", "winner"],
)


def elo(frame, **options):
    return ratings.elo(ratings.Battles.from_frame(frame), **options)


def test_two_steps_by_hand():
    """Even at first: A takes k/2 = 16. Then 32 apart, A is expected at .5459 and draws."""
    rated = elo(FRAME.iloc[:2], k=32)
    back = 32 * (1 / (1 + 10 ** (-32 / 400)) - 0.5)
    assert back == pytest.approx(1.4695, abs=1e-4)
    assert rated["A"] == pytest.approx(1016 - back)
    assert rated["B"] == pytest.approx(984 + back)


def test_points_are_conserved():
    rated = elo(FRAME, k=24, initial=1500)
    assert rated.sum() == pytest.approx(3 * 1500)


def test_order_matters_and_weights_scale_changes():
    assert not np.allclose(elo(FRAME), elo(FRAME.iloc[::-1]))
    heavier = elo(FRAME.assign(weight=2), k=8)
    assert np.allclose(heavier, elo(FRAME, k=16))


def test_dropped_votes_change_nothing():
    assert np.allclose(elo(FRAME, both_bad="drop"), elo(FRAME.drop(index=2)))
    assert elo(FRAME, ties="drop").equals(elo(FRAME.drop(index=[1, 2])))
    assert np.isnan(elo(FRAME.iloc[2:3], both_bad="drop")).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"ties": "davidson"}, "half or drop, not 'davidson'"), ({"both_bad": "x"}, "not 'x'")],
)
def test_unsupported_rules_are_refused(options, message):
    with pytest.raises(ratings.OptionError, match=message):
        elo(FRAME, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k must be a number above 0, not 0"),
        ({"k": -4}, "k must be a number above 0, not -4"),
        ({"k": float("nan")}, "k must be a number above 0, not nan"),
        ({"scale": 0}, "scale must be a number above 0, not 0"),
        ({"initial": float("inf")}, "initial must be a finite number, not inf"),
    ],
)
def test_invalid_numbers_are_refused(votes_of, options, message):
    battles = ratings.Battles.from_frame(votes_of({("A", "B"): (3, 1, 0)}))
    with pytest.raises(ratings.OptionError, match=message):
        ratings.elo(battles, **options)
