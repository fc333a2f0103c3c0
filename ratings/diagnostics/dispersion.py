"""Overdispersion of the wins of pairs, because votes of one voter are dependent.

The fit statistic is a sum over pairs of r^2 / w, with r the wins minus the expected wins and w
their binomial variance. Under dependence its mean is the sum of V / w, with V the variance of r
clustered by voter, instead of the degrees of freedom; their ratio is the dispersion (the
first-order correction of Rao and Scott 1981). A voter's contribution to r is the sum of its own
residuals in the pair, minus the effect of its votes on the fitted strengths. Residuals are taken
about the observed proportion of their pair if it has two voters or more, so that a model that does
not fit is not mistaken for differences between voters.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from ratings.arrays import Codes, Floats
from ratings.inference.clusters import cluster_codes
from ratings.inference.uncertainty import squared_counts
from ratings.inference.vote_scores import VoteScores, score_votes
from ratings.model.bradley_terry import BradleyTerry
from ratings.model.design import SIDE
from ratings.votes.battles import Battles
from ratings.votes.columns import Outcome


class FittedPairs(NamedTuple):
    """Pairs of models with observed and expected wins, each of shape (pairs,)."""

    wins: Floats  # summed weights of the left model's wins
    votes: Floats  # summed weights
    trials: Floats  # effective number of votes
    chance: Floats  # fitted probability that the left model wins
    leverage: Floats  # share of the pair's variance that the fit absorbs


class Dispersion(NamedTuple):
    """Variance of the residual wins of pairs.

    Attributes:
        factor: the dispersion, 1 (binomial) or more.
        df: degrees of freedom of the factor; infinite where it is known.
        variance: variance of each pair's residual wins, shape (pairs,).
    """

    factor: float
    df: float
    variance: Floats


def fitted_pairs(battles: Battles, fit: BradleyTerry) -> FittedPairs:
    """The pairs of a fit with ties="drop" and both_bad="drop"."""
    design = fit.design
    votes = design.counts[: Outcome.TIE].sum(axis=0)
    squares = squared_counts(battles, fit).counts[: Outcome.TIE].sum(axis=0)
    chance = np.exp(design.evaluate(fit.params).log_probability[Outcome.A])
    to_log_odds = _to_log_odds(fit)
    inverse = design.invert(design.information(fit.params))
    variance = ((to_log_odds @ inverse) * to_log_odds).sum(axis=1)
    leverage = votes * chance * (1 - chance) * variance
    return FittedPairs(design.counts[Outcome.A], votes, votes**2 / squares, chance, leverage)


def dispersion_by_voter(
    battles: Battles, fit: BradleyTerry, pairs: FittedPairs, columns: tuple[str, ...], df: int
) -> Dispersion:
    """Estimate the dispersion, and the variance of each pair from its own voters if larger.

    Args:
        battles: the votes.
        fit: a fit with ties="drop" and both_bad="drop".
        pairs: the pairs of the fit.
        columns: the column of voters; () if every vote is independent.
        df: number of pairs minus number of free strengths.
    """
    binomial = (pairs.votes**2 / pairs.trials) * pairs.chance * (1 - pairs.chance)
    by_vote = binomial * (1 - pairs.leverage)
    if not columns or df < 1:
        return Dispersion(1.0, np.inf, by_vote)
    votes = score_votes(battles, fit)
    voter = cluster_codes(votes, battles, columns).astype(np.intp)
    pair, voter, residual = _voter_residuals(votes, voter, fit, pairs)
    voters = int(voter.max()) + 1
    to_log_odds = _to_log_odds(fit)
    information = pairs.votes * pairs.chance * (1 - pairs.chance)
    by_voter = csr_array((residual, (voter, pair)), shape=(voters, len(pairs.wins)))
    # The shift of the parameters, and of each pair's log odds, that a voter's residuals caused.
    shift = (by_voter @ to_log_odds) @ fit.design.invert(fit.design.information(fit.params))
    log_odds_shift = shift[voter, fit.design.left[pair]] - shift[voter, fit.design.right[pair]]
    side = fit.design.index_of(SIDE)
    if side is not None:
        log_odds_shift = log_odds_shift + shift[voter, side]
    # The square of residual - information * log_odds_shift, summed by voter and by pair; the last
    # term also covers the pairs that the voter did not meet.
    squared = residual**2 - 2 * residual * log_odds_shift * information[pair]
    metric = to_log_odds.T @ (to_log_odds * (information**2 / binomial)[:, None])
    of_voter = np.bincount(voter, squared / binomial[pair], minlength=voters)
    of_voter = of_voter + ((shift @ metric) * shift).sum(axis=1)
    of_pair = np.bincount(pair, squared, minlength=len(pairs.wins))
    shift_variance = ((to_log_odds @ (shift.T @ shift)) * to_log_odds).sum(axis=1)
    of_pair = of_pair + information**2 * shift_variance
    # Less variance than the binomial is due to chance, or to copied votes.
    factor = max(1.0, float(of_voter.sum() / (1 - pairs.leverage).sum()))
    variance = float(((of_voter - of_voter.mean()) ** 2).sum()) * voters / max(voters - 1, 1)
    factor_df = 2 * float(of_voter.sum()) ** 2 / variance if variance > 0 else np.inf
    return Dispersion(factor, max(factor_df, 1.0), np.maximum(factor * by_vote, of_pair))


def _to_log_odds(fit: BradleyTerry) -> Floats:
    """From parameters to the log odds of each pair, shape (pairs, n_params).

    The advantage of a side is the only extra parameter under these rules.
    """
    design = fit.design
    matrix = np.zeros((len(design.left), design.n_params))
    pairs = np.arange(len(design.left))
    matrix[pairs, design.left], matrix[pairs, design.right] = 1, -1
    matrix[:, design.size :] = 1
    return matrix


def _voter_residuals(
    votes: VoteScores, voter: Codes, fit: BradleyTerry, pairs: FittedPairs
) -> tuple[Codes, Codes, Floats]:
    """Sum the residual wins of each voter in each pair that it met.

    Returns:
        Pair and voter codes and the sums, each of shape (combinations,).
    """
    design, size = fit.design, len(pairs.wins)
    pair_code = np.full((design.size,) * 2, -1)
    pair_code[design.left, design.right] = np.arange(size)
    swapped = pair_code[votes.left, votes.right] < 0
    pair = np.where(swapped, pair_code[votes.right, votes.left], pair_code[votes.left, votes.right])
    won = (votes.outcome == Outcome.A) != swapped
    keys, index = np.unique(voter * size + pair, return_inverse=True)
    weight = np.bincount(index, votes.weight).astype(np.float64)
    wins = np.bincount(index, votes.weight * won).astype(np.float64)
    voter, pair = keys // size, keys % size
    # The effective number of voters of each pair, and the correction for their mean.
    voters = pairs.votes**2 / np.bincount(pair, weight**2, minlength=size)
    several = voters >= 2
    mean = np.where(several, pairs.wins / pairs.votes, pairs.chance)
    correction = np.where(several, np.sqrt(voters / np.maximum(voters - 1, 1)), 1.0)
    residual: Floats = (wins - weight * mean[pair]) * correction[pair]
    return pair, voter, residual
