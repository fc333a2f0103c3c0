"""Does the number of votes that a plan promises deliver the power that it promises?

Run: python tests/benchmarks/bench_planning.py [--rounds N]

For each arena votes are drawn, and a plan is made for the first neighbours that are not told apart.
power      the true gap is the estimate: the planned votes are added and everything is fitted anew,
           with new intervals; how often the two are told apart. Promised: 80%.
assurance  the true strengths are what votes were drawn from: how often the planned votes tell the
           two apart, beside the mean assurance that plans gave.
Votes to come are drawn from the model; in clustered arenas from as many new voters with tastes.
"""

import argparse
import sys

import numpy as np
from scipy.stats import norm

import ratings
from ratings.bradley_terry import ELO_PER_STRENGTH
from ratings.shares import wilson_interval

ARENAS = [(8, 3_000, "davidson"), (8, 10_000, "davidson"), (20, 20_000, "davidson"),
          (8, 3_000, "drop"), (20, 20_000, "drop")]  # fmt: skip
NU = 0.36


def draw(random, strengths, votes, ties):
    """Counts of votes with pairs evenly mixed, shape (4, m, m)."""
    size = len(strengths)
    left, right = np.triu_indices(size, 1)
    gap = strengths[left] - strengths[right]
    nu = NU if ties == "davidson" else 0.0
    weights = np.stack([np.exp(gap / 2), np.exp(-gap / 2), np.full(len(gap), nu)], axis=1)
    many = random.multinomial(votes, np.full(len(left), 1 / len(left)))
    counts = np.zeros((4, size, size))
    counts[:3, left, right] = random.multinomial(
        many, weights / weights.sum(axis=1, keepdims=True)
    ).T
    return counts


def fitted(counts, ties, start=None):
    names = [f"m{i:02}" for i in range(counts.shape[1])]
    battles = ratings.Battles.from_counts(names, counts)
    fit = ratings.bradley_terry(battles, ties, start=start)
    return battles, fit, ratings.intervals(battles, fit)


def told_apart(fit, spread, one, other) -> bool:
    c = spread.covariance
    error = np.sqrt(c.loc[one, one] + c.loc[other, other] - 2 * c.loc[one, other])
    return bool(abs(fit.ratings[one] - fit.ratings[other]) > norm.ppf(0.975) * error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    promises = f"{'power':>22}{'assurance: promised':>22}{'found':>20}"
    say(f"{'models':>7}{'votes':>9}{'ties':>10}{promises}")
    for size, votes, ties in ARENAS:
        power, assured, promised = [], [], []
        seed = 0
        while len(power) < rounds:
            random = np.random.default_rng([seed, size, votes])
            seed += 1
            strengths = random.normal(0, 100, size) / ELO_PER_STRENGTH
            counts = draw(random, strengths, votes, ties)
            battles, fit, spread = fitted(counts, ties)
            table = ratings.plan(battles, fit, spread).neighbours
            table = table[~table["told_apart"] & (table["more_votes"] < 40 * votes).fillna(False)]
            if not len(table):
                continue
            row = table.iloc[random.integers(len(table))]
            pair = row["model"], row["below"]
            estimate = fit.ratings.to_numpy() / ELO_PER_STRENGTH
            for truth, found in ((estimate, power), (strengths, assured)):
                more = counts + draw(random, truth, int(row["more_votes"]), ties)
                _, again, wider = fitted(more, ties, fit)
                found.append(told_apart(again, wider, *pair))
            promised.append(row["assurance"])
        say(
            f"{size:>7}{votes:>9,}{ties:>10}{show(power):>22}{np.mean(promised):>22.3f}"
            f"{show(assured):>20}"
        )


def show(found) -> str:
    low, high = wilson_interval(np.mean(found), len(found))
    return f"{np.mean(found):.3f} ({low:.3f}-{high:.3f})"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
