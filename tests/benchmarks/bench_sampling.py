"""Votes until ratings converge: the adaptive sampling rule against uniform pairs.

Run: python tests/benchmarks/bench_sampling.py [--repeats N] [--part newcomer|ranking|coverage]

30 models, strengths of standard deviation 100 Elo points, ties by Davidson's model with nu = 0.36
(about 15%), batches of 100 votes (25 for the newcomer), a refit after each batch.

newcomer  29 models with 2,000 votes each and one without votes: votes in the whole arena until its
          standard error is 10 Elo points, and until its 95% interval is 50 points wide.
ranking   No votes at the start; strengths are normal quantiles. First place: votes until the best
          model leads in 95% of the repeats for 10 consecutive batches. Tau: votes until Kendall's
          tau with the true ranking is at least .95 for 3 consecutive batches, median (quartiles).
coverage  8 models: coverage of the 95% intervals after 3,000 votes.

The last line is the time to compute the probabilities of all pairs of 50 models.
"""

import argparse
import sys
import time

import numpy as np
from scipy.stats import kendalltau, norm

import ratings
from ratings.model.bradley_terry import ELO_PER_STRENGTH, BradleyTerry
from ratings.model.refit import prior_of

MODELS, NU, BATCH = 30, 0.36, 100
RULES = ("uniform", "adaptive")


class Arena:
    """Counts of votes simulated from Davidson's model, and the latest fit to them."""

    def __init__(self, elo: np.ndarray, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.models = [f"m{i:02}" for i in range(len(elo))]
        self.pairs = np.triu_indices(len(elo), 1)
        log_odds = (elo[self.pairs[0]] - elo[self.pairs[1]]) / ELO_PER_STRENGTH
        weights = np.stack(
            [np.exp(log_odds / 2), np.exp(-log_odds / 2), np.full(len(log_odds), NU)], axis=1
        )
        self.outcome_probabilities = weights / weights.sum(axis=1, keepdims=True)
        self.counts = np.zeros((4, len(elo), len(elo)))
        self.fit: BradleyTerry | None = None

    def add_votes(self, pair_probability: np.ndarray, votes: int) -> None:
        probability = pair_probability[self.pairs]
        votes_per_pair = self.random.multinomial(votes, probability / probability.sum())
        outcomes = self.random.multinomial(votes_per_pair, self.outcome_probabilities)
        self.counts[:3, self.pairs[0], self.pairs[1]] += outcomes.T

    def battles(self) -> ratings.Battles:
        return ratings.Battles.from_counts(self.models, self.counts)

    def run_batch(self, rule: str, votes: int) -> None:
        """Sample pairs by `rule`, add their votes and refit."""
        pairs = ratings.pair_probabilities(self.battles(), rule=rule, start=self.fit)
        self.add_votes(pairs.probability.to_numpy(), votes)
        self.fit = ratings.bradley_terry(self.battles(), prior_sd=400.0, start=self.fit)


def standard_error(fit: BradleyTerry, model: int) -> float:
    """Standard error of one model's rating in Elo points, from information and prior."""
    design = fit.design
    inverse = design.invert(design.information(fit.params) + prior_of(fit).precision)
    return float(ELO_PER_STRENGTH * np.sqrt(inverse[model, model]))


def measure_newcomer(rule: str, repeats: int) -> dict[str, list[int]]:
    """Votes until the newcomer's standard error is 10 points, and 50 / 2 / 1.96 points."""
    results: dict[str, list[int]] = {"error of 10": [], "interval of 50": []}
    for seed in range(repeats):
        random = np.random.default_rng([seed, 1])
        elo = random.normal(0, 100, MODELS)
        arena = Arena(elo, seed)
        established = np.ones((MODELS, MODELS)) - np.eye(MODELS)
        established[-1] = established[:, -1] = 0
        arena.add_votes(established, 2000 * (MODELS - 1) // 2)
        limits = {"interval of 50": 25 / norm.ppf(0.975), "error of 10": 10.0}
        votes = 0
        while limits:
            arena.run_batch(rule, 25)
            votes += 25
            error = standard_error(arena.fit, MODELS - 1)
            for name in [name for name, limit in limits.items() if error <= limit]:
                results[name].append(votes)
                del limits[name]
    return results


def measure_ranking(rule: str, repeats: int, batches: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether the best model leads, and tau, after each batch; shape (repeats, batches)."""
    elo = 100 * norm.ppf((np.arange(MODELS) + 0.5) / MODELS)
    correct, tau = np.zeros((2, repeats, batches))
    for repeat in range(repeats):
        arena = Arena(elo, 1000 + repeat)
        for batch in range(batches):
            arena.run_batch(rule, BATCH)
            estimates = arena.fit.ratings.to_numpy()
            correct[repeat, batch] = estimates.argmax() == elo.argmax()
            tau[repeat, batch] = kendalltau(estimates, elo).statistic
    return correct, tau


def votes_until_run(reached: np.ndarray, length: int) -> float:
    """Votes at the start of the first run of `length` batches that reached it; otherwise inf."""
    runs = np.convolve(reached, np.ones(length), "valid") == length
    return (np.argmax(runs) + 1) * BATCH if runs.any() else np.inf


def measure_coverage(rule: str, repeats: int) -> tuple[float, float]:
    """Mean coverage of 95% intervals, and the half-width of its own 95% interval."""
    coverage = []
    for seed in range(repeats):
        elo = np.random.default_rng([seed, 2]).normal(0, 100, 8)
        arena = Arena(elo, 5000 + seed)
        for _ in range(30):
            arena.run_batch(rule, 100)
        battles = arena.battles()
        fit = ratings.bradley_terry(battles, "davidson")
        intervals = ratings.intervals(battles, fit)
        truth = 1000 + elo - elo.mean()
        coverage.append(((intervals.lower <= truth) & (truth <= intervals.upper)).mean())
    return float(np.mean(coverage)), float(1.96 * np.std(coverage) / np.sqrt(repeats))


def report_newcomer(repeats: int) -> None:
    results = {rule: measure_newcomer(rule, repeats) for rule in RULES}
    for name in ("error of 10", "interval of 50"):
        uniform, adaptive = (np.median(results[rule][name]) for rule in RULES)
        upper = np.percentile(results["adaptive"][name], 90)
        say(
            f"newcomer, {name}: uniform {uniform:,.0f}, adaptive {adaptive:,.0f} votes (90% of "
            f"repeats within {upper:,.0f}); ratio {uniform / adaptive:.1f} ({repeats} repeats)"
        )


def report_ranking(repeats: int, batches: int) -> None:
    results = {}
    for rule in RULES:
        correct, tau = measure_ranking(rule, repeats, batches)
        first_votes = votes_until_run(correct.mean(axis=0) >= 0.95, 10)
        tau_votes = [votes_until_run(row >= 0.95, 3) for row in tau]
        results[rule] = (first_votes, np.array(tau_votes))
        low, middle, high = np.percentile(tau_votes, [25, 50, 75], method="nearest")
        say(
            f"{rule}: first place correct after {first_votes:,.0f} votes; tau .95 after "
            f"{middle:,.0f} ({low:,.0f} to {high:,.0f}); mean tau at 5k {tau[:, 49].mean():.3f}, "
            f"10k {tau[:, 99].mean():.3f}, 20k {tau[:, -1].mean():.3f} ({repeats} repeats)"
        )
    (uniform_first, uniform_tau), (adaptive_first, adaptive_tau) = (results[r] for r in RULES)
    random = np.random.default_rng(0)
    rows = random.integers(repeats, size=(2000, 2, repeats))
    uniform_medians = np.median(uniform_tau[rows[:, 0]], axis=1)
    adaptive_medians = np.median(adaptive_tau[rows[:, 1]], axis=1)
    low, high = np.nanpercentile(uniform_medians / adaptive_medians, [2.5, 97.5])
    ratio = np.median(uniform_tau) / np.median(adaptive_tau)
    say(
        f"first place: ratio {uniform_first / adaptive_first:.1f}; tau: ratio {ratio:.2f} "
        f"(bootstrap 95% interval {low:.2f} to {high:.2f})"
    )


def report_coverage(repeats: int) -> None:
    for rule in RULES:
        coverage, half_width = measure_coverage(rule, repeats)
        say(f"{rule}: coverage of 95% intervals {coverage:.3f} ± {half_width:.3f}")


def report_time() -> None:
    arena = Arena(np.random.default_rng(0).normal(0, 100, 50), 0)
    for _ in range(20):
        arena.run_batch("uniform", 1000)
    started = time.perf_counter()
    for _ in range(100):
        ratings.pair_probabilities(arena.battles(), start=arena.fit)
    say(f"50 models: {(time.perf_counter() - started) * 10:.2f} ms for all pairs")


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
        report_newcomer(max(options.repeats // 3, 2))
    if "ranking" in parts:
        report_ranking(options.repeats, options.batches)
    if "coverage" in parts:
        report_coverage(options.repeats * 5)
    report_time()


if __name__ == "__main__":
    main()
