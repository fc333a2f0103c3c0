"""Tests of a voter's choices: does it choose as the ratings say the rest would?

A test is a sum over a voter's votes, beside what it would be if the voter chose like the others,
given how hard each battle is; its p-value is `tails.tail`, which is honest for three votes as for
three thousand. Voters differ honestly in taste, and in what a side is to them: each sum has a
normal part for that, with a variance that is estimated over all voters by moments (the empirical
null: Efron 2004), and one for the error of the ratings that it is held against.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.special import expit

from ratings.arrays import AnyCodes, Codes, Floats, Mask
from ratings.inference.clusters import cluster_corrections
from ratings.inference.vote_scores import VoteScores
from ratings.model.bradley_terry import BradleyTerry
from ratings.model.outcomes import LOG_ODDS
from ratings.model.refit import prior_of
from ratings.screening.tail_bounds import between_variance, tail

_STEPS = 25  # of Newton's method on two numbers
_BLOCK_NUMBERS = 1 << 24  # scores held at once


@dataclass(frozen=True, eq=False)
class Choices:
    """Votes that chose a side, with what the others would have chosen.

    Attributes:
        voter: code, shape (votes,).
        voters: how many there are.
        left: code of the left model; right: of the right one.
        models: how many there are.
        won: 1 where the left side won, 0 where the right one did.
        gap: log odds of that, without this voter's own votes.
        known: sum of p(1 - p) over all votes on each model, these and any others, shape (models,):
            how well the ratings are known that voters are held against.
    """

    voter: Codes
    voters: int
    left: Codes
    right: Codes
    models: int
    won: Floats
    gap: Floats
    known: Floats

    @cached_property
    def excess(self) -> Floats:
        """Left wins beyond chance, shape (votes,)."""
        excess: Floats = self.won - expit(self.gap)
        return excess

    @cached_property
    def information(self) -> Floats:
        """Variance of each vote, shape (votes,)."""
        chance = expit(self.gap)
        variance: Floats = chance * (1 - chance)
        return variance

    @cached_property
    def meetings(self) -> tuple[Codes, Codes]:
        """Voter and model of every meeting, and the meeting of each vote's left, then right."""
        key = np.tile(self.voter, 2) * self.models + np.concatenate([self.left, self.right])
        met, place = np.unique(key, return_inverse=True)
        return met.astype(np.intp), place

    def by_meeting(self, values: Floats, other: float) -> Floats:
        """Sums by meeting of values for the left model, times `other` for the right one."""
        met, place = self.meetings
        sums: Floats = np.bincount(
            place, np.concatenate([values, other * values]), minlength=len(met)
        ).astype(np.float64)
        return sums

    def by_voter(self, values: Floats) -> Floats:
        """Sums by voter."""
        sums: Floats = np.bincount(self.voter, values, minlength=self.voters).astype(np.float64)
        return sums

    def taste_reach(self, step: Floats) -> Floats:
        """By how much a taste of variance 1 for every model varies a voter's sum, (voters,)."""
        moved = self.by_meeting(step * self.information, -1)
        owner = self.meetings[0] // self.models
        reach: Floats = np.bincount(owner, moved**2, minlength=self.voters).astype(np.float64)
        return reach

    def calibrated(self, honest: Mask) -> "Choices":
        """With odds as honest voters have them: a stretch of the gaps, and the side's advantage.

        Half wins for ties pull ratings together, and tastes flatten every gap; without this all
        voters would favour the strong. The stretch has a light prior about 1, so that it exists.
        """
        learnt = honest[self.voter]
        gap, won = self.gap[learnt], self.won[learnt]
        columns = np.stack([gap, np.ones(len(gap))])
        at = np.array([1.0, 0.0])
        for _ in range(_STEPS):
            chance = expit(at @ columns)
            slope = columns @ (won - chance) - (at - [1, 0])
            curve = (columns * (chance * (1 - chance))) @ columns.T + np.eye(2)
            step = np.linalg.solve(curve, slope)
            at = at + np.clip(step, -1, 1)
            if np.abs(step).max() < 1e-6:
                break
        return replace(self, gap=at[0] * self.gap + at[1])


def gap_without_own(
    scored: VoteScores, fit: BradleyTerry, cluster: AnyCodes, clusters: int
) -> Floats:
    """Left minus right of each vote from ratings without its voter's votes, shape (votes,).

    One Newton step from the fit: without voter g the strengths move by -(H - H_g)^- s_g.
    """
    design = scored.design
    gap = design.log_odds(fit.params)[scored.pair]
    if not clusters:
        return gap
    information = fit.design.information(fit.params) + prior_of(fit).precision
    inverse = fit.design.invert(information)
    large = cluster_corrections(scored, cluster, clusters, inverse)
    held = max(1, _BLOCK_NUMBERS // design.n_params)
    order = np.argsort(cluster, kind="stable")
    bounds = np.searchsorted(cluster, np.arange(0, clusters + held, held), sorter=order)
    for block, (start, end) in enumerate(pairwise(bounds)):
        chosen, first = order[start:end], block * held
        own = cluster[chosen].astype(np.intp) - first
        part = scored.select(chosen)
        scores = part.by_group(own, min(held, clusters - first))
        for which, root in large.items():
            if first <= which < first + len(scores):
                scores[which - first] = root @ root @ scores[which - first]
        moved = scores @ inverse
        gap[chosen] -= moved[own, part.left] - moved[own, part.right]
        for index, extra in enumerate(design.extras, start=design.size):
            if extra.acts_on == LOG_ODDS:
                gap[chosen] -= moved[own, index]
    return gap


def taste_variance(choices: Choices, honest: Mask) -> float:
    """Variance of voters' tastes for a model, in strengths squared, by moments.

    The excess wins of a voter's model have the variance V without tastes and V + s^2 (I^2 + J) with
    them: I the sum of p(1 - p) over its votes, J that of the squares, for the opponents' tastes.

    Args:
        choices: the votes.
        honest: voters to learn from, shape (voters,).
    """
    told = honest[choices.meetings[0] // choices.models]
    information = choices.by_meeting(choices.information, 1)
    reach = information**2 + choices.by_meeting(choices.information**2, 1)
    within = information + _rating_noise(choices, information)
    total = choices.by_meeting(choices.excess, -1)
    return between_variance(total[told], within[told], reach[told])


def disagreement(choices: Choices, taste: float) -> Floats:
    """p-value of each voter's agreement with the ratings: too little, shape (voters,).

    The sum of gap * (won - chance): 0 for one who chooses like the others, negative for one who
    chooses at random or against them.
    """
    gap = choices.gap
    own = choices.by_voter(choices.information)
    noise = own / np.maximum(choices.known.sum() / 2 - own, 1e-12)
    spread = taste * choices.taste_reach(gap)
    spread = spread + noise * choices.by_voter(gap**2 * choices.information)
    return tail(choices.voter, choices.voters, gap, -gap, choices.won, spread)


def one_sidedness(choices: Choices, honest: Mask, taste: float) -> tuple[Floats, float]:
    """p-value of each voter's share of left answers, both ways; and the variance of honest sides.

    Args:
        choices: the votes.
        honest: voters to learn from, shape (voters,).
        taste: variance of tastes, in strengths squared.
    """
    one = np.ones(len(choices.won))
    information = choices.by_voter(choices.information)
    spread = taste * choices.taste_reach(one)
    total = choices.by_voter(choices.excess)
    between = between_variance(
        total[honest], (information + spread)[honest], information[honest] ** 2
    )
    spread = spread + between * information**2
    ways = [
        tail(choices.voter, choices.voters, choices.gap, way * one, choices.won, spread)
        for way in (1, -1)
    ]
    p: Floats = np.minimum(1, 2 * np.minimum(*ways))
    return p, between


def favouritism(choices: Choices, taste: float) -> tuple[Floats, Codes]:
    """p-value of each voter's most favoured or disfavoured model, and which it is.

    The excess wins of every model that the voter met, both ways; the least p is multiplied by the
    number of such tests (Bonferroni).
    """
    met, place = choices.meetings
    information = choices.by_meeting(choices.information, 1)
    spread = taste * information**2 + _rating_noise(choices, information)
    sign = np.repeat([1.0, -1.0], len(choices.won))
    gap, won = np.tile(choices.gap, 2), np.tile(choices.won, 2)
    ways = [tail(place, len(met), gap, way * sign, won, spread) for way in (1, -1)]
    least = np.minimum(*ways)
    voter = met // choices.models
    tests = 2 * np.bincount(voter, minlength=choices.voters)
    order = np.lexsort([least, voter])
    first = order[np.unique(voter[order], return_index=True)[1]]
    p, model = np.full(choices.voters, np.nan), np.full(choices.voters, -1)
    p[voter[first]] = np.minimum(1, least[first] * tests[voter[first]])
    model[voter[first]] = met[first] % choices.models
    return p, model


def _rating_noise(choices: Choices, information: Floats) -> Floats:
    """What the ratings' own error adds to excess wins: much for who holds most votes on a model."""
    total = choices.known[choices.meetings[0] % choices.models]
    noise: Floats = information**2 / np.maximum(total - information, 1e-12)
    return noise
