"""Ratings over time: how often bands hold the truth, whether the drift is found, and time.

Run: python tests/benchmarks/bench_over_time.py [--rounds N] [--votes N]

8 models, 40 days, 4,000 votes; strengths start with sd 100 points and drift by so much a day.
"""

import argparse
import sys
import time

import numpy as np
import pandas as pd

import ratings
from ratings.bradley_terry import ELO_PER_STRENGTH

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--votes", type=int, default=1_000_000, help="of the timing")
    options = parser.parse_args()
    columns = f"{'known':>16}{'estimated':>16}{'a day alone':>16}"
    say(f"{'drift':>6}{columns}{'drift found, quartiles':>26}")
    for drift in (0, 5, 15, 40):
        held, drifts = {"known": [], "estimated": [], "alone": []}, []
        for seed in range(options.rounds):
            random = np.random.default_rng([seed, drift])
            battles, truth = draw(random, models=8, days=40, votes=4_000, drift=drift)
            found = ratings.over_time(battles, period="1D")
            drifts.append(found.drift_sd)
            each = {
                "known": ratings.over_time(battles, period="1D", drift_sd=drift),
                "estimated": found,
                "alone": ratings.over_time(battles, period="1D", drift_sd=300),
            }
            for name, course in each.items():
                inside = (course.lower.to_numpy() <= truth) & (truth <= course.upper.to_numpy())
                held[name].append(inside.mean())
        shown = "".join(
            f"{np.mean(x):>9.3f} ± {1.96 * np.std(x) / np.sqrt(len(x)):.3f}" for x in held.values()
        )
        low, middle, high = np.percentile(drifts, [25, 50, 75])
        say(f"{drift:>6}{shown}{middle:>12.1f} ({low:.1f} to {high:.1f})")
    battles, _ = draw(np.random.default_rng(0), models=50, days=100, votes=options.votes, drift=10)
    for what, drift in (("drift given", 10.0), ("drift estimated", None)):
        started = time.perf_counter()
        ratings.over_time(battles, period="1D", drift_sd=drift)
        took = time.perf_counter() - started
        say(f"50 models, 100 days, {options.votes:,} votes, {what}: {took:.1f} s")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
