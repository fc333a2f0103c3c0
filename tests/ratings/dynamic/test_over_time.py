"""Ratings over time: a plain optimiser agrees, bands hold what drifts, and constants stay put."""

import sys

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import ratings
from ratings.model.bradley_terry import ELO_PER_STRENGTH
from ratings.votes.periods import describe_length

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
    assert found.log_likelihood == pytest.approx(fit.log_likelihood)
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
    # Half wins vary less than votes: by the share of their variance that the model expects.
    assert found.dispersion == 1 if ties == "davidson" else 0.7 < found.dispersion < 0.95
    step = 40 / ELO_PER_STRENGTH

    def loss(flat):
        path = flat.reshape(4, 3)
        gap = path[day, a] - path[day, b]
        weights = np.stack([np.exp(gap / 2), np.exp(-gap / 2), np.full(len(gap), nu)])
        logs = np.log(np.maximum(weights / weights.sum(axis=0), 1e-300))
        tied = (logs[0] + logs[1]) / 2 if ties == "half" else logs[2]
        told = np.where(answer == "model_a", logs[0], np.where(answer == "tie", tied, logs[1]))
        moves = (np.diff(path, axis=0) ** 2).sum() / (2 * step**2)
        return -told.sum() / found.dispersion + moves + path[0].sum() ** 2 / 6

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
    for seed in range(24):
        frame, truth = draw(np.random.default_rng([seed, 9]), days=15, votes=1500, drift=20)
        for held, given in ((known, 20), (estimated, None)):
            found = course(frame, drift_sd=given)
            inside = (found.lower.to_numpy() <= truth) & (truth <= found.upper.to_numpy())
            held.append(inside.mean())
        drifts.append(found.drift_sd)
    # Means over 24 walks of 60 dependent bands: the standard error is about .01.
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


def draw_voters(random, *, taste, returning, days=12, voters=150, each=20, models=5):
    """Votes of voters with tastes of their own, on one day each or on all; nobody drifts."""
    own = random.normal(0, taste, (voters, models)) + random.normal(0, 80, models)
    voter = np.repeat(np.arange(voters), each)
    a = random.integers(models, size=len(voter))
    b = (a + random.integers(1, models, size=len(voter))) % models
    won = random.random(len(voter)) < 1 / (1 + 10 ** ((own[voter, b] - own[voter, a]) / 400))
    day = random.integers(days, size=len(voter) if returning else voters)
    return pd.DataFrame(
        {
            "model_a": [f"m{i}" for i in a],
            "model_b": [f"m{i}" for i in b],
            "winner": np.where(won, "model_a", "model_b"),
            "voter": voter,
            "timestamp": START + pd.to_timedelta(day if returning else day[voter], unit="D"),
        }
    )


def test_voters_with_tastes_are_not_taken_for_a_drift():
    drifts, alone, found_one = [], [], 0
    for seed in range(8):
        frame = draw_voters(np.random.default_rng([seed, 4]), taste=150, returning=False)
        found = course(frame, cluster="voter")
        drifts.append(found.drift_sd)
        alone.append(course(frame).drift_sd)
        found_one += found.drift_lower > 0
    assert np.median(alone) > 10  # as if votes were independent
    assert np.median(drifts) < 4
    assert found_one <= 2  # of 8 at 1 in 20: more happens once in 170


def test_voters_who_come_back_widen_the_bands_and_no_drift_hides_them():
    frame = draw_voters(np.random.default_rng(8), taste=200, returning=True)
    battles = ratings.Battles.from_frame(frame)
    plain, found = course(frame, drift_sd=0), course(frame, drift_sd=0, cluster="voter")
    spread = ratings.intervals(battles, ratings.bradley_terry(battles), cluster="voter")
    width = (found.upper - found.lower).iloc[4].to_numpy()
    assert (width > 1.2 * (plain.upper - plain.lower).iloc[4].to_numpy()).all()
    # Without drift they are the intervals of constant ratings.
    assert width == pytest.approx((spread.upper - spread.lower).to_numpy(), rel=1e-6)
    assert found.cluster == "voter"
    assert found.dispersion < 1.3


def test_dispersion_is_the_variance_of_scores_between_voters_of_a_period():
    frame = draw_voters(np.random.default_rng(1), taste=200, returning=False, voters=30)
    found = course(frame, cluster="voter")
    values = ratings.bradley_terry(ratings.Battles.from_frame(frame)).ratings.to_numpy()
    sides = [np.eye(5)[frame[name].str[1].astype(int)] for name in ("model_a", "model_b")]
    apart = sides[0] - sides[1]
    chance = 1 / (1 + np.exp(-apart @ values / ELO_PER_STRENGTH))
    score = apart * ((frame["winner"] == "model_a").to_numpy() - chance)[:, None]
    metric = np.linalg.pinv((apart * (chance * (1 - chance))[:, None]).T @ apart)
    spread = information = 0.0
    for _, rows in frame.reset_index().groupby("timestamp")["index"]:
        voters = [own.to_numpy() for _, own in rows.groupby(frame["voter"])]
        share = np.array([len(own) / len(rows) for own in voters])
        if len(voters) < 2:
            continue
        for own, part in zip(voters, share, strict=True):
            beyond = score[own].sum(axis=0) - part * score[rows].sum(axis=0)
            spread += beyond @ metric @ beyond / (1 - (share**2).sum())
        for row in rows:
            weight = chance[row] * (1 - chance[row])
            information += weight * apart[row] @ metric @ apart[row]
    assert found.dispersion == pytest.approx(spread / information, rel=1e-9)
    assert found.dispersion > 1.3


@pytest.mark.parametrize("cluster", [None, "voter"])
def test_the_scale_of_weights_says_nothing_and_a_weighted_vote_is_one_vote(cluster):
    frame, _ = draw(np.random.default_rng(7), days=10, votes=1500, drift=15)
    weight = np.random.default_rng(1).uniform(0.2, 1, len(frame))
    frame["voter"] = np.arange(len(frame)) // 10
    small, large = (
        course(frame.assign(weight=weight * k), drift_sd=15, cluster=cluster) for k in (0.1, 10)
    )
    assert small.votes.to_numpy().sum() == 2 * len(frame)
    assert small.dispersion == pytest.approx(large.dispersion)
    for name in ("ratings", "lower", "upper"):
        one, other = getattr(small, name).to_numpy(), getattr(large, name).to_numpy()
        assert one == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize("ties", ["half", "davidson", "rao-kupper", "drop"])
def test_clusters_of_any_shape_give_finite_bands(ties):
    frame, _ = draw(np.random.default_rng(2), days=6, votes=600, drift=20)
    frame.loc[::3, "winner"] = "tie"
    frame["counted"] = np.arange(600) % 50 > 0
    row = np.arange(600)
    for voter in (row * 0, row, row % 2, np.where(row < 300, None, row // 7)):
        found = course(frame.assign(voter=voter), ties=ties, drift_sd=20, cluster="voter")
        width = (found.upper - found.lower).to_numpy()
        assert np.isfinite(width).all()
        assert (width > 0).all()
        assert (found.widened >= 1).all()


def test_anchors_stay_where_they_are_held():
    frame, _ = draw(np.random.default_rng(7), votes=3000, drift=15)
    free = course(frame, drift_sd=15)
    held = course(frame, drift_sd=15, anchors={"m1": 1200})
    assert held.ratings["m1"].to_numpy() == pytest.approx(1200, abs=1e-9)
    assert (held.upper - held.lower)["m1"].to_numpy() == pytest.approx(0, abs=1e-4)
    gap = [(found.ratings["m0"] - found.ratings["m1"]).to_numpy() for found in (free, held)]
    assert gap[0] == pytest.approx(gap[1], abs=1e-6)
    two = course(frame, drift_sd=15, anchors={"m1": 1200, "m2": 1000})
    assert two.ratings[["m1", "m2"]].mean(axis=1).to_numpy() == pytest.approx(1100)


def test_more_periods_than_memory_are_refused(monkeypatch):
    frame, _ = draw(np.random.default_rng(3), days=5, votes=300)
    monkeypatch.setattr(sys.modules["ratings.dynamic.over_time"], "_MOST_NUMBERS", 60)
    with pytest.raises(ratings.OptionError, match=r"5 periods of 1 days .* too many for 4 models"):
        course(frame)


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
        ({"period": "7"}, "'7', not a length such as 7D"),
        ({"period": "often"}, "'often', not a length such as 7D"),
        ({"period": "-1D"}, "longer than nothing"),
        ({"time": "when"}, "no column 'when'"),
        ({"both_bad": "own"}, "tie or drop"),
        ({"drift_sd": -1}, "from 0 to 300 Elo points"),
        ({"drift_sd": np.inf}, "from 0 to 300 Elo points"),
        ({"anchors": {"nobody": 1000}}, "'nobody' is not a model"),
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


@pytest.mark.parametrize(
    ("span", "length", "said"),
    [
        ("340h", "7h", "7 hours"),
        ("3s", "1s", "1 second"),
        ("200D", "4D", "4 days"),
        ("100D", "2D", "2 days"),
        ("60D", "29h", "1 day 5 hours"),
        ("10h", "12min", "12 minutes"),
    ],
)
def test_automatic_periods_are_whole(votes_of, span, length, said):
    frame = votes_of({("A", "B"): (3, 2, 0)})
    start, end = pd.Timestamp("2026-01-01", tz="UTC"), pd.Timedelta(span)
    frame["timestamp"] = [start, start, start, start, start + end]
    found = ratings.over_time(ratings.Battles.from_frame(frame)).period
    assert found == pd.Timedelta(length)
    assert describe_length(found) == said


def test_the_only_voter_is_no_cluster_over_time(votes_of):
    frame = votes_of({("A", "B"): (6, 4, 0)}).assign(voter="only")
    frame["timestamp"] = pd.date_range("2026-01-01", periods=len(frame), freq="D", tz="UTC")
    found = ratings.over_time(ratings.Battles.from_frame(frame), cluster="voter")
    assert (found.cluster, found.cluster_note) == (None, "all votes are of one voter")
