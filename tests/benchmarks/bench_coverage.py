"""Coverage of 95% intervals when voters differ in taste and one casts many votes.

Run: python tests/benchmarks/bench_coverage.py [--rounds N]

20 models (standard deviation 100 Elo points), 20,000 votes by 2,000 voters. A voter's taste shifts
each model's strength by a normal amount. Votes are distributed over voters by a power law: exponent
0 is uniform, 1 gives the busiest voter 12% of the votes. The true ratings are those of infinitely
many voters: the Bradley-Terry ratings of the pair probabilities averaged over tastes. The models of
a round share its votes, so the interval of a coverage is that of the mean over rounds.
"""

import argparse
import sys

import numpy as np
import pandas as pd

import ratings
from ratings.model.bradley_terry import ELO_PER_STRENGTH
from ratings.model.design import Design, fold_pairs
from ratings.model.newton import maximise
from ratings.model.outcomes import OutcomeRules

MODELS, VOTES, VOTERS = 20, 20_000, 2_000
SCENARIOS = [(0, 1.0), (60, 0.0), (60, 0.5), (60, 1.0), (120, 1.0)]  # taste in points, exponent
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(31)


def target(strengths: np.ndarray, taste: float) -> np.ndarray:
    """Ratings of the averaged pair probabilities, with equally many votes on every pair."""
    log_odds = strengths[:, None] - strengths[None, :]
    noise = NODES * taste * np.sqrt(2)  # of the difference of two tastes
    won = (NODE_WEIGHTS / NODE_WEIGHTS.sum() / (1 + np.exp(-log_odds[..., None] - noise))).sum(
        axis=-1
    )
    np.fill_diagonal(won, 0)
    won_counts = np.zeros((4, MODELS, MODELS))
    won_counts[0] = won * 1e6
    rules = OutcomeRules("drop", "drop")
    left, right, counts = fold_pairs(won_counts, sides=False)
    maximum = maximise(Design(MODELS, left, right, counts, rules))
    return 1000 + ELO_PER_STRENGTH * (maximum.params - maximum.params.mean())


def draw(random: np.random.Generator, strengths: np.ndarray, taste: float, power: float):
    share = np.arange(1, VOTERS + 1) ** -power
    voter = random.choice(VOTERS, size=VOTES, p=share / share.sum())
    personal = strengths + random.normal(0, taste, (VOTERS, MODELS))
    a = random.integers(MODELS, size=VOTES)
    b = (a + random.integers(1, MODELS, size=VOTES)) % MODELS
    won = random.random(VOTES) < 1 / (1 + np.exp(personal[voter, b] - personal[voter, a]))
    return pd.DataFrame(
        {
            "model_a": pd.Categorical.from_codes(a, [f"m{i:02}" for i in range(MODELS)]),
            "model_b": pd.Categorical.from_codes(b, [f"m{i:02}" for i in range(MODELS)]),
            "winner": pd.Categorical.from_codes(np.where(won, 0, 1), ["model_a", "model_b"]),
            "voter": voter,
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=500)
    rounds = parser.parse_args().rounds
    sys.stdout.write(
        f"{rounds} rounds per line; share of 95% intervals that contain the true rating\n"
    )
    sys.stdout.write(
        f"{'taste':>6}{'busiest':>9}{'by vote':>18}{'by voter':>18}{'width ratio':>13}\n"
    )
    for points, power in SCENARIOS:
        taste = points / ELO_PER_STRENGTH
        coverage: dict[str | None, list[float]] = {None: [], "voter": []}
        width = {None: 0.0, "voter": 0.0}
        busiest = 0.0
        for seed in range(rounds):
            random = np.random.default_rng([seed, points, int(10 * power)])
            strengths = random.normal(0, 100, MODELS) / ELO_PER_STRENGTH
            truth = target(strengths, taste)
            frame = draw(random, strengths, taste, power)
            busiest += frame["voter"].value_counts().iloc[0] / VOTES / rounds
            battles = ratings.Battles.from_frame(frame)
            fit = ratings.bradley_terry(battles)
            for cluster in coverage:
                around = ratings.intervals(battles, fit, cluster=cluster)
                covered = (around.lower <= truth) & (truth <= around.upper)
                coverage[cluster].append(float(covered.mean()))
                width[cluster] += float((around.upper - around.lower).mean())
        formatted = [
            f"{np.mean(each):.3f} ± {1.96 * np.std(each, ddof=1) / np.sqrt(rounds):.3f}"
            for each in coverage.values()
        ]
        ratio = width["voter"] / width[None]
        line = f"{points:>6}{busiest:>9.1%}{formatted[0]:>18}{formatted[1]:>18}{ratio:>13.2f}"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
