"""How often a false first place is ever declared known, when somebody looks every hour.

Run: python tests/benchmarks/bench_first_place.py [--arenas 1000] [--jobs 2]

Each arena has six models, of which two share the first place, so that every first place that is
declared known is false: no configuration gives more occasions to err. Votes come in at a steady
rate, 3.5 by each voter on average (a geometric number), and each voter's taste shifts each model's
strength by a normal amount. The leaderboard is looked at after each of 100 hours. Beside the
statement of `ratings.first_place`, the same looks with the test that is valid once: the one-sided
test of the first model against each other, at a level of 5% shared by the models (Bonferroni). A
second table has a leader: in what share of arenas, and after how many votes, is it known?
"""

import argparse
import multiprocessing
import sys
import time

import numpy as np
import pandas as pd

import ratings
from ratings.distributions import student_tail
from ratings.inference.proportions import wilson_interval

HOURS, VOTES_AN_HOUR, VOTES_A_VOTER = 100, 100, 3.5
CONFIDENCE = 0.95
MARGIN = 1.5  # in the logarithm of the evidence: how much a variance by vote may be off
OTHERS = (-40.0, -60.0, -80.0, -120.0)
SCENARIOS = [(0.0, 0.0), (0.0, 60.0), (0.0, 120.0), (30.0, 60.0), (60.0, 60.0)]  # lead, taste sd


def draw_votes(random: np.random.Generator, lead: float, taste: float) -> pd.DataFrame:
    true = np.array([lead, 0.0, *OTHERS])
    size, count = len(true), HOURS * VOTES_AN_HOUR
    ends = np.cumsum(random.geometric(1 / VOTES_A_VOTER, size=count))
    voter = np.searchsorted(ends, np.arange(count), side="right")
    # Neighbouring votes are of one voter; voters overlap within about an hour.
    voter = voter[np.argsort(np.arange(count) + random.uniform(0, VOTES_AN_HOUR, count))]
    strength = true + random.normal(0, taste, (voter.max() + 1, size))
    a = random.integers(size, size=count)
    b = (a + random.integers(1, size, size=count)) % size
    won = random.random(count) < 1 / (1 + 10 ** ((strength[voter, b] - strength[voter, a]) / 400))
    names = [f"m{number}" for number in range(size)]
    return pd.DataFrame(
        {
            "model_a": pd.Categorical.from_codes(a, names),
            "model_b": pd.Categorical.from_codes(b, names),
            "winner": pd.Categorical.from_codes(np.where(won, 0, 1), ["model_a", "model_b"]),
            "voter": voter,
        }
    )


def passes_once(fit: ratings.BradleyTerry, around: ratings.Intervals, margin: float = 0.0) -> bool:
    """Whether the first model is ahead of all others by a test that is valid for one look.

    With a margin, the p-value may be larger by the factor exp(margin).
    """
    rated = fit.ratings.to_numpy()
    first = int(np.argmax(rated))
    others = np.flatnonzero(np.arange(len(rated)) != first)
    covariance = around.covariance.to_numpy()
    diagonal = np.diag(covariance)
    error = np.sqrt(diagonal[first] + diagonal[others] - 2 * covariance[first, others])
    df = np.minimum(around.df.to_numpy()[first], around.df.to_numpy()[others])
    p = student_tail((rated[first] - rated[others]) / error, df)
    return bool(p.max() <= (1 - CONFIDENCE) / len(rated) * np.exp(margin))


def look_every_hour(task: tuple[int, float, float]) -> tuple[int | None, int | None, bool]:
    """Hours after which the first place is declared known, by each rule, and whether truly."""
    seed, lead, taste = task
    votes = draw_votes(np.random.default_rng(seed), lead, taste)
    known = once = None
    correct = True
    for hour in range(1, HOURS + 1):
        battles = ratings.Battles.from_frame(votes.iloc[: hour * VOTES_AN_HOUR])
        fit = ratings.bradley_terry(battles)
        if fit.ratings.isna().any():
            continue
        by_vote = ratings.intervals(battles, fit, cluster=None)
        evidence = ratings.first_place(battles, fit, by_vote).e_value
        nearly = evidence > np.exp(-MARGIN) / (1 - CONFIDENCE)
        if not (nearly or (once is None and passes_once(fit, by_vote, MARGIN))):
            continue  # intervals by voter take most of the time, and are wider
        around = ratings.intervals(battles, fit, confidence=CONFIDENCE, cluster="voter")
        if once is None and passes_once(fit, around):
            once = hour
        found = ratings.first_place(battles, fit, around, confidence=CONFIDENCE)
        if found.status == "known":
            known, correct = hour, lead > 0 and found.first == "m0"
            break
    return known, once, correct


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arenas", type=int, default=1000, help="in each scenario")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args()
    begun = time.perf_counter()
    write(f"{HOURS} looks, one each {VOTES_AN_HOUR} votes; {options.arenas} arenas a scenario")
    write("lead  taste sd  false, any time (95%)      false, fixed time  known   median votes")
    with multiprocessing.Pool(options.jobs) as pool:
        for lead, taste in SCENARIOS:
            tasks = [(seed, lead, taste) for seed in range(options.arenas)]
            results = pool.map(look_every_hour, tasks, chunksize=4)
            false = np.array([known is not None and not correct for known, _, correct in results])
            lower, upper = wilson_interval(false.mean(), len(false), 0.95)
            once = np.mean([once is not None for _, once, _ in results])
            hours = [known for known, _, correct in results if known is not None and correct]
            median = f"{np.median(hours) * VOTES_AN_HOUR:,.0f}" if hours else "-"
            fixed = f"{once:.1%}" if lead == 0 else "-"
            write(
                f"{lead:4.0f}  {taste:8.0f}  {false.mean():6.2%} ({lower:.2%} - {upper:.2%})"
                f"{'':8}{fixed:>10}  {len(hours) / len(results):10.1%}  {median:>10}"
            )
    write(f"{time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
