"""Ratings over time: coverage of the bands, estimates of the drift, and time.

Run: python tests/benchmarks/bench_over_time.py [--rounds N] [--votes N]

8 models, 40 days, 4,000 votes; strengths start with a standard deviation (sd) of 100 Elo points and
drift by a random walk whose daily step has the printed sd. "Each day" fits Bradley-Terry to each
day's votes separately, with intervals, and counts only the models that a day can rate.

The second part has 200 voters with 20 votes on one day each, tastes of sd 150 points, and strengths
that never change: how often a drift is detected, by vote and by voter.
"""

import argparse
import sys
import time

import numpy as np
import pandas as pd

import ratings
from ratings.model.bradley_terry import ELO_PER_STRENGTH

START = pd.Timestamp("2026-01-01", tz="UTC")


def draw(random, *, models, days, votes, drift):
    """Votes of drifting strengths, and the true ratings, shape (days, models)."""
    steps = random.normal(0, drift, (days, models))
    steps[0] = random.normal(0, 100, models)
    truth = steps.cumsum(axis=0)
    day = np.sort(random.integers(days, size=votes))
    a = random.integers(models, size=votes)
    b = (a + random.integers(1, models, size=votes)) % models
    log_odds = (truth[day, a] - truth[day, b]) / ELO_PER_STRENGTH
    names = [f"m{i:02}" for i in range(models)]
    won = random.random(votes) < 1 / (1 + np.exp(-log_odds))
    frame = pd.DataFrame(
        {
            "model_a": pd.Categorical.from_codes(a, names),
            "model_b": pd.Categorical.from_codes(b, names),
            "winner": pd.Categorical.from_codes(np.where(won, 0, 1), ["model_a", "model_b"]),
            "timestamp": START + pd.to_timedelta(day + random.random(votes), unit="D"),
        }
    )
    return ratings.Battles.from_frame(frame), 1000 + truth - truth.mean(axis=1, keepdims=True)


def draw_voters(random, *, models, days, voters, votes_per_voter, taste):
    """Votes of voters who each vote on one day, with strengths that never change."""
    personal = random.normal(0, taste, (voters, models)) + random.normal(0, 100, models)
    voter = np.repeat(np.arange(voters), votes_per_voter)
    day = random.integers(days, size=voters)
    a = random.integers(models, size=len(voter))
    b = (a + random.integers(1, models, size=len(voter))) % models
    difference = personal[voter, a] - personal[voter, b]
    won = random.random(len(voter)) < 1 / (1 + 10 ** (-difference / 400))
    return ratings.Battles.from_frame(
        pd.DataFrame(
            {
                "model_a": [f"m{i:02}" for i in a],
                "model_b": [f"m{i:02}" for i in b],
                "winner": np.where(won, "model_a", "model_b"),
                "voter": voter,
                "timestamp": START + pd.to_timedelta(day[voter], unit="D"),
            }
        )
    )


def fit_each_day(battles):
    """Ratings and intervals of each day's votes alone; NaN for models that a day cannot rate."""
    day = battles.frame["timestamp"].dt.floor("D")
    result = {"ratings": [], "lower": [], "upper": []}
    for _, frame in battles.frame.groupby(day):
        day_battles = ratings.Battles.from_frame(frame, models=battles.models)
        fit = ratings.bradley_terry(day_battles)
        intervals = ratings.intervals(day_battles, fit)
        columns = (fit.ratings, intervals.lower, intervals.upper)
        for name, values in zip(result, columns, strict=True):
            result[name].append(values.to_numpy())
    return {name: np.array(values) for name, values in result.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--votes", type=int, default=1_000_000, help="votes of the timed fits")
    options = parser.parse_args()
    compare_with_each_day(options.rounds)
    detect_drift_of_voters(options.rounds)
    battles, _ = draw(np.random.default_rng(0), models=50, days=100, votes=options.votes, drift=10)
    size = f"50 models, 100 days, {options.votes:,} votes"
    for label, drift in (("known drift", 10.0), ("estimated drift", None)):
        started = time.perf_counter()
        ratings.over_time(battles, period="1D", drift_sd=drift)
        say(f"{size}, {label}: {time.perf_counter() - started:.1f} s")
    started = time.perf_counter()
    fit_each_day(battles)
    say(f"{size}, each day separately: {time.perf_counter() - started:.1f} s")


def compare_with_each_day(rounds: int) -> None:
    say("coverage of 95% bands, and root mean squared error in Elo points, of the rated models")
    say(
        f"{'drift':>6}{'known':>22}{'estimated':>22}{'each day':>22}{'rated':>8}"
        f"{'estimated drift':>24}"
    )
    for drift in (0, 5, 15, 40):
        coverage: dict[str, list[float]] = {"known": [], "estimated": [], "each day": []}
        errors: dict[str, list[float]] = {name: [] for name in coverage}
        estimates, rated_shares = [], []
        for seed in range(rounds):
            random = np.random.default_rng([seed, drift])
            battles, truth = draw(random, models=8, days=40, votes=4_000, drift=drift)
            estimated = ratings.over_time(battles, period="1D")
            known = ratings.over_time(battles, period="1D", drift_sd=drift)
            estimates.append(estimated.drift_sd)
            fits = {
                name: {
                    part: getattr(history, part).to_numpy()
                    for part in ("ratings", "lower", "upper")
                }
                for name, history in (("known", known), ("estimated", estimated))
            } | {"each day": fit_each_day(battles)}
            for name, fit in fits.items():
                rated = ~np.isnan(fit["ratings"])
                # The mean rating of a day is 1000 over the models that it rates.
                target = np.where(rated, truth, np.nan)
                target = target + 1000 - np.nanmean(target, axis=1, keepdims=True)
                covered = (fit["lower"] <= target) & (target <= fit["upper"])
                coverage[name].append(covered[rated].mean())
                errors[name].append(np.sqrt(((fit["ratings"] - target)[rated] ** 2).mean()))
            rated_shares.append(rated.mean())  # of the last fit, each day
        formatted = "".join(
            f"{np.mean(covered):>9.3f} ± {1.96 * np.std(covered) / np.sqrt(rounds):.3f}"
            f"{np.mean(error):>5.0f}"
            for covered, error in zip(coverage.values(), errors.values(), strict=True)
        )
        low, middle, high = np.percentile(estimates, [25, 50, 75])
        quartiles = f"{middle:.1f} ({low:.1f} to {high:.1f})"
        say(f"{drift:>6}{formatted}{np.mean(rated_shares):>8.0%}{quartiles:>24}")


def detect_drift_of_voters(rounds: int) -> None:
    for cluster in (None, "voter"):
        estimates, detected, changed = [], [], []
        for seed in range(rounds):
            random = np.random.default_rng([seed, 1])
            battles = draw_voters(
                random, models=8, days=20, voters=200, votes_per_voter=20, taste=150
            )
            history = ratings.over_time(battles, period="1D", cluster=cluster)
            estimates.append(history.drift_sd)
            detected.append(history.drift_lower > 0)
            changed.append((history.changed["p"] < 0.05).mean())
        say(
            f"no drift, by {cluster or 'vote'}: estimated drift {np.median(estimates):.1f} "
            f"(median), interval above 0 in {np.mean(detected):.0%}, models with a significant "
            f"change {np.mean(changed):.1%}"
        )


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
