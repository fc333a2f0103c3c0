"""Prediction of votes by ratings that have not seen them: what they tell of the next voter."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import t as student

from ratings.arrays import Codes, Floats
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
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import AUTOMATIC, choose_clusters
from ratings.votes.columns import Outcome


@dataclass(frozen=True)
class HeldOut:
    """Predictions of votes for a side by ratings that did not see them.

    Attributes:
        accuracy: share of votes for the side that was predicted to be the likelier.
        expected: what the predictions themselves expect it to be, the mean of max(p, 1 - p): far
            above `accuracy`, they are too sure of themselves.
        log_loss: mean of -log of the probability of what was chosen, given that a side
            was; 0.693 is a coin's.
        folds: how many parts the voters were dealt into.
        ties: how ties counted in the fits.
        cluster: column of voters; None: every vote by itself.
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
    """How well ratings predict who wins in votes that they were not fitted to.

    Voters are dealt into folds, so that nobody's taste helps to predict its own votes; each fold is
    predicted from the others.

    Args:
        battles: the votes.
        ties: see `bradley_terry`.
        both_bad: see `bradley_terry`.
        folds: how many, 2 or more.
        voter: column of voters; "auto": where a column tells them; None, and where one voter cast
            all votes: every vote is dealt by itself.
        confidence: of the intervals, by voter.
        seed: of the deal.

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
    chance = np.full(len(cluster), np.nan)  # of what was chosen
    won = votes.outcome == Outcome.A
    for which in range(folds):
        here = fold[cluster] == which
        trained = votes.design.select(slice(None), votes.total(votes.weight * ~here))
        point = refit(trained, prior_sd=None, start=fit.params)
        if point is None:
            continue  # without these votes not everyone can be rated
        chosen = here & (votes.outcome < Outcome.TIE)
        # Given that a side was chosen: Rao and Kupper's odds are not those of the gap alone.
        left, right = trained.evaluate(point).log_probability[: Outcome.TIE]
        odds = (left - right)[votes.pair[chosen]]
        chance[chosen] = expit(np.where(won[chosen], odds, -odds))
    told = ~np.isnan(chance)
    name = columns[0] if columns else None
    if not told.any():
        return HeldOut(NO_ESTIMATE, np.nan, NO_ESTIMATE, folds, ties, name)
    chance, cluster = chance[told], cluster[told]
    accuracy = estimate_proportion(chance > 0.5, cluster, confidence)
    sure = float(np.maximum(chance, 1 - chance).mean())
    return HeldOut(accuracy, sure, _mean(-np.log(chance), cluster, confidence), folds, ties, name)


def _mean(values: Floats, cluster: Codes, confidence: float) -> Estimate:
    mean = float(values.mean())
    sums = np.bincount(cluster, values - mean)
    clusters = int((np.bincount(cluster) > 0).sum())
    error = np.sqrt((sums**2).sum() * clusters / max(clusters - 1, 1)) / len(values)
    reach = float(student.ppf(0.5 + confidence / 2, contribution_df(sums)) * error)
    return Estimate(mean, mean - reach, mean + reach, len(values))
