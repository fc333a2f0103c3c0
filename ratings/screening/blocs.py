"""Tests whether voters who cast about as many votes as each other together favour one model.

Whoever rigs with few votes by each of many identities, and answers every battle that is shown,
leaves no voter whose own votes are unusual: with 20 votes in a track of 20 models, a voter meets
the model twice. But such voters are alike in how many votes they cast, and together they win nearly
every battle of the model. Voters are grouped by their number of votes, in ranges of a factor of two
and of its fourth root.

For model m and group g, the excess wins per unit of information, with chances from the ratings of
all other voters, estimate how much more g favours m than others do. The variance of that has a
part for voters' tastes; `moderation` tests the estimates of all groups. P-values are multiplied by
the number of groups, models and directions (Bonferroni).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from ratings.arrays import Codes, Floats, Mask
from ratings.errors import RatingsError
from ratings.model.bradley_terry import ELO_PER_STRENGTH, bradley_terry
from ratings.screening.moderation import MIN_MODELS, Effects, effect_p_values
from ratings.screening.voter_tests import Choices, rating_error_variance, taste_variance
from ratings.votes.battles import Battles
from ratings.votes.columns import Outcome

MIN_VOTES = 4  # of a voter; those with fewer are compared by how often battles are finished
PARTS = (1, 4)  # of a factor of two


@dataclass(frozen=True, eq=False)
class BlocTest:
    """Groups of voters with the models that they favour or disfavour.

    Attributes:
        ranges: the smallest and the largest number of votes of a voter, by group.
        votes: decided votes on each model, shape (groups, models).
        won: those that the model won.
        expected: those that it would have won by the ratings of other voters.
        effect: how much stronger the model is for the group, Elo points; NaN where not tested.
        p: two-sided p-value times the number of tests; NaN where not tested.
    """

    ranges: tuple[tuple[int, int], ...]
    votes: Floats
    won: Floats
    expected: Floats
    effect: Floats
    p: Floats


def bloc_test(
    number: Codes, voter: Codes, left: Codes, right: Codes, won: Mask, *, models: int
) -> BlocTest:
    """Test every group of voters for every model.

    Args:
        number: of votes that each voter cast, ties included, shape (voters,).
        voter: code of each decided vote's voter, shape (votes,).
        left: code of the model on the left, shape (votes,).
        right: code of the model on the right, shape (votes,).
        won: whether the left one won, shape (votes,).
        models: number of models.
    """
    every = _Votes(voter, left, right, won, models)
    ranges = ranges_of(int(number.max(initial=0)))
    votes, wins, expected, effect, p = np.full((5, len(ranges), models), np.nan)
    taste = _taste(every)
    of_vote = number[voter]
    groups: dict[int, _Group] = {}
    for code, (low, high) in enumerate(ranges):
        group = every.select((of_vote >= low) & (of_vote <= high))
        found = _effects_of(group, every.counts - group.counts, taste)
        if found is not None:
            groups[code] = found
    p_values = effect_p_values({code: each.effects for code, each in groups.items()}, ranges)
    for code, each in groups.items():
        choices, effect[code], p[code] = each.choices, each.effects.effect, p_values[code]
        sides = np.concatenate([choices.left, choices.right])
        ones, chance = np.ones(len(choices.won)), expit(choices.log_odds)
        for table, values in (
            (votes, (ones, ones)),
            (wins, (choices.won, 1 - choices.won)),
            (expected, (chance, 1 - chance)),
        ):
            table[code] = np.bincount(sides, np.concatenate(values), minlength=models)
    tests = 4 * int(np.isfinite(p).sum())  # two directions, with and without calibration
    effect *= ELO_PER_STRENGTH
    return BlocTest(ranges, votes, wins, expected, effect, np.minimum(1, p * tests))


def ranges_of(largest: int) -> tuple[tuple[int, int], ...]:
    """The smallest and largest number of votes in each group, up to a number."""
    found: dict[tuple[int, int], None] = {}
    for parts in PARTS:
        step = int(np.floor(parts * np.log2(MIN_VOTES)))
        while (low := int(np.ceil(2 ** (step / parts) - 1e-9))) <= largest:
            step += 1
            high = int(np.ceil(2 ** (step / parts) - 1e-9)) - 1
            if low <= high:
                found[low, high] = None
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Votes:
    """Decided votes as codes."""

    voter: Codes
    left: Codes
    right: Codes
    won: Mask
    models: int

    def select(self, chosen: Mask) -> "_Votes":
        voter, left, right = (each[chosen] for each in (self.voter, self.left, self.right))
        return _Votes(voter, left, right, self.won[chosen], self.models)

    @property
    def counts(self) -> Floats:
        """Votes by outcome, left and right model, shape (4, models, models)."""
        outcome = np.where(self.won, int(Outcome.A), int(Outcome.B))
        key = (outcome * self.models + self.left) * self.models + self.right
        shape = (len(Outcome), self.models, self.models)
        return np.bincount(key, minlength=np.prod(shape)).reshape(shape).astype(np.float64)

    def choices(self, strength: Floats, information: Floats) -> Choices:
        """The votes on models with a strength, with its log odds."""
        log_odds = strength[self.left] - strength[self.right]
        known = np.isfinite(log_odds)
        voters, code = np.unique(self.voter[known], return_inverse=True)
        return Choices(
            *(code, len(voters), self.left[known], self.right[known], self.models),
            *(self.won[known].astype(float), log_odds[known], information),
        )


def _fitted(counts: Floats) -> tuple[Floats, Floats] | None:
    """Strengths of models, NaN for those without one, and the sum of p(1 - p) over their votes."""
    names = [f"{code:06}" for code in range(len(counts[0]))]
    try:
        fit = bradley_terry(Battles.from_counts(names, counts), "drop")
    except RatingsError:
        return None
    strength: Floats = fit.ratings.reindex(names).to_numpy(dtype=float) / ELO_PER_STRENGTH
    chance = expit(strength[:, None] - strength[None, :])
    by_pair = counts.sum(axis=0) * np.nan_to_num(chance * (1 - chance))
    return strength, by_pair.sum(axis=0) + by_pair.sum(axis=1)


def _taste(votes: _Votes) -> float:
    """Variance of tastes over all voters, strengths squared."""
    fitted = _fitted(votes.counts)
    if fitted is None:
        return 0.0
    choices = votes.choices(*fitted)
    return taste_variance(choices, np.ones(choices.voters, dtype=bool))


@dataclass(frozen=True, eq=False)
class _Group:
    """A group's choices, with each model's effect."""

    choices: Choices
    effects: Effects


def _effects_of(group: _Votes, others: Floats, taste: float) -> _Group | None:
    """Compare a group with the ratings by others; None if that cannot be done."""
    fitted = _fitted(others)
    if fitted is None:
        return None
    strength, information = fitted
    choices, models = group.choices(strength, information), group.models
    if not len(choices.won):
        return None
    # Voters who pay less attention, or more, are so for all models. But a bloc for or against the
    # strong looks like that, too: of both, take what leaves the usual models closer together.
    calibrated = choices.calibrated(np.ones(choices.voters, dtype=bool))
    found = [
        _Group(each, _effects(each, information, taste, models)) for each in (calibrated, choices)
    ]
    used = min(found, key=lambda each: _deviation(each.effects.effect))
    return used if used.effects.tested.sum() >= MIN_MODELS else None


def _deviation(effect: Floats) -> float:
    """Median absolute deviation of the models' effects."""
    known = effect[np.isfinite(effect)]
    return float(np.median(np.abs(known - np.median(known)))) if len(known) else np.inf


def _effects(choices: Choices, information: Floats, taste: float, models: int) -> Effects:
    """How much stronger each model is for a group, in strengths.

    Args:
        choices: of the group.
        information: of the other voters' votes on each model.
        taste: variance of tastes.
        models: number of models; NaN for those without votes.
    """
    alone = replace(choices, voter=np.zeros_like(choices.voter), voters=1)
    within, excess = np.zeros((2, models))
    within[alone.model_of] = alone.by_voter_model(alone.information, 1)
    excess[alone.model_of] = alone.by_voter_model(alone.excess, -1)
    # `rating_error_variance` takes the group's own votes away, which are not among the others'.
    shared = replace(alone, model_information=information + within)
    variance = within.copy()
    variance[alone.model_of] += rating_error_variance(shared, within[alone.model_of])
    squares = choices.by_voter_model(choices.information, 1) ** 2
    squares += choices.by_voter_model(choices.information**2, 1)
    variance += taste * np.bincount(choices.model_of, squares, minlength=models)
    tested = within > 0
    effect, error = np.full((2, models), np.nan)
    effect[tested] = excess[tested] / within[tested]
    error[tested] = variance[tested] / within[tested] ** 2
    return Effects(effect, error)
