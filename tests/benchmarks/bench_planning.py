"""Does the number of votes that a plan promises deliver the power that it promises?

Run: python tests/benchmarks/bench_planning.py [--rounds N] [--only WORD]

In each round an arena's votes are drawn, a plan is made, one pair of neighbours that are not told
apart is taken at random, the planned votes are added, and everything is fitted anew with new
intervals. Printed is how often the two are then told apart, with its 95% interval.

power     after `more_votes`, the true gap being the estimate: new votes (or whole new voters) are
          resampled from those in hand. Promised: 80%.
first     after `first_votes`, the same: how often the first is told apart from all others.
direct    after `direct_votes`, drawn from the fitted model, all between the two.
mix       after `more_votes` of a plan with `pair_probabilities`, drawn so from the fitted model.
assured   after `assured_votes`, the true strengths being those that votes were drawn from: 80%.
promised  the mean `assurance` of `more_votes`, and how often they did, the truth being the same.

Votes are 14% ties or so (nu 0.36). In arenas with voters each has tastes of its own (normal, sd 60
points), and numbers of votes fall by a power law or are all equal; new voters are drawn likewise,
and intervals are by voter.
"""

import argparse
import sys
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

import ratings
from ratings.inference.proportions import wilson_interval
from ratings.model.bradley_terry import ELO_PER_STRENGTH

NU = 0.36
TASTE = 60 / ELO_PER_STRENGTH
MOST_TIMES = 40  # more votes than this many times those in hand would take too long to draw


class Arena(NamedTuple):
    """`voters` 0: all votes are independent; `law`: the exponent of their numbers of votes."""

    models: int
    votes: int
    ties: str
    voters: int = 0
    law: float = 0.0


ARENAS = [
    Arena(8, 3_000, "half"),
    Arena(8, 3_000, "davidson"),
    Arena(8, 3_000, "drop"),
    Arena(8, 10_000, "half"),
    Arena(20, 20_000, "half"),
    Arena(20, 20_000, "davidson"),
]
CLUSTERED = [
    Arena(8, 3_000, "half", 300),
    Arena(8, 3_000, "half", 300, 0.7),
    Arena(8, 3_000, "half", 30),
]


def shares(gap, nu):
    weights = np.stack([np.exp(gap / 2), np.exp(-gap / 2), np.broadcast_to(nu, gap.shape)])
    return weights / weights.sum(axis=0)


def draw(random, strengths, votes, nu, chance=None):
    """Counts of votes of Davidson's model, shape (4, m, m); pairs evenly mixed, or by `chance`."""
    size = len(strengths)
    left, right = np.triu_indices(size, 1)
    chance = np.ones(len(left)) if chance is None else chance[left, right]
    many = random.multinomial(votes, chance / chance.sum())
    counts = np.zeros((4, size, size))
    answer = shares(strengths[left] - strengths[right], nu).T
    counts[:3, left, right] = random.multinomial(many, answer).T
    return counts


def resample(random, counts, votes):
    told = counts.ravel()
    return random.multinomial(votes, told / told.sum()).reshape(counts.shape).astype(float)


def names(size):
    return [f"m{i:02}" for i in range(size)]


def fitted(votes, ties, start=None):
    """From counts, or from a table of votes with voters."""
    if isinstance(votes, np.ndarray):
        battles, cluster = ratings.Battles.from_counts(names(votes.shape[1]), votes), None
    else:
        battles, cluster = ratings.Battles.from_frame(votes), "voter"
    fit = ratings.bradley_terry(battles, ties, start=start)
    return battles, fit, ratings.intervals(battles, fit, cluster=cluster)


def told_apart(fit, spread, one, other, tests=1):
    c = spread.covariance
    error = np.sqrt(c.loc[one, one] + c.loc[other, other] - 2 * c.loc[one, other])
    df = spread.df[[one, other]].min()
    ahead = fit.ratings[one] - fit.ratings[other]
    return bool(ahead > stdtrit(df, 1 - 0.025 / tests) * error)


def either(votes, ties, one, other, start=None):
    _, fit, spread = fitted(votes, ties, start)
    return told_apart(fit, spread, one, other) or told_apart(fit, spread, other, one)


def is_first(votes, ties, first, start=None):
    _, fit, spread = fitted(votes, ties, start)
    others = [name for name in fit.ratings.index if name != first]
    return all(told_apart(fit, spread, first, other, len(others)) for other in others)


def open_pair(random, plan, *columns):
    """A row of a pair that is not told apart, with numbers of votes that can be drawn."""
    table = plan.neighbours[~plan.neighbours["told_apart"]]
    few = (table[list(columns)] < MOST_TIMES * plan.votes).fillna(False).all(axis=1)
    table = table[few]
    return table.iloc[random.integers(len(table))] if len(table) else None


def by_vote(arena, random, found):
    """Add what one round shows to the lists of `found`."""
    strengths = random.normal(0, 100, arena.models) / ELO_PER_STRENGTH
    counts = draw(random, strengths, arena.votes, NU)
    battles, fit, spread = fitted(counts, arena.ties)
    plan = ratings.plan(battles, fit, spread)
    ties = arena.ties
    row = open_pair(random, plan, "more_votes", "assured_votes")
    if row is not None:
        pair, more = (row["model"], row["below"]), int(row["more_votes"])
        later = counts + resample(random, counts, more)
        found["power"].append(told_apart(*fitted(later, ties, fit)[1:], *pair))
        later = counts + draw(random, strengths, more, NU)
        found["kept"].append(either(later, ties, *pair, fit))
        found["promised"].append(row["assurance"])
        later = counts + draw(random, strengths, int(row["assured_votes"]), NU)
        found["assured"].append(either(later, ties, *pair, fit))
        if ties == "davidson":
            from_model(arena, random, found, (counts, battles, fit, spread), row)
    if plan.first_votes and plan.first_votes < MOST_TIMES * arena.votes:
        later = counts + resample(random, counts, plan.first_votes)
        found["first"].append(is_first(later, ties, plan.first, fit))


def from_model(arena, random, found, known, row):
    """What resampling cannot draw: votes on other pairs than so far."""
    counts, battles, fit, spread = known
    estimate = fit.ratings.to_numpy() / ELO_PER_STRENGTH
    pair = row["model"], row["below"]
    only = np.zeros((arena.models,) * 2)
    only[tuple(sorted(battles.models.index(name) for name in pair))] = 1
    mixed = ratings.pair_probabilities(battles).probability
    plan = ratings.plan(battles, fit, spread, pairs=mixed).neighbours.set_index("model")
    wanted = plan.loc[pair[0], "more_votes"]
    asked = [("direct", row["direct_votes"], only), ("mix", wanted, mixed.to_numpy())]
    for name, more, chance in asked:
        if not pd.isna(more) and more < MOST_TIMES * arena.votes:
            later = counts + draw(random, estimate, int(more), fit.tie_parameter, chance)
            found[name].append(told_apart(*fitted(later, arena.ties, fit)[1:], *pair))


def vote_table(arena, random, strengths, voters):
    """Votes of new voters, with tastes of their own."""
    law = np.arange(1, arena.voters + 1) ** -arena.law
    numbers = np.round(arena.votes * law / law.sum()).astype(int)
    numbers = random.choice(numbers, size=voters) if voters != arena.voters else numbers
    voter = np.repeat(np.arange(len(numbers)), numbers)
    own = strengths + random.normal(0, TASTE, (len(numbers), arena.models))
    left = random.integers(arena.models, size=len(voter))
    right = (left + random.integers(1, arena.models, size=len(voter))) % arena.models
    steps = np.cumsum(shares(own[voter, left] - own[voter, right], NU), axis=0)
    answer = (random.random(len(voter)) > steps[:2]).sum(axis=0)
    words = ["model_a", "model_b", "tie"]
    return pd.DataFrame(
        {
            "model_a": pd.Categorical.from_codes(left, names(arena.models)),
            "model_b": pd.Categorical.from_codes(right, names(arena.models)),
            "winner": pd.Categorical.from_codes(answer, words),
            "voter": voter,
        }
    )


def resample_voters(random, table, voters):
    """All votes of voters taken at random, each time as a new voter."""
    codes = table["voter"].to_numpy()
    rows = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    taken = random.integers(len(rows), size=voters)
    drawn = table.iloc[np.concatenate([rows[i] for i in taken])]
    return drawn.assign(voter=np.repeat(np.arange(voters), [len(rows[i]) for i in taken]))


def together(table, more):
    return pd.concat([table, more.assign(voter=more["voter"] + table["voter"].max() + 1)])


def by_voter(arena, random, found):
    """As `by_vote`, with voters."""
    strengths = random.normal(0, 100, arena.models) / ELO_PER_STRENGTH
    table = vote_table(arena, random, strengths, arena.voters)
    plan = ratings.plan(*fitted(table, arena.ties))
    row = open_pair(random, plan, "more_votes", "assured_votes")

    def voters(votes):
        return max(1, round(votes / len(table) * arena.voters))

    if row is not None:
        pair, more = (row["model"], row["below"]), voters(row["more_votes"])
        later = together(table, resample_voters(random, table, more))
        found["power"].append(told_apart(*fitted(later, arena.ties)[1:], *pair))
        later = together(table, vote_table(arena, random, strengths, more))
        found["kept"].append(either(later, arena.ties, *pair))
        found["promised"].append(row["assurance"])
        more = voters(row["assured_votes"])
        later = together(table, vote_table(arena, random, strengths, more))
        found["assured"].append(either(later, arena.ties, *pair))
    if plan.first_votes and plan.first_votes < MOST_TIMES * arena.votes:
        later = together(table, resample_voters(random, table, voters(plan.first_votes)))
        found["first"].append(is_first(later, arena.ties, plan.first))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--only", choices=["votes", "voters"])
    options = parser.parse_args()
    shown = ["power", "first", "direct", "mix", "assured"]
    head = f"{'models':>7}{'votes':>8}{'ties':>10}{'voters':>8}{'law':>5}"
    say(head + "".join(f"{name:>19}" for name in shown) + f"{'promised':>10}{'and kept':>19}")
    chosen = [*(ARENAS if options.only != "voters" else [])]
    chosen += CLUSTERED if options.only != "votes" else []
    for which, arena in enumerate(chosen):
        found = {name: [] for name in [*shown, "promised", "kept"]}
        for seed in range(options.rounds):
            random = np.random.default_rng([seed, which])
            (by_voter if arena.voters else by_vote)(arena, random, found)
        say(
            f"{arena.models:>7}{arena.votes:>8,}{arena.ties:>10}{arena.voters or '-':>8}"
            f"{arena.law:>5g}"
            + "".join(show(found[name]) for name in shown)
            + f"{np.mean(found['promised']):>10.3f}{show(found['kept'])}"
        )


def show(found) -> str:
    if not found:
        return f"{'-':>19}"
    low, high = wilson_interval(np.mean(found), len(found))
    text = f"{np.mean(found):.3f} ({low:.2f}-{high:.2f})"
    return f"{text:>19}"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
