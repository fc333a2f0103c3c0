"""Tests of a voter's choices against the choices that the ratings predict.

A test statistic is a sum over a voter's votes, compared with its distribution if the voter chose
like everyone else, given the log odds of each battle. Its p-value is `tail_bounds.tail_bound`,
which is valid for three votes as for three thousand. Honest voters differ in taste and in their
preference for a side: each sum has a normal component for that, with a variance that is estimated
over all voters by moments (the empirical null: Efron 2004), and one for the error of the ratings.
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
from ratings.screening.tail_bounds import between_variance, tail_bound

_NEWTON_STEPS = 25
_BLOCK_NUMBERS = 1 << 24  # scores held in memory at once


@dataclass(frozen=True, eq=False)
class Choices:
    """Votes for a side, with the log odds of the left side as other voters see them.

    Attributes:
        voter: voter code, shape (votes,).
        voters: number of voters.
        left: code of the left model, shape (votes,).
        right: code of the right model, shape (votes,).
        models: number of models.
        won: 1 where the left side won, 0 where the right one did, shape (votes,).
        log_odds: log odds of a left win from ratings without this voter's votes, shape (votes,).
        model_information: sum of p(1 - p) over all votes on each model, including votes not in this
            table, shape (models,): the precision of the ratings that voters are compared with.
    """

    voter: Codes
    voters: int
    left: Codes
    right: Codes
    models: int
    won: Floats
    log_odds: Floats
    model_information: Floats

    @cached_property
    def excess(self) -> Floats:
        """Left win minus its probability, shape (votes,)."""
        excess: Floats = self.won - expit(self.log_odds)
        return excess

    @cached_property
    def information(self) -> Floats:
        """Variance p(1 - p) of each vote, shape (votes,)."""
        chance = expit(self.log_odds)
        variance: Floats = chance * (1 - chance)
        return variance

    @cached_property
    def _voter_models(self) -> tuple[Codes, Codes]:
        """Distinct (voter, model) keys, and the key's index of each vote's left, then right."""
        key = np.tile(self.voter, 2) * self.models + np.concatenate([self.left, self.right])
        keys, index = np.unique(key, return_inverse=True)
        return keys.astype(np.intp), index

    @property
    def voter_model_index(self) -> Codes:
        """Index of the (voter, model) combination of each vote's left, then right model."""
        return self._voter_models[1]

    @cached_property
    def voter_of(self) -> Codes:
        """Voter of each (voter, model) combination."""
        return self._voter_models[0] // self.models

    @cached_property
    def model_of(self) -> Codes:
        """Model of each (voter, model) combination."""
        return self._voter_models[0] % self.models

    def by_voter_model(self, values: Floats, sign: float) -> Floats:
        """Sum values by (voter, model): as they are for left models, times `sign` for right."""
        sums: Floats = np.bincount(
            self.voter_model_index,
            np.concatenate([values, sign * values]),
            minlength=len(self.voter_of),
        ).astype(np.float64)
        return sums

    def by_voter(self, values: Floats) -> Floats:
        """Sum values by voter, shape (voters,)."""
        sums: Floats = np.bincount(self.voter, values, minlength=self.voters).astype(np.float64)
        return sums

    def taste_scale(self, step: Floats) -> Floats:
        """Variance of each voter's sum of `step` under a taste variance of 1, shape (voters,)."""
        shift = self.by_voter_model(step * self.information, -1)
        scale: Floats = np.bincount(self.voter_of, shift**2, minlength=self.voters).astype(
            np.float64
        )
        return scale

    def calibrated(self, honest: Mask) -> "Choices":
        """Replace the log odds by slope * log odds + intercept, fitted to honest voters.

        Half wins for ties shrink rating differences, and tastes flatten all log odds; without this
        calibration every voter would seem to favour the strong. The slope has a weak normal prior
        about 1 and the intercept, the advantage of the left side, one about 0, so that the fit
        exists.
        """
        used = honest[self.voter]
        log_odds, won = self.log_odds[used], self.won[used]
        columns = np.stack([log_odds, np.ones(len(log_odds))])
        params = np.array([1.0, 0.0])
        for _ in range(_NEWTON_STEPS):
            chance = expit(params @ columns)
            gradient = columns @ (won - chance) - (params - [1, 0])
            information = (columns * (chance * (1 - chance))) @ columns.T + np.eye(2)
            newton_step = np.linalg.solve(information, gradient)
            params = params + np.clip(newton_step, -1, 1)
            if np.abs(newton_step).max() < 1e-6:
                break
        return replace(self, log_odds=params[0] * self.log_odds + params[1])


def leave_one_out_log_odds(
    scored: VoteScores, fit: BradleyTerry, cluster: AnyCodes, clusters: int
) -> Floats:
    """Log odds of each vote from ratings without its voter's votes, shape (votes,).

    One Newton step from the fit: without voter g the strengths move by -(H - H_g)^- s_g.
    """
    design = scored.design
    log_odds = design.log_odds(fit.params)[scored.pair]
    if not clusters:
        return log_odds
    information = fit.design.information(fit.params) + prior_of(fit).precision
    inverse = fit.design.invert(information)
    corrections = cluster_corrections(scored, cluster, clusters, inverse)
    block_size = max(1, _BLOCK_NUMBERS // design.n_params)
    order = np.argsort(cluster, kind="stable")
    starts = np.arange(0, clusters + block_size, block_size)
    bounds = np.searchsorted(cluster, starts, sorter=order)
    for block, (start, end) in enumerate(pairwise(bounds)):
        votes, first = order[start:end], block * block_size
        voter = cluster[votes].astype(np.intp) - first
        part = scored.select(votes)
        scores = part.by_group(voter, min(block_size, clusters - first))
        for code, root in corrections.items():
            if first <= code < first + len(scores):
                scores[code - first] = root @ root @ scores[code - first]
        shift = scores @ inverse
        log_odds[votes] -= shift[voter, part.left] - shift[voter, part.right]
        for index, extra in enumerate(design.extras, start=design.size):
            if extra.acts_on == LOG_ODDS:
                log_odds[votes] -= shift[voter, index]
    return log_odds


def taste_variance(choices: Choices, honest: Mask) -> float:
    """Estimate the variance of voters' tastes for a model, in strengths squared, by moments.

    The excess wins of a model with one voter have the variance V without tastes and
    V + s^2 (I^2 + J) with them: I is the sum of p(1 - p) over its votes, J that of the squares, for
    the tastes for the opponents.

    Args:
        choices: the votes.
        honest: voters to learn from, shape (voters,).
    """
    used = honest[choices.voter_of]
    information = choices.by_voter_model(choices.information, 1)
    scale = information**2 + choices.by_voter_model(choices.information**2, 1)
    within = information + rating_error_variance(choices, information)
    total = choices.by_voter_model(choices.excess, -1)
    return between_variance(total[used], within[used], scale[used])


def disagreement(choices: Choices, taste: float) -> Floats:
    """Test for too little agreement with the ratings: p-value of each voter, shape (voters,).

    The statistic is the sum of -log_odds * (won - chance): 0 on average for a voter who chooses
    like the others, positive for one who chooses at random or against them.

    Args:
        choices: the votes.
        taste: variance of tastes, in strengths squared.
    """
    log_odds = choices.log_odds
    information = choices.by_voter(choices.information)
    others = choices.model_information.sum() / 2 - information
    rating_error = information / np.maximum(others, 1e-12)
    variance = taste * choices.taste_scale(log_odds)
    variance = variance + rating_error * choices.by_voter(log_odds**2 * choices.information)
    return tail_bound(choices.voter, choices.voters, log_odds, -log_odds, choices.won, variance)


def side_bias(choices: Choices, honest: Mask, taste: float) -> tuple[Floats, float]:
    """Test for a preference for one side: two-sided p-values, and the variance of honest biases.

    Args:
        choices: the votes.
        honest: voters to learn from, shape (voters,).
        taste: variance of tastes, in strengths squared.
    """
    ones = np.ones(len(choices.won))
    information = choices.by_voter(choices.information)
    variance = taste * choices.taste_scale(ones)
    total = choices.by_voter(choices.excess)
    between = between_variance(
        total[honest], (information + variance)[honest], information[honest] ** 2
    )
    variance = variance + between * information**2
    tails = [
        tail_bound(
            choices.voter, choices.voters, choices.log_odds, sign * ones, choices.won, variance
        )
        for sign in (1, -1)
    ]
    p: Floats = np.minimum(1, 2 * np.minimum(*tails))
    return p, between


def favouritism(choices: Choices, taste: float) -> tuple[Floats, Codes]:
    """Test for a favoured or disfavoured model: p-value of each voter, and the model's code.

    The statistic is the excess wins of each model that the voter met, in both directions; the
    smallest p is multiplied by the number of these tests (Bonferroni).

    Args:
        choices: the votes.
        taste: variance of tastes, in strengths squared.
    """
    voter, index = choices.voter_of, choices.voter_model_index
    information = choices.by_voter_model(choices.information, 1)
    variance = taste * information**2 + rating_error_variance(choices, information)
    step = np.repeat([1.0, -1.0], len(choices.won))
    log_odds, won = np.tile(choices.log_odds, 2), np.tile(choices.won, 2)
    tails = [
        tail_bound(index, len(voter), log_odds, sign * step, won, variance) for sign in (1, -1)
    ]
    smallest = np.minimum(*tails)
    tests = 2 * np.bincount(voter, minlength=choices.voters)
    order = np.lexsort([smallest, voter])
    best = order[np.unique(voter[order], return_index=True)[1]]
    p, model = np.full(choices.voters, np.nan), np.full(choices.voters, -1)
    p[voter[best]] = np.minimum(1, smallest[best] * tests[voter[best]])
    model[voter[best]] = choices.model_of[best]
    return p, model


def rating_error_variance(choices: Choices, information: Floats) -> Floats:
    """Variance that the ratings' own error adds to a (voter, model)'s excess wins.

    Args:
        choices: the votes.
        information: sum of p(1 - p) by (voter, model); large for a voter who holds most of the
            votes on a model.
    """
    total = choices.model_information[choices.model_of]
    variance: Floats = information**2 / np.maximum(total - information, 1e-12)
    return variance
