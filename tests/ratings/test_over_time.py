"""Ratings over time: a plain optimiser agrees, bands hold what drifts, and constants stay put."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import ratings
from ratings.bradley_terry import ELO_PER_STRENGTH

START = pd.Timestamp("2026-01-01", tz="UTC")


def draw(random, *, days=30, votes=3000, models=4, drift=0.0, jump=0.0, sd=80):
    """Votes over days, and the true ratings of each day, shape (days, models)."""
    steps = random.normal(0, drift, (days, models))
    steps[0] = random.normal(0, sd, models)
    truth = steps.cumsum(axis=0)
    truth[days // 2 :, 0] += jump
    day = np.sort(random.integers(days, size=votes))
    a = random.integers(models, size=votes)
    b = (a + random.integers(1, models, size=votes)) % models
    gap = (truth[day, a] - truth[day, b]) / ELO_PER_STRENGTH
    won = random.random(votes) < 1 / (1 + np.exp(-gap))
    stamps = START + pd.to_timedelta(day + random.random(votes) * 0.99, unit="D")
    frame = pd.DataFrame(
        {
            "model_a": [f"m{i}" for i in a],
            "model_b": [f"m{i}" for i in b],
            "winner": np.where(won, "model_a", "model_b"),
            "timestamp": stamps.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
    )
    return frame, 1000 + truth - truth.mean(axis=1, keepdims=True)


def course(frame, **options):
    return ratings.over_time(ratings.Battles.from_frame(frame), **{"period": "1D"} | options)


def test_without_drift_it_is_bradley_terry():
    frame, _ = draw(np.random.default_rng(1))
    found = course(frame, drift_sd=0)
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles)
    spread = ratings.intervals(battles, fit)
    for day in (0, 17, 29):
        assert found.ratings.iloc[day].to_numpy() == pytest.approx(fit.ratings.to_numpy(), abs=1e-6)
        assert found.lower.iloc[day].to_numpy() == pytest.approx(spread.lower.to_numpy(), abs=3)
    assert found.changed["p"].isna().all()


@pytest.mark.parametrize("ties", ["half", "davidson"])
def test_a_plain_optimiser_finds_the_same_path_and_bands(ties):
    frame, _ = draw(np.random.default_rng(2), days=4, votes=300, models=3, drift=40)
    frame.loc[::7, "winner"] = "tie"
    found = course(frame, drift_sd=40, ties=ties)
    fit = ratings.bradley_terry(ratings.Battles.from_frame(frame), ties)
    day = pd.to_datetime(frame["timestamp"]).dt.day_of_year.to_numpy() - 1
    a, b = (frame[name].str[1].astype(int).to_numpy() for name in ("model_a", "model_b"))
    answer = frame["winner"].to_numpy()
    nu = fit.tie_parameter if ties == "davidson" else 0.0
    step = 40 / ELO_PER_STRENGTH

    def loss(flat):
        path = flat.reshape(4, 3)
        gap = path[day, a] - path[day, b]
        weights = np.stack([np.exp(gap / 2), np.exp(-gap / 2), np.full(len(gap), nu)])
        logs = np.log(np.maximum(weights / weights.sum(axis=0), 1e-300))
        tied = (logs[0] + logs[1]) / 2 if ties == "half" else logs[2]
        told = np.where(answer == "model_a", logs[0], np.where(answer == "tie", tied, logs[1]))
        moves = (np.diff(path, axis=0) ** 2).sum() / (2 * step**2)
        return -told.sum() + moves + path[0].sum() ** 2 / 6

    best = minimize(loss, np.zeros(12), method="BFGS", options={"gtol": 1e-7})
    path = best.x.reshape(4, 3)
    expected = 1000 + ELO_PER_STRENGTH * (path - path.mean(axis=1, keepdims=True))
    assert found.ratings.to_numpy() == pytest.approx(expected, abs=0.02)
    eye, h = np.eye(12), 1e-4
    hessian = [
        [
            (loss(best.x + h * (i + j)) - loss(best.x + h * (i - j)) - loss(best.x - h * (i - j))
             + loss(best.x - h * (i + j))) / (4 * h * h)
            for j in eye
        ]
        for i in eye
    ]  # fmt: skip
    about_mean = np.kron(np.eye(4), np.eye(3) - 1 / 3)
    covariance = about_mean @ np.linalg.inv(hessian) @ about_mean
    reach = 1.959964 * ELO_PER_STRENGTH * np.sqrt(np.diag(covariance)).reshape(4, 3)
    assert (found.upper - found.ratings).to_numpy() == pytest.approx(reach, rel=1e-3)
    moved = covariance[0, 0] + covariance[9, 9] - 2 * covariance[0, 9]
    change = found.changed.loc["m0"]
    assert change["upper"] - change["change"] == pytest.approx(
        1.959964 * ELO_PER_STRENGTH * np.sqrt(moved), rel=1e-3
    )


def test_bands_hold_a_walk_of_known_drift_and_one_that_is_estimated():
    known, estimated, drifts = [], [], []
    for seed in range(30):
        frame, truth = draw(np.random.default_rng([seed, 9]), days=15, votes=1500, drift=20)
        for held, given in ((known, 20), (estimated, None)):
            found = course(frame, drift_sd=given)
            inside = (found.lower.to_numpy() <= truth) & (truth <= found.upper.to_numpy())
            held.append(inside.mean())
        drifts.append(found.drift_sd)
    # Means over 30 walks of 60 dependent bands: the standard error is about .01.
    assert np.mean(known) == pytest.approx(0.95, abs=0.025)
    assert np.mean(estimated) == pytest.approx(0.95, abs=0.035)
    assert np.median(drifts) == pytest.approx(20, abs=5)


def test_constant_strengths_are_found_constant():
    """In about half of the tables the evidence is at 0, in the others near it."""
    drifts = []
    for seed in range(12):
        frame, _ = draw(np.random.default_rng([seed, 3]), days=12, votes=2000)
        found = course(frame)
        drifts.append(found.drift_sd)
        assert found.drift_lower <= found.drift_sd <= found.drift_upper
    assert np.median(drifts) < 4
    assert sum(drift < 0.5 for drift in drifts) >= 3


def test_a_jump_is_followed_and_called_a_change():
    frame, truth = draw(np.random.default_rng(5), votes=6000, jump=250)
    found = course(frame)
    assert np.abs(found.ratings.iloc[3] - truth[3]).max() < 60
    assert np.abs(found.ratings.iloc[26] - truth[26]).max() < 60
    assert found.changed.loc["m0", "q"] < 0.01
    assert found.changed["change"].idxmax() == "m0"


def test_a_model_is_shown_from_its_first_vote_to_its_last_and_absence_widens_its_band():
    frame, _ = draw(np.random.default_rng(6), days=20, votes=6000)
    day = pd.to_datetime(frame["timestamp"]).dt.day_of_year - 1
    has = (frame["model_a"] == "m1") | (frame["model_b"] == "m1")
    away = has & ((day < 3) | (day.between(8, 12)) | (day > 16))
    found = course(frame[~away], drift_sd=25)
    shown = found.ratings["m1"].notna().to_numpy()
    assert shown.tolist() == [3 <= d <= 16 for d in range(20)]
    width = (found.upper - found.lower)["m1"].to_numpy()
    assert width[10] > 1.3 * width[5]
    assert found.votes["m1"].iloc[10] == 0


def test_order_sides_and_names_carry_nothing():
    frame, _ = draw(np.random.default_rng(7), votes=1500, drift=15)
    found = course(frame, drift_sd=15)
    swapped = frame.rename(columns={"model_a": "model_b", "model_b": "model_a"}).assign(
        winner=frame["winner"].map({"model_a": "model_b", "model_b": "model_a"})
    )
    named = frame.replace({"m0": "z0"})
    for other in (frame.sample(frac=1, random_state=1), swapped, named):
        again = course(other, drift_sd=15).ratings.rename(columns={"z0": "m0"})
        assert again[found.ratings.columns].to_numpy() == pytest.approx(
            found.ratings.to_numpy(), abs=1e-6
        )


def test_clusters_widen_the_bands():
    frame, _ = draw(np.random.default_rng(8), votes=2000)
    few = frame.assign(voter=np.arange(2000) % 8)
    plain, clustered = course(frame, drift_sd=10), course(few, drift_sd=10, cluster="voter")
    ratio = (clustered.upper - clustered.lower) / (plain.upper - plain.lower)
    assert ratio.iloc[4].to_numpy() == pytest.approx(clustered.widened.to_numpy())
    assert clustered.cluster == "voter"


def test_times_of_every_kind_are_read_alike():
    frame, _ = draw(np.random.default_rng(3), days=5, votes=300)
    times = pd.to_datetime(frame["timestamp"])
    found = course(frame, drift_sd=20).ratings
    seconds = frame.drop(columns="timestamp").assign(tstamp=times.astype("int64") / 1e9)
    seconds["tstamp"] = (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    for other in (frame.assign(timestamp=times), seconds):
        again = course(other, drift_sd=20).ratings
        assert again.to_numpy() == pytest.approx(found.to_numpy(), abs=1e-6)
    assert len(course(frame, period="auto", drift_sd=20).ratings) <= 51


def test_what_cannot_be_read_or_asked(votes_of):
    frame, _ = draw(np.random.default_rng(3), days=5, votes=300)
    wrong = frame.copy()
    wrong.loc[41, "timestamp"] = "yesterday"
    with pytest.raises(ratings.VotesError, match="row 42: timestamp is 'yesterday', which is no"):
        course(wrong)
    for options, message in [
        ({"period": "often"}, "'often', not a length such as 7D"),
        ({"period": "-1D"}, "longer than nothing"),
        ({"time": "when"}, "no column 'when'"),
        ({"both_bad": "own"}, "tie or drop"),
        ({"drift_sd": -1}, "from 0 to 300 Elo points"),
        ({"confidence": 95}, "between 0 and 1"),
    ]:
        with pytest.raises(ratings.OptionError, match=message):
            course(frame, **options)
    with pytest.raises(ratings.OptionError, match="no column 'timestamp'"):
        course(votes_of({("A", "B"): (3, 2, 0)}))


@pytest.mark.parametrize("counts", [{}, {("A", "B"): (1, 0, 0)}, {("A", "B"): (3, 2, 0)}])
def test_little_or_nothing_to_rate(votes_of, counts):
    frame = votes_of(counts).assign(timestamp="2026-01-02T03:04:05Z")
    found = course(frame)
    assert found.drift_sd == 0
    assert found.ratings.notna().to_numpy().sum() == (2 if len(frame) == 5 else 0)
