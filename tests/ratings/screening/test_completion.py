"""The completion test finds a model whose battles alone are finished, and alarms rarely else."""

import numpy as np
import pytest

from ratings import OptionError
from ratings.screening.completion import completion_test

MODELS = 20


def simulated(
    rng: np.random.Generator, *, days: int, battles: int, dull: float = 0.0, completed: float = 0.64
) -> tuple[np.ndarray, np.ndarray]:
    """Battles of honest voters; `dull` is the standard deviation of the models' completion."""
    effect = rng.normal(0, dull, MODELS)
    issued, voted = np.zeros((2, days, MODELS))
    for day in range(days):
        left = rng.integers(MODELS, size=battles)
        right = (left + rng.integers(1, MODELS, size=battles)) % MODELS
        rate = completed + rng.normal(0, 0.05) + (effect[left] + effect[right]) / 2
        done = rng.random(battles) < rate
        for side in (left, right):
            issued[day] += np.bincount(side, minlength=MODELS)
            voted[day] += np.bincount(side[done], minlength=MODELS)
    return issued, voted


def attacked(
    rng: np.random.Generator,
    issued: np.ndarray,
    voted: np.ndarray,
    *,
    votes: int,
    abandoned: int = 9,
) -> None:
    """Add the last day's battles of somebody who votes on model 0 only, and abandons the others."""
    other = rng.integers(1, MODELS, size=votes)
    for table in (issued, voted):
        table[-1, 0] += votes
        table[-1] += np.bincount(other, minlength=MODELS)
    left = rng.integers(1, MODELS, size=votes * abandoned)
    right = 1 + (left + rng.integers(0, MODELS - 2, size=left.size)) % (MODELS - 1)
    for side in (left, right):
        issued[-1] += np.bincount(side, minlength=MODELS)


@pytest.mark.parametrize("days", [1, 8])
@pytest.mark.parametrize(("battles", "votes"), [(15_000, 250), (150_000, 1000)])
def test_votes_on_one_model_alone_raise_an_alarm_for_it(
    days: int, battles: int, votes: int
) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        issued, voted = simulated(rng, days=days, battles=battles)
        attacked(rng, issued, voted, votes=votes)
        tested = completion_test(issued, voted)
        assert tested.alarm[-1, 0]
        assert tested.z[-1].argmax() == 0
        assert not tested.alarm[:-1].any()


def test_honest_days_raise_hardly_any_alarm_although_some_models_are_dull() -> None:
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        tested = completion_test(*simulated(rng, days=10, battles=5000, dull=0.05))
        alarms += tested.alarm.sum()
    assert alarms <= 1  # of 4,000 tests


def test_a_model_that_is_always_finished_more_often_raises_none_on_later_days() -> None:
    rng = np.random.default_rng(1)
    issued, voted = simulated(rng, days=6, battles=20_000, dull=0.05)
    voted[:, 3] = np.minimum(issued[:, 3], voted[:, 3] * 1.1)
    assert not completion_test(issued, voted).alarm[2:].any()


def test_a_day_with_an_alarm_does_not_hide_the_next_one() -> None:
    rng = np.random.default_rng(2)
    issued, voted = simulated(rng, days=12, battles=15_000)
    for day in range(8, 12):
        attacked(rng, issued[: day + 1], voted[: day + 1], votes=300)
    assert completion_test(issued, voted).alarm[8:, 0].all()


def test_few_battles_and_days_without_any_are_not_tested() -> None:
    issued = np.array([[10.0, 10, 0], [0, 0, 0], [40, 40, 40]])
    tested = completion_test(issued, issued / 2)
    assert np.isnan(tested.z[:2]).all()
    assert np.isfinite(tested.z[2]).all()
    assert not tested.alarm.any()


def test_two_models_alone_have_no_other_battles_to_compare_with() -> None:
    assert np.isnan(completion_test(np.array([[100.0, 100]]), np.array([[50.0, 50]])).z).all()


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(OptionError, match="from 0 to issued"):
        completion_test(np.array([[1.0, 2]]), np.array([[2.0, 2]]))
    with pytest.raises(OptionError, match="same days"):
        completion_test(np.array([[1.0, 2]]), np.array([[1.0]]))
