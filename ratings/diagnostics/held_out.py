"""Cross-validation: how well ratings predict the votes of voters they were not fitted to."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ratings.arrays import Codes, Floats
from ratings.distributions import student_quantile
from ratings.errors import OptionError
from ratings.inference.clusters import cluster_codes
from ratings.inference.proportions import (
    NO_ESTIMATE,
    Estimate,
    contribution_df,
    estimate_proportion,
)
from ratings.inference.vote_scores import score_votes
from ratings.model.bradley_terry import bradley_terry
from ratings.model.refit import refit
from ratings.schema import AUTOMATIC
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import choose_clusters
from ratings.votes.columns import Outcome


@dataclass(frozen=True)
class HeldOut:
    """Predictions of votes for a side by ratings fitted to other votes.

    Attributes:
        accuracy: share of votes for the side that was predicted to be more likely.
        expected: accuracy that the predictions imply, the mean of max(p, 1 - p); if it is far above
            `accuracy`, they are overconfident.
        log_loss: mean of -log of the predicted probability of the chosen side, given that a side
            was chosen; a coin toss has 0.693.
        folds: number of parts that the voters were split into.
        ties: how ties counted in the fits.
        cluster: column of voters; None if every vote is independent.
    """

    accuracy: Estimate
    expected: float
    log_loss: Estimate
    folds: int
    ties: str
    cluster: str | None


def held_out(
    battles: Battles,
    *,
    ties: str = "half",
    both_bad: str = "tie",
    folds: int = 10,
    voter: str | None = AUTOMATIC,
    confidence: float = 0.95,
    seed: int = 0,
) -> HeldOut:
    """Cross-validate the ratings: predict who wins in votes that they were not fitted to.

    Voters are split into folds, so that no voter's taste helps to predict its own votes; each fold
    is predicted from the others.

    Args:
        battles: the votes.
        ties: see `bradley_terry`.
        both_bad: see `bradley_terry`.
        folds: number of folds, 2 or more.
        voter: column of voters; "auto" uses one if there is one. With None, and where one voter
            cast all votes, votes are split independently.
        confidence: of the intervals, by voter.
        seed: of the random split.

    Raises:
        OptionError: fewer than 2 folds.
    """
    if folds < 2:
        raise OptionError(f"at least 2 folds are needed, not {folds}")
    fit = bradley_terry(battles, ties, both_bad=both_bad)
    votes = score_votes(battles, fit)
    columns = choose_clusters(battles.frame, votes.rows, voter).columns
    cluster = cluster_codes(votes, battles, columns) if columns else np.arange(votes.votes)
    fold = np.random.default_rng(seed).permutation(int(cluster.max(initial=-1)) + 1) % folds
    chance = np.full(len(cluster), np.nan)  # predicted probability of the chosen side
    won = votes.outcome == Outcome.A
    for number in range(folds):
        tested = fold[cluster] == number
        trained = votes.design.select(slice(None), votes.total(votes.weight * ~tested))
        params = refit(trained, prior_sd=None, start=fit.params)
        if params is None:
            continue  # without these votes not all models can be rated
        decided = tested & (votes.outcome < Outcome.TIE)
        # Given that a side was chosen; Rao and Kupper's odds depend on the tie parameter as well.
        left, right = trained.evaluate(params).log_probability[: Outcome.TIE]
        log_odds = (left - right)[votes.pair[decided]]
        chance[decided] = expit(np.where(won[decided], log_odds, -log_odds))
    predicted = ~np.isnan(chance)
    name = columns[0] if columns else None
    if not predicted.any():
        return HeldOut(NO_ESTIMATE, np.nan, NO_ESTIMATE, folds, ties, name)
    chance, cluster = chance[predicted], cluster[predicted]
    accuracy = estimate_proportion(chance > 0.5, cluster, confidence)
    expected = float(np.maximum(chance, 1 - chance).mean())
    log_loss = _estimate_mean(-np.log(chance), cluster, confidence)
    return HeldOut(accuracy, expected, log_loss, folds, ties, name)


def _estimate_mean(values: Floats, cluster: Codes, confidence: float) -> Estimate:
    """Mean with its interval clustered by voter."""
    mean = float(values.mean())
    sums = np.bincount(cluster, values - mean)
    clusters = int((np.bincount(cluster) > 0).sum())
    error = np.sqrt((sums**2).sum() * clusters / max(clusters - 1, 1)) / len(values)
    half_width = float(student_quantile(0.5 + confidence / 2, contribution_df(sums)) * error)
    return Estimate(mean, mean - half_width, mean + half_width, len(values))
