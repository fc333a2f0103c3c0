"""Power of plans: how often the planned number of votes delivers the requested power.

Run: python tests/benchmarks/bench_planning.py [--rounds N] [--only votes|voters]

Each round simulates an arena's votes and makes a plan. One pair of neighbours whose difference is
not significant is chosen at random, the planned votes are added, and ratings and intervals are
computed again. Each column is the share of rounds in which the difference is then significant, with
its 95% interval.

power     after `more_votes`, if the true difference is the estimate: the new votes (or all votes of
          new voters) are resampled from the existing ones. Requested: 80%.
first     after `first_votes`, likewise: the first model is significantly above all others.
direct    after `direct_votes`, all between the two models, simulated from the fitted model.
mix       after `more_votes` of a plan with `pair_probabilities`, simulated from the fitted model
          with these probabilities.
assured   after `assured_votes`, simulated from the true strengths. Requested: 80%.
expected  the mean `assurance` of `more_votes`.
observed  power after `more_votes`, simulated from the true strengths; compare with `expected`.

About 14% of votes are ties (nu = 0.36). In arenas with voters, each voter has a personal taste
(normal, standard deviation 60 Elo points), votes per voter follow a power law or are all equal, new
voters are drawn from the same distributions, and intervals are clustered by voter.
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
MAX_FACTOR = 40  # skip numbers of votes above this multiple of the existing votes: too slow
POWERS = ("power", "first", "direct", "mix", "assured")


class Arena(NamedTuple):
    """Size of a simulated arena.

    Attributes:
        models: number of models.
        votes: number of existing votes.
        ties: the tie rule.
        voters: number of voters; 0 for independent votes.
        exponent: of the power law of votes per voter; 0 for equal numbers.
    """

    models: int
    votes: int
    ties: str
    voters: int = 0
    exponent: float = 0.0


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


def outcome_probabilities(log_odds, nu):
    """Davidson's model; shape (3, ...) for a left win, a right win and a tie."""
    weights = np.stack(
        [np.exp(log_odds / 2), np.exp(-log_odds / 2), np.broadcast_to(nu, log_odds.shape)]
    )
    return weights / weights.sum(axis=0)


def simulate(random, strengths, votes, nu, pair_probability=None):
    """Counts of votes of Davidson's model, shape (4, m, m); all pairs equally likely by default."""
    size = len(strengths)
    left, right = np.triu_indices(size, 1)
    if pair_probability is None:
        probability = np.ones(len(left))
    else:
        probability = pair_probability[left, right]
    votes_per_pair = random.multinomial(votes, probability / probability.sum())
    counts = np.zeros((4, size, size))
    outcomes = outcome_probabilities(strengths[left] - strengths[right], nu).T
    counts[:3, left, right] = random.multinomial(votes_per_pair, outcomes).T
    return counts


def resample(random, counts, votes):
    flat = counts.ravel()
    return random.multinomial(votes, flat / flat.sum()).reshape(counts.shape).astype(float)


def model_names(size):
    return [f"m{i:02}" for i in range(size)]


def fit_votes(votes, ties, start=None):
    """Battles, ratings and intervals of counts, or of a table of votes with voters."""
    if isinstance(votes, np.ndarray):
        battles, cluster = ratings.Battles.from_counts(model_names(votes.shape[1]), votes), None
    else:
        battles, cluster = ratings.Battles.from_frame(votes), "voter"
    fit = ratings.bradley_terry(battles, ties, start=start)
    return battles, fit, ratings.intervals(battles, fit, cluster=cluster)


def is_above(fit, intervals, one, other, tests=1):
    """Whether `one` is significantly above `other` at a two-sided level of 5% (Bonferroni)."""
    covariance = intervals.covariance
    variance = covariance.loc[one, one] + covariance.loc[other, other]
    error = np.sqrt(variance - 2 * covariance.loc[one, other])
    df = intervals.df[[one, other]].min()
    difference = fit.ratings[one] - fit.ratings[other]
    return bool(difference > stdtrit(df, 1 - 0.025 / tests) * error)


def is_estimate_confirmed(votes, ties, pair, start=None):
    """Whether the first of `pair`, which had the higher estimate, is significantly above."""
    _, fit, intervals = fit_votes(votes, ties, start)
    return is_above(fit, intervals, *pair)


def is_told_apart(votes, ties, pair, start=None):
    """Whether the difference of `pair` is significant, in either direction."""
    one, other = pair
    _, fit, intervals = fit_votes(votes, ties, start)
    return is_above(fit, intervals, one, other) or is_above(fit, intervals, other, one)


def is_first(votes, ties, first, start=None):
    _, fit, intervals = fit_votes(votes, ties, start)
    others = [name for name in fit.ratings.index if name != first]
    return all(is_above(fit, intervals, first, other, len(others)) for other in others)


def choose_undecided(random, plan, *columns):
    """Row of a random pair whose difference is not significant, with feasible numbers of votes."""
    table = plan.neighbours[~plan.neighbours["told_apart"]]
    feasible = (table[list(columns)] < MAX_FACTOR * plan.votes).fillna(False).all(axis=1)
    table = table[feasible]
    return table.iloc[random.integers(len(table))] if len(table) else None


def run_by_vote(arena, random, results):
    """Run one round and append its outcomes to the lists of `results`."""
    strengths = random.normal(0, 100, arena.models) / ELO_PER_STRENGTH
    counts = simulate(random, strengths, arena.votes, NU)
    battles, fit, intervals = fit_votes(counts, arena.ties)
    plan = ratings.plan(battles, fit, intervals)
    ties = arena.ties
    row = choose_undecided(random, plan, "more_votes", "assured_votes")
    if row is not None:
        pair, more = (row["model"], row["below"]), int(row["more_votes"])
        later = counts + resample(random, counts, more)
        results["power"].append(is_estimate_confirmed(later, ties, pair, fit))
        later = counts + simulate(random, strengths, more, NU)
        results["observed"].append(is_told_apart(later, ties, pair, fit))
        results["expected"].append(row["assurance"])
        later = counts + simulate(random, strengths, int(row["assured_votes"]), NU)
        results["assured"].append(is_told_apart(later, ties, pair, fit))
        if ties == "davidson":
            run_other_pairs(arena, random, results, (counts, battles, fit, intervals), row)
    if plan.first_votes and plan.first_votes < MAX_FACTOR * arena.votes:
        later = counts + resample(random, counts, plan.first_votes)
        results["first"].append(is_first(later, ties, plan.first, fit))


def run_other_pairs(arena, random, results, existing, row):
    """Simulate votes on other pairs than so far from the fitted model; resampling cannot."""
    counts, battles, fit, intervals = existing
    estimate = fit.ratings.to_numpy() / ELO_PER_STRENGTH
    pair = row["model"], row["below"]
    direct = np.zeros((arena.models,) * 2)
    direct[tuple(sorted(battles.models.index(name) for name in pair))] = 1
    mixed = ratings.pair_probabilities(battles).probability
    plan = ratings.plan(battles, fit, intervals, pairs=mixed).neighbours.set_index("model")
    mixed_votes = plan.loc[pair[0], "more_votes"]
    designs = [("direct", row["direct_votes"], direct), ("mix", mixed_votes, mixed.to_numpy())]
    for name, more, probability in designs:
        if not pd.isna(more) and more < MAX_FACTOR * arena.votes:
            later = counts + simulate(random, estimate, int(more), fit.tie_parameter, probability)
            results[name].append(is_estimate_confirmed(later, arena.ties, pair, fit))


def simulate_voters(arena, random, strengths, voters):
    """Table of the votes of new voters with personal tastes."""
    share = np.arange(1, arena.voters + 1) ** -arena.exponent
    votes_per_voter = np.round(arena.votes * share / share.sum()).astype(int)
    if voters != arena.voters:
        votes_per_voter = random.choice(votes_per_voter, size=voters)
    voter = np.repeat(np.arange(voters), votes_per_voter)
    personal = strengths + random.normal(0, TASTE, (voters, arena.models))
    left = random.integers(arena.models, size=len(voter))
    right = (left + random.integers(1, arena.models, size=len(voter))) % arena.models
    log_odds = personal[voter, left] - personal[voter, right]
    cumulative = np.cumsum(outcome_probabilities(log_odds, NU), axis=0)
    outcome = (random.random(len(voter)) > cumulative[:2]).sum(axis=0)
    return pd.DataFrame(
        {
            "model_a": pd.Categorical.from_codes(left, model_names(arena.models)),
            "model_b": pd.Categorical.from_codes(right, model_names(arena.models)),
            "winner": pd.Categorical.from_codes(outcome, ["model_a", "model_b", "tie"]),
            "voter": voter,
        }
    )


def resample_voters(random, table, voters):
    """All votes of voters drawn with replacement, each draw as a new voter."""
    codes = table["voter"].to_numpy()
    rows = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    drawn = random.integers(len(rows), size=voters)
    votes = table.iloc[np.concatenate([rows[i] for i in drawn])]
    return votes.assign(voter=np.repeat(np.arange(voters), [len(rows[i]) for i in drawn]))


def append_voters(table, more):
    return pd.concat([table, more.assign(voter=more["voter"] + table["voter"].max() + 1)])


def run_by_voter(arena, random, results):
    """Run one round with voters, otherwise as `run_by_vote`."""
    strengths = random.normal(0, 100, arena.models) / ELO_PER_STRENGTH
    table = simulate_voters(arena, random, strengths, arena.voters)
    plan = ratings.plan(*fit_votes(table, arena.ties))
    row = choose_undecided(random, plan, "more_votes", "assured_votes")

    def voters_for(votes):
        return max(1, round(votes / len(table) * arena.voters))

    if row is not None:
        pair, more = (row["model"], row["below"]), voters_for(row["more_votes"])
        later = append_voters(table, resample_voters(random, table, more))
        results["power"].append(is_estimate_confirmed(later, arena.ties, pair))
        later = append_voters(table, simulate_voters(arena, random, strengths, more))
        results["observed"].append(is_told_apart(later, arena.ties, pair))
        results["expected"].append(row["assurance"])
        more = voters_for(row["assured_votes"])
        later = append_voters(table, simulate_voters(arena, random, strengths, more))
        results["assured"].append(is_told_apart(later, arena.ties, pair))
    if plan.first_votes and plan.first_votes < MAX_FACTOR * arena.votes:
        voters = voters_for(plan.first_votes)
        later = append_voters(table, resample_voters(random, table, voters))
        results["first"].append(is_first(later, arena.ties, plan.first))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--only", choices=["votes", "voters"])
    options = parser.parse_args()
    header = f"{'models':>7}{'votes':>8}{'ties':>10}{'voters':>8}{'exponent':>9}"
    header += "".join(f"{name:>19}" for name in POWERS)
    say(header + f"{'expected':>10}{'observed':>19}")
    arenas = [*(ARENAS if options.only != "voters" else [])]
    arenas += CLUSTERED if options.only != "votes" else []
    for index, arena in enumerate(arenas):
        results = {name: [] for name in [*POWERS, "expected", "observed"]}
        for seed in range(options.rounds):
            random = np.random.default_rng([seed, index])
            (run_by_voter if arena.voters else run_by_vote)(arena, random, results)
        say(
            f"{arena.models:>7}{arena.votes:>8,}{arena.ties:>10}{arena.voters or '-':>8}"
            f"{arena.exponent:>9g}"
            + "".join(format_share(results[name]) for name in POWERS)
            + f"{np.mean(results['expected']):>10.3f}{format_share(results['observed'])}"
        )


def format_share(results) -> str:
    if not results:
        return f"{'-':>19}"
    low, high = wilson_interval(np.mean(results), len(results))
    text = f"{np.mean(results):.3f} ({low:.2f}-{high:.2f})"
    return f"{text:>19}"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
