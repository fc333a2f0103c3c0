"""Ratings over time: how often bands hold the truth, whether the drift is found, and time.

Run: python tests/benchmarks/bench_over_time.py [--rounds N] [--votes N]

8 models, 40 days, 4,000 votes; strengths start with sd 100 points and drift by so much a day. "Each
day" fits Bradley-Terry to a day alone, with its own intervals, where it can rate anybody at all.

Then, 200 voters of 20 votes on one day each, with tastes of sd 150 points, and strengths that never
change: how often a drift is found, by vote and by voter.
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
    steps = random.normal(0, drift, (days, models))
    steps[0] = random.normal(0, 100, models)
    truth = steps.cumsum(axis=0)
    day = np.sort(random.integers(days, size=votes))
    a = random.integers(models, size=votes)
    b = (a + random.integers(1, models, size=votes)) % models
    gap = (truth[day, a] - truth[day, b]) / ELO_PER_STRENGTH
    names = [f"m{i:02}" for i in range(models)]
    won = random.random(votes) < 1 / (1 + np.exp(-gap))
    frame = pd.DataFrame(
        {
            "model_a": pd.Categorical.from_codes(a, names),
            "model_b": pd.Categorical.from_codes(b, names),
            "winner": pd.Categorical.from_codes(np.where(won, 0, 1), ["model_a", "model_b"]),
            "timestamp": START + pd.to_timedelta(day + random.random(votes), unit="D"),
        }
    )
    return ratings.Battles.from_frame(frame), 1000 + truth - truth.mean(axis=1, keepdims=True)


def draw_voters(random, *, models, days, voters, each, taste):
    own = random.normal(0, taste, (voters, models)) + random.normal(0, 100, models)
    voter, day = np.repeat(np.arange(voters), each), random.integers(days, size=voters)
    a = random.integers(models, size=len(voter))
    b = (a + random.integers(1, models, size=len(voter))) % models
    won = random.random(len(voter)) < 1 / (1 + 10 ** ((own[voter, b] - own[voter, a]) / 400))
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


def each_day(battles):
    """Ratings and intervals of every day by itself; NaN for what a day cannot rate."""
    day = battles.frame["timestamp"].dt.floor("D")
    found = {"ratings": [], "lower": [], "upper": []}
    for _, frame in battles.frame.groupby(day):
        own = ratings.Battles.from_frame(frame, models=battles.models)
        fit = ratings.bradley_terry(own)
        spread = ratings.intervals(own, fit)
        for name, values in zip(found, (fit.ratings, spread.lower, spread.upper), strict=True):
            found[name].append(values.to_numpy())
    return {name: np.array(values) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--votes", type=int, default=1_000_000, help="of the timing")
    options = parser.parse_args()
    compare_with_days(options.rounds)
    look_for_drifts_of_voters(options.rounds)
    battles, _ = draw(np.random.default_rng(0), models=50, days=100, votes=options.votes, drift=10)
    rated = f"50 models, 100 days, {options.votes:,} votes"
    for what, drift in (("drift given", 10.0), ("drift estimated", None)):
        started = time.perf_counter()
        ratings.over_time(battles, period="1D", drift_sd=drift)
        say(f"{rated}, {what}: {time.perf_counter() - started:.1f} s")
    started = time.perf_counter()
    each_day(battles)
    say(f"{rated}, each day alone: {time.perf_counter() - started:.1f} s")


def compare_with_days(rounds: int) -> None:
    say("held by 95% bands, and root mean squared error in points (each day: where it rates)")
    say(
        f"{'drift':>6}{'known':>22}{'estimated':>22}{'each day':>22}{'rated':>8}{'drift found':>24}"
    )
    for drift in (0, 5, 15, 40):
        held: dict[str, list[float]] = {"known": [], "estimated": [], "each day": []}
        error: dict[str, list[float]] = {name: [] for name in held}
        drifts, rated = [], []
        for seed in range(rounds):
            random = np.random.default_rng([seed, drift])
            battles, truth = draw(random, models=8, days=40, votes=4_000, drift=drift)
            found = ratings.over_time(battles, period="1D")
            known = ratings.over_time(battles, period="1D", drift_sd=drift)
            drifts.append(found.drift_sd)
            each = {
                name: {
                    part: getattr(course, part).to_numpy() for part in ("ratings", "lower", "upper")
                }
                for name, course in (("known", known), ("estimated", found))
            } | {"each day": each_day(battles)}
            for name, course in each.items():
                known_here = ~np.isnan(course["ratings"])
                # A day's ratings have the mean 1000 over those that it rates.
                there = np.where(known_here, truth, np.nan)
                there = there + 1000 - np.nanmean(there, axis=1, keepdims=True)
                inside = (course["lower"] <= there) & (there <= course["upper"])
                held[name].append(inside[known_here].mean())
                error[name].append(np.sqrt(((course["ratings"] - there)[known_here] ** 2).mean()))
            rated.append(known_here.mean())
        shown = "".join(
            f"{np.mean(x):>9.3f} ± {1.96 * np.std(x) / np.sqrt(rounds):.3f}{np.mean(e):>5.0f}"
            for x, e in zip(held.values(), error.values(), strict=True)
        )
        low, middle, high = np.percentile(drifts, [25, 50, 75])
        found_drift = f"{middle:.1f} ({low:.1f} to {high:.1f})"
        say(f"{drift:>6}{shown}{np.mean(rated):>8.0%}{found_drift:>24}")


def look_for_drifts_of_voters(rounds: int) -> None:
    for cluster in (None, "voter"):
        drifts, seen, p = [], [], []
        for seed in range(rounds):
            battles = draw_voters(
                np.random.default_rng([seed, 1]), models=8, days=20, voters=200, each=20, taste=150
            )
            found = ratings.over_time(battles, period="1D", cluster=cluster)
            drifts.append(found.drift_sd)
            seen.append(found.drift_lower > 0)
            p.append((found.changed["p"] < 0.05).mean())
        say(
            f"nobody drifts, by {cluster or 'vote'}: drift found {np.median(drifts):.1f} (median), "
            f"interval above 0 in {np.mean(seen):.0%}, models called changed {np.mean(p):.1%}"
        )


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
