"""Votes until a leaderboard settles: the adaptive rule beside uniform pairs.

Run: python tests/benchmarks/bench_sampling.py [--repeats N] [--part newcomer|ranking|coverage]

30 models, strengths of standard deviation 100 Elo points, ties by Davidson's model with nu 0.36
(about 15%), batches of 100 votes (25 for the newcomer), a refit after each batch.

newcomer  29 models with 2,000 votes each, and one without: votes in the whole arena until its
          standard error is 10 Elo points, and until its 95% interval is 50 points wide
ranking   from nothing; strengths are normal quantiles. first: votes after which the right model
          leads in 95% of the repeats for 10 batches running; tau: votes until Kendall's tau with
          the truth is .95 for 3 batches running, median (quartiles)
coverage  8 models: share of the 95% intervals that hold the truth after 3,000 votes
"""

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy.stats import kendalltau, norm

import ratings
from ratings.model.bradley_terry import ELO_PER_STRENGTH, BradleyTerry
from ratings.model.refit import prior_of

MODELS, NU, BATCH = 30, 0.36, 100
RULES = ("uniform", "adaptive")
Settled = Callable[[BradleyTerry], bool]


class Arena:
    """Counts of votes that grow, drawn from Davidson's model."""

    def __init__(self, elo: np.ndarray, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.models = [f"m{i:02}" for i in range(len(elo))]
        self.pairs = np.triu_indices(len(elo), 1)
        gap = (elo[self.pairs[0]] - elo[self.pairs[1]]) / ELO_PER_STRENGTH
        weights = np.stack([np.exp(gap / 2), np.exp(-gap / 2), np.full(len(gap), NU)], axis=1)
        self.answers = weights / weights.sum(axis=1, keepdims=True)
        self.counts = np.zeros((4, len(elo), len(elo)))
        self.fit: BradleyTerry | None = None

    def vote(self, chance: np.ndarray, votes: int) -> None:
        chance = chance[self.pairs]
        drawn = self.random.multinomial(votes, chance / chance.sum())
        self.counts[:3, self.pairs[0], self.pairs[1]] += self.random.multinomial(
            drawn, self.answers
        ).T

    def battles(self) -> ratings.Battles:
        return ratings.Battles.from_counts(self.models, self.counts)

    def step(self, rule: str, votes: int) -> None:
        found = ratings.pair_probabilities(self.battles(), rule=rule, start=self.fit)
        self.vote(found.probability.to_numpy(), votes)
        self.fit = ratings.bradley_terry(self.battles(), prior_sd=400.0, start=self.fit)


def error_of(fit: BradleyTerry, model: int) -> float:
    design = fit.design
    inverse = design.invert(design.information(fit.params) + prior_of(fit).precision)
    return float(ELO_PER_STRENGTH * np.sqrt(inverse[model, model]))


def newcomer(rule: str, repeats: int) -> dict[str, list[int]]:
    """Votes until the newcomer's error is 10 points, and 50 / 2 / 1.96."""
    found: dict[str, list[int]] = {"error of 10": [], "interval of 50": []}
    for seed in range(repeats):
        random = np.random.default_rng([seed, 1])
        elo = random.normal(0, 100, MODELS)
        arena = Arena(elo, seed)
        settled = np.ones((MODELS, MODELS)) - np.eye(MODELS)
        settled[-1] = settled[:, -1] = 0
        arena.vote(settled, 2000 * (MODELS - 1) // 2)
        limits = {"interval of 50": 25 / norm.ppf(0.975), "error of 10": 10.0}
        votes = 0
        while limits:
            arena.step(rule, 25)
            votes += 25
            error = error_of(arena.fit, MODELS - 1)
            for name in [name for name, limit in limits.items() if error <= limit]:
                found[name].append(votes)
                del limits[name]
    return found


def ranking(rule: str, repeats: int, batches: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether the right model leads, and tau, after each batch, shape (repeats, batches)."""
    elo = 100 * norm.ppf((np.arange(MODELS) + 0.5) / MODELS)
    first, tau = np.zeros((2, repeats, batches))
    for repeat in range(repeats):
        arena = Arena(elo, 1000 + repeat)
        for batch in range(batches):
            arena.step(rule, BATCH)
            found = arena.fit.ratings.to_numpy()
            first[repeat, batch] = found.argmax() == elo.argmax()
            tau[repeat, batch] = kendalltau(found, elo).statistic
    return first, tau


def run_of(true: np.ndarray, length: int) -> float:
    """Votes at the first batch from which `length` batches running are true; infinite if none."""
    runs = np.convolve(true, np.ones(length), "valid") == length
    return (np.argmax(runs) + 1) * BATCH if runs.any() else np.inf


def coverage(rule: str, repeats: int) -> tuple[float, float]:
    held = []
    for seed in range(repeats):
        elo = np.random.default_rng([seed, 2]).normal(0, 100, 8)
        arena = Arena(elo, 5000 + seed)
        for _ in range(30):
            arena.step(rule, 100)
        battles = arena.battles()
        fit = ratings.bradley_terry(battles, "davidson")
        spread = ratings.intervals(battles, fit)
        truth = 1000 + elo - elo.mean()
        held.append(((spread.lower <= truth) & (truth <= spread.upper)).mean())
    return float(np.mean(held)), float(1.96 * np.std(held) / np.sqrt(repeats))


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--part", choices=("newcomer", "ranking", "coverage"), action="append")
    options = parser.parse_args()
    parts = options.part or ["newcomer", "ranking", "coverage"]
    if "newcomer" in parts:
        repeats = max(options.repeats // 3, 2)
        each = {rule: newcomer(rule, repeats) for rule in RULES}
        for name in ("error of 10", "interval of 50"):
            plain, ours = (np.median(each[rule][name]) for rule in RULES)
            late = np.percentile(each["adaptive"][name], 90)
            say(
                f"newcomer, {name}: uniform {plain:,.0f}, adaptive {ours:,.0f} votes (nine in ten "
                f"within {late:,.0f}); ratio {plain / ours:.1f} ({repeats} repeats)"
            )
    if "ranking" in parts:
        medians = {}
        for rule in RULES:
            first, tau = ranking(rule, options.repeats, options.batches)
            right = run_of(first.mean(axis=0) >= 0.95, 10)
            settled = [run_of(row >= 0.95, 3) for row in tau]
            medians[rule] = (right, np.array(settled))
            low, middle, high = np.percentile(settled, [25, 50, 75], method="nearest")
            say(
                f"{rule}: first place known in {right:,.0f} votes; tau .95 in {middle:,.0f} "
                f"({low:,.0f} to {high:,.0f}); mean tau at 5k {tau[:, 49].mean():.3f}, "
                f"10k {tau[:, 99].mean():.3f}, 20k {tau[:, -1].mean():.3f} "
                f"({options.repeats} repeats)"
            )
        (plain, slow), (ours, fast) = medians["uniform"], medians["adaptive"]
        random = np.random.default_rng(0)
        rows = random.integers(len(slow), size=(2000, 2, len(slow)))
        drawn = np.median(slow[rows[:, 0]], axis=1) / np.median(fast[rows[:, 1]], axis=1)
        low, high = np.nanpercentile(drawn, [2.5, 97.5])
        say(
            f"first place: ratio {plain / ours:.1f}; tau: ratio "
            f"{np.median(slow) / np.median(fast):.2f} (95% of resamples {low:.2f} to {high:.2f})"
        )
    if "coverage" in parts:
        for rule in RULES:
            held, error = coverage(rule, options.repeats * 5)
            say(f"{rule}: 95% intervals hold the truth in {held:.3f} ± {error:.3f}")
    battles = Arena(np.random.default_rng(0).normal(0, 100, 50), 0)
    for _ in range(20):
        battles.step("uniform", 1000)
    start = time.perf_counter()
    for _ in range(100):
        ratings.pair_probabilities(battles.battles(), start=battles.fit)
    say(f"50 models: {(time.perf_counter() - start) * 10:.2f} ms for all pairs")


if __name__ == "__main__":
    main()
