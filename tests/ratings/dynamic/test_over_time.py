"""Ratings over time agree with a generic optimiser, and their bands cover the true path."""

import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import norm
from scipy.stats import t as student

import ratings
from ratings.dynamic.dynamic_model import BlockTridiagonal, DynamicModel
from ratings.model.bradley_terry import ELO_PER_STRENGTH
from ratings.votes.periods import Periods, describe_length

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
    log_odds = (truth[day, a] - truth[day, b]) / ELO_PER_STRENGTH
    won = random.random(votes) < 1 / (1 + np.exp(-log_odds))
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


def rate(frame, **options):
    return ratings.over_time(ratings.Battles.from_frame(frame), **{"period": "1D"} | options)


def test_without_drift_ratings_are_those_of_bradley_terry():
    frame, _ = draw(np.random.default_rng(1))
    result = rate(frame, drift_sd=0)
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles)
    intervals = ratings.intervals(battles, fit)
    for day in (0, 17, 29):
        assert result.ratings.iloc[day].to_numpy() == pytest.approx(
            fit.ratings.to_numpy(), abs=1e-6
        )
        assert result.lower.iloc[day].to_numpy() == pytest.approx(intervals.lower.to_numpy(), abs=3)
    assert result.log_likelihood == pytest.approx(fit.log_likelihood)
    assert result.changed["p"].isna().all()


@pytest.mark.parametrize("ties", ["half", "davidson"])
def test_a_generic_optimiser_finds_the_same_path_and_bands(ties):
    frame, _ = draw(np.random.default_rng(2), days=4, votes=300, models=3, drift=40)
    frame.loc[::7, "winner"] = "tie"
    result = rate(frame, drift_sd=40, ties=ties)
    fit = ratings.bradley_terry(ratings.Battles.from_frame(frame), ties)
    day = pd.to_datetime(frame["timestamp"]).dt.day_of_year.to_numpy() - 1
    a, b = (frame[name].str[1].astype(int).to_numpy() for name in ("model_a", "model_b"))
    answer = frame["winner"].to_numpy()
    nu = fit.tie_parameter if ties == "davidson" else 0.0
    # Half wins vary less than votes: by the share of their variance that the model expects.
    assert (result.dispersion == 1) if ties == "davidson" else (0.7 < result.dispersion < 0.95)
    step = 40 / ELO_PER_STRENGTH

    def loss(flat):
        path = flat.reshape(4, 3)
        log_odds = path[day, a] - path[day, b]
        sides = [np.exp(log_odds / 2), np.exp(-log_odds / 2)]
        weights = np.stack([*sides, np.full(len(log_odds), nu)])
        logs = np.log(np.maximum(weights / weights.sum(axis=0), 1e-300))
        tied = (logs[0] + logs[1]) / 2 if ties == "half" else logs[2]
        by_vote = np.where(answer == "model_a", logs[0], np.where(answer == "tie", tied, logs[1]))
        walk = (np.diff(path, axis=0) ** 2).sum() / (2 * step**2)
        return -by_vote.sum() / result.dispersion + walk + path[0].sum() ** 2 / 6

    best = minimize(loss, np.zeros(12), method="BFGS", options={"gtol": 1e-7})
    path = best.x.reshape(4, 3)
    expected = 1000 + ELO_PER_STRENGTH * (path - path.mean(axis=1, keepdims=True))
    assert result.ratings.to_numpy() == pytest.approx(expected, abs=0.02)
    eye, h = np.eye(12), 1e-4
    hessian = [
        [
            (loss(best.x + h * (i + j)) - loss(best.x + h * (i - j)) - loss(best.x - h * (i - j))
             + loss(best.x - h * (i + j))) / (4 * h * h)
            for j in eye
        ]
        for i in eye
    ]  # fmt: skip
    contrast = np.kron(np.eye(4), np.eye(3) - 1 / 3)
    covariance = contrast @ np.linalg.inv(hessian) @ contrast
    half_width = 1.959964 * ELO_PER_STRENGTH * np.sqrt(np.diag(covariance)).reshape(4, 3)
    assert (result.upper - result.ratings).to_numpy() == pytest.approx(half_width, rel=1e-3)
    assert (result.ratings - result.lower).to_numpy() == pytest.approx(half_width, rel=1e-3)
    variance = covariance[0, 0] + covariance[9, 9] - 2 * covariance[0, 9]
    change = result.changed.loc["m0"]
    assert change["change"] == pytest.approx(expected[3, 0] - expected[0, 0], abs=0.04)
    assert change["upper"] - change["change"] == pytest.approx(
        1.959964 * ELO_PER_STRENGTH * np.sqrt(variance), rel=1e-3
    )


def test_bands_cover_a_walk_of_known_and_of_estimated_drift():
    known, estimated, drifts = [], [], []
    for seed in range(10):
        frame, truth = draw(np.random.default_rng([seed, 9]), days=12, votes=1200, drift=20)
        for covered, drift in ((known, 20), (estimated, None)):
            result = rate(frame, drift_sd=drift)
            inside = (result.lower.to_numpy() <= truth) & (truth <= result.upper.to_numpy())
            covered.append(inside.mean())
        drifts.append(result.drift_sd)
    # Means over 10 walks of 48 dependent bands: the standard error is about .015.
    assert np.mean(known) == pytest.approx(0.95, abs=0.04)
    assert np.mean(estimated) == pytest.approx(0.95, abs=0.05)
    assert np.median(drifts) == pytest.approx(20, abs=8)


def test_constant_strengths_have_nearly_no_drift():
    """In about half of the tables the marginal likelihood is largest at 0, in the others nearby."""
    drifts = []
    for seed in range(8):
        frame, _ = draw(np.random.default_rng([seed, 3]), days=8, votes=2000)
        result = rate(frame)
        drifts.append(result.drift_sd)
        assert result.drift_lower <= result.drift_sd <= result.drift_upper
    assert np.median(drifts) < 4
    assert sum(drift < 0.5 for drift in drifts) >= 2


def test_a_jump_is_followed_and_significant():
    frame, truth = draw(np.random.default_rng(5), votes=6000, jump=250)
    result = rate(frame)
    assert np.abs(result.ratings.iloc[3] - truth[3]).max() < 60
    assert np.abs(result.ratings.iloc[26] - truth[26]).max() < 60
    assert result.changed.loc["m0", "q"] < 0.01
    assert result.changed["change"].idxmax() == "m0"


def test_a_model_has_ratings_from_its_first_vote_to_its_last_and_wider_ones_while_absent():
    frame, _ = draw(np.random.default_rng(6), days=20, votes=6000)
    day = pd.to_datetime(frame["timestamp"]).dt.day_of_year - 1
    has = (frame["model_a"] == "m1") | (frame["model_b"] == "m1")
    away = has & ((day < 3) | (day.between(8, 12)) | (day > 16))
    result = rate(frame[~away], drift_sd=25)
    shown = result.ratings["m1"].notna().to_numpy()
    assert shown.tolist() == [3 <= d <= 16 for d in range(20)]
    width = (result.upper - result.lower)["m1"].to_numpy()
    assert width[10] > 1.3 * width[5]
    assert result.votes["m1"].iloc[10] == 0


def test_order_sides_and_names_carry_no_information():
    frame, _ = draw(np.random.default_rng(7), votes=1500, drift=15)
    result = rate(frame, drift_sd=15)
    swapped = frame.rename(columns={"model_a": "model_b", "model_b": "model_a"}).assign(
        winner=frame["winner"].map({"model_a": "model_b", "model_b": "model_a"})
    )
    named = frame.replace({"m0": "z0"})
    for other in (frame.sample(frac=1, random_state=1), swapped, named):
        again = rate(other, drift_sd=15).ratings.rename(columns={"z0": "m0"})
        assert again[result.ratings.columns].to_numpy() == pytest.approx(
            result.ratings.to_numpy(), abs=1e-6
        )


def draw_voters(random, *, taste, returning, days=12, voters=150, each=20, models=5):
    """Votes of voters with different tastes, on one day each or on all days; no strength drifts."""
    strengths = random.normal(0, taste, (voters, models)) + random.normal(0, 80, models)
    voter = np.repeat(np.arange(voters), each)
    a = random.integers(models, size=len(voter))
    b = (a + random.integers(1, models, size=len(voter))) % models
    difference = strengths[voter, a] - strengths[voter, b]
    won = random.random(len(voter)) < 1 / (1 + 10 ** (-difference / 400))
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
    drifts, by_vote, significant = [], [], 0
    for seed in range(5):
        frame = draw_voters(np.random.default_rng([seed, 4]), taste=150, returning=False, days=8)
        result = rate(frame, cluster="voter")
        drifts.append(result.drift_sd)
        by_vote.append(rate(frame).drift_sd)
        significant += result.drift_lower > 0
    assert np.median(by_vote) > 10  # as if votes were independent
    assert np.median(drifts) < 4
    assert significant <= 1  # of 5 at 1 in 20: more happens once in 45


def test_voters_who_come_back_widen_the_bands():
    frame = draw_voters(np.random.default_rng(8), taste=200, returning=True)
    battles = ratings.Battles.from_frame(frame)
    plain, result = rate(frame, drift_sd=0), rate(frame, drift_sd=0, cluster="voter")
    intervals = ratings.intervals(battles, ratings.bradley_terry(battles), cluster="voter")
    width = (result.upper - result.lower).iloc[4].to_numpy()
    assert (width > 1.2 * (plain.upper - plain.lower).iloc[4].to_numpy()).all()
    # Without drift they are the intervals of constant ratings.
    assert width == pytest.approx((intervals.upper - intervals.lower).to_numpy(), rel=1e-6)
    assert result.cluster == "voter"
    assert result.dispersion < 1.3
    ratio = (width / (plain.upper - plain.lower).iloc[4].to_numpy()) ** 2
    t_factor = (student.ppf(0.975, result.df) / norm.ppf(0.975)) ** 2
    inflation = result.variance_inflation.to_numpy() * result.dispersion * t_factor
    assert inflation == pytest.approx(ratio, rel=1e-6)


def test_dispersion_is_the_variance_of_scores_between_voters_of_a_period():
    frame = draw_voters(np.random.default_rng(1), taste=200, returning=False, voters=30)
    result = rate(frame, cluster="voter")
    values = ratings.bradley_terry(ratings.Battles.from_frame(frame)).ratings.to_numpy()
    sides = [np.eye(5)[frame[name].str[1].astype(int)] for name in ("model_a", "model_b")]
    difference = sides[0] - sides[1]
    chance = 1 / (1 + np.exp(-difference @ values / ELO_PER_STRENGTH))
    score = difference * ((frame["winner"] == "model_a").to_numpy() - chance)[:, None]
    metric = np.linalg.pinv((difference * (chance * (1 - chance))[:, None]).T @ difference)
    observed = information = 0.0
    for _, rows in frame.reset_index().groupby("timestamp")["index"]:
        voters = [votes.to_numpy() for _, votes in rows.groupby(frame["voter"])]
        share = np.array([len(votes) / len(rows) for votes in voters])
        if len(voters) < 2:
            continue
        for votes, part in zip(voters, share, strict=True):
            centred = score[votes].sum(axis=0) - part * score[rows].sum(axis=0)
            observed += centred @ metric @ centred / (1 - (share**2).sum())
        for row in rows:
            weight = chance[row] * (1 - chance[row])
            information += weight * difference[row] @ metric @ difference[row]
    assert result.dispersion == pytest.approx(observed / information, rel=1e-9)
    assert result.dispersion > 1.3


@pytest.mark.parametrize("cluster", [None, "voter"])
def test_the_scale_of_weights_changes_nothing_and_a_weighted_vote_counts_once(cluster):
    frame, _ = draw(np.random.default_rng(7), days=10, votes=1500, drift=15)
    weight = np.random.default_rng(1).uniform(0.2, 1, len(frame))
    frame["voter"] = np.arange(len(frame)) // 10
    small, large = (
        rate(frame.assign(weight=weight * k), drift_sd=15, cluster=cluster) for k in (0.1, 10)
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
        result = rate(frame.assign(voter=voter), ties=ties, drift_sd=20, cluster="voter")
        width = (result.upper - result.lower).to_numpy()
        assert np.isfinite(width).all()
        assert (width > 0).all()
        assert (result.variance_inflation >= 1).all()


def test_anchors_keep_their_ratings():
    frame, _ = draw(np.random.default_rng(7), votes=3000, drift=15)
    free = rate(frame, drift_sd=15)
    anchored = rate(frame, drift_sd=15, anchors={"m1": 1200})
    assert anchored.ratings["m1"].to_numpy() == pytest.approx(1200, abs=1e-9)
    assert (anchored.upper - anchored.lower)["m1"].to_numpy() == pytest.approx(0, abs=1e-4)
    one, other = (
        (result.ratings["m0"] - result.ratings["m1"]).to_numpy() for result in (free, anchored)
    )
    assert one == pytest.approx(other, abs=1e-6)
    two = rate(frame, drift_sd=15, anchors={"m1": 1200, "m2": 1000})
    assert two.ratings[["m1", "m2"]].mean(axis=1).to_numpy() == pytest.approx(1100)


def test_more_periods_than_fit_in_memory_are_refused(monkeypatch):
    frame, _ = draw(np.random.default_rng(3), days=5, votes=300)
    monkeypatch.setattr(sys.modules["ratings.dynamic.over_time"], "_MAX_NUMBERS", 60)
    with pytest.raises(ratings.OptionError, match=r"5 periods of 1 days .* too many for 4 models"):
        rate(frame)


def test_all_formats_of_times_give_the_same_ratings():
    frame, _ = draw(np.random.default_rng(3), days=5, votes=300)
    times = pd.to_datetime(frame["timestamp"])
    result = rate(frame, drift_sd=20).ratings
    seconds = frame.drop(columns="timestamp").assign(tstamp=times.astype("int64") / 1e9)
    seconds["tstamp"] = (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    for other in (frame.assign(timestamp=times), seconds):
        again = rate(other, drift_sd=20).ratings
        assert again.to_numpy() == pytest.approx(result.to_numpy(), abs=1e-6)
    assert len(rate(frame, period="auto", drift_sd=20).ratings) <= 51


def test_unreadable_times_and_invalid_options_are_refused(votes_of):
    frame, _ = draw(np.random.default_rng(3), days=5, votes=300)
    wrong = frame.copy()
    wrong.loc[41, "timestamp"] = "yesterday"
    with pytest.raises(ratings.VotesError, match="row 42: timestamp is 'yesterday', which is no"):
        rate(wrong)
    for options, message in [
        ({"period": "7"}, "'7', not a length such as 7D"),
        ({"period": "often"}, "'often', not a length such as 7D"),
        ({"period": "-1D"}, "longer than zero"),
        ({"time": "when"}, "no column 'when'"),
        ({"both_bad": "own"}, "tie or drop"),
        ({"drift_sd": -1}, "from 0 to 300 Elo points"),
        ({"drift_sd": np.inf}, "from 0 to 300 Elo points"),
        ({"anchors": {"nobody": 1000}}, "'nobody' is not a model"),
        ({"confidence": 95}, "between 0 and 1"),
    ]:
        with pytest.raises(ratings.OptionError, match=message):
            rate(frame, **options)
    with pytest.raises(ratings.OptionError, match="no column 'timestamp'"):
        rate(votes_of({("A", "B"): (3, 2, 0)}))


@pytest.mark.parametrize("counts", [{}, {("A", "B"): (1, 0, 0)}, {("A", "B"): (3, 2, 0)}])
def test_tables_with_few_or_no_votes(votes_of, counts):
    frame = votes_of(counts).assign(timestamp="2026-01-02T03:04:05Z")
    result = rate(frame)
    assert result.drift_sd == 0
    assert result.ratings.notna().to_numpy().sum() == (2 if len(frame) == 5 else 0)


@pytest.mark.parametrize(
    ("span", "length", "text"),
    [
        ("340h", "7h", "7 hours"),
        ("3s", "1s", "1 second"),
        ("200D", "4D", "4 days"),
        ("100D", "2D", "2 days"),
        ("60D", "29h", "1 day 5 hours"),
        ("10h", "12min", "12 minutes"),
    ],
)
def test_automatic_periods_are_whole(votes_of, span, length, text):
    frame = votes_of({("A", "B"): (3, 2, 0)})
    start, end = pd.Timestamp("2026-01-01", tz="UTC"), pd.Timedelta(span)
    frame["timestamp"] = [start, start, start, start, start + end]
    result = ratings.over_time(ratings.Battles.from_frame(frame)).period
    assert result == pd.Timedelta(length)
    assert describe_length(result) == text


def test_a_single_voter_is_not_a_cluster(votes_of):
    frame = votes_of({("A", "B"): (6, 4, 0)}).assign(voter="only")
    frame["timestamp"] = pd.date_range("2026-01-01", periods=len(frame), freq="D", tz="UTC")
    result = ratings.over_time(ratings.Battles.from_frame(frame), cluster="voter")
    assert (result.cluster, result.cluster_note) == (None, "all votes are of one voter")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 4))
def test_block_tridiagonal_algebra_is_that_of_the_dense_matrix(seed, periods, size):
    random = np.random.default_rng(seed)
    coupling = random.uniform(0.1, 3, periods - 1)
    blocks = random.normal(size=(periods, size, size))
    blocks = blocks @ blocks.transpose(0, 2, 1) + np.eye(size)
    blocks[:-1] += coupling[:, None, None] * np.eye(size)
    blocks[1:] += coupling[:, None, None] * np.eye(size)
    dense = np.zeros((periods, size, periods, size))
    for t in range(periods):
        dense[t, :, t] = blocks[t]
        if t:
            dense[t, :, t - 1] = dense[t - 1, :, t] = -coupling[t - 1] * np.eye(size)
    flat = dense.reshape(periods * size, periods * size)
    inverse = np.linalg.inv(flat).reshape(dense.shape)
    factored = BlockTridiagonal.factor(blocks, coupling)
    assert factored.log_determinant == pytest.approx(np.linalg.slogdet(flat)[1])
    right = random.normal(size=(periods, size))
    expected = np.linalg.solve(flat, right.ravel()).reshape(periods, size)
    assert factored.solve(right) == pytest.approx(expected)
    marginal = factored.marginal_covariances()
    assert marginal == pytest.approx(np.stack([inverse[t, :, t] for t in range(periods)]))
    last = int(random.integers(periods))
    cross = factored.cross_covariances(last, marginal[last])
    assert cross == pytest.approx(np.stack([inverse[t, :, last] for t in range(last + 1)]))


def test_the_log_evidence_is_the_laplace_approximation_of_the_marginal_likelihood():
    """Against the dense Hessian of the log posterior, with the constants of the random walk."""
    frame, _ = draw(np.random.default_rng(2), days=3, votes=200, models=3, drift=40)
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles)
    model = DynamicModel(battles, fit, Periods.of(battles, None, "1D"))
    values = []
    for drift in (0.1, 0.3):
        path, _ = model.mode(drift)
        value, _, information = model.score_and_information(path)
        coupling = 1 / (drift**2 * model.periods.days)
        walk = np.kron(
            np.diag([coupling[0], coupling.sum(), coupling[1]])
            - np.diag(coupling, 1)
            - np.diag(coupling, -1),
            np.eye(3),
        )
        hessian = walk.copy()
        for t in range(3):
            hessian[3 * t : 3 * t + 3, 3 * t : 3 * t + 3] += information[t]
        hessian[:3, :3] += 1 / 3
        prior = 3 * np.log(coupling).sum() / 2 - path.ravel() @ walk @ path.ravel() / 2
        values.append(value + prior - np.linalg.slogdet(hessian)[1] / 2)
        assert model.log_evidence(drift) == pytest.approx(values[-1])
    # Continuous at 0, where the path is constant.
    tiny = model.log_evidence(0.011 / ELO_PER_STRENGTH)
    assert tiny == pytest.approx(model.log_evidence(0.0), abs=0.01)
    assert values[0] != pytest.approx(values[1], abs=0.01)
