"""Ranks consistent with the intervals, and the probability that one model is above another."""

import numpy as np
import pandas as pd

from ratings.arrays import Codes, Floats
from ratings.distributions import normal_cdf, student_cdf, student_tail
from ratings.inference.uncertainty import Intervals
from ratings.model.bradley_terry import BradleyTerry


def interval_ranks(lower: Floats, upper: Floats) -> Codes:
    """1 + the number of models whose interval lies entirely above the model's own, shape (m,)."""
    ranks: Codes = 1 + (lower[None, :] > upper[:, None]).sum(axis=1)
    return ranks


def rank_sets(
    ratings: Floats, covariance: Floats, *, confidence: float, df: float = np.inf
) -> tuple[Codes, Codes]:
    """Best and worst rank of each model; all sets hold jointly with the given confidence.

    All ordered pairs are tested one-sided on their difference, with Holm's step-down (1979) over
    them, which is valid under any dependence. If no test errs, a model found worse than w others
    and better than v has a true rank from 1 + w to m - v, for all models at once (Mogstad, Romano,
    Shaikh and Wilhelm 2024, Review of Economic Studies 91).

    Args:
        ratings: shape (m,).
        covariance: of the ratings, shape (m, m).
        confidence: joint over all models.
        df: degrees of freedom of the covariance; infinite for the normal.
    """
    size = len(ratings)
    diagonal = np.diag(covariance)
    variance = diagonal[:, None] + diagonal[None, :] - 2 * covariance
    difference = ratings[:, None] - ratings[None, :]
    nonzero = variance > np.finfo(float).eps * (diagonal[:, None] + diagonal[None, :])
    z = np.divide(
        difference, np.sqrt(np.where(nonzero, variance, 1)), where=nonzero, out=0 * difference
    )
    tests = ~np.eye(size, dtype=bool)
    p = student_tail(z[tests], df)
    order = np.argsort(p)
    passed = p[order] <= (1 - confidence) / (len(p) - np.arange(len(p)))
    rejected = np.zeros(len(p), dtype=bool)
    rejected[order] = np.logical_and.accumulate(passed)
    better = np.zeros((size, size), dtype=bool)
    better[tests] = rejected
    return 1 + better.sum(axis=0), size - better.sum(axis=1)


def probability_above(fit: BradleyTerry, around: Intervals) -> pd.DataFrame:
    """Probability that the row's true rating is above the column's, among the rated models.

    Normal about the estimated difference, with its variance from the full covariance; clustered,
    Student's t with the smaller degrees of freedom of the two. The prior is flat.

    Args:
        fit: the ratings.
        around: their intervals.

    Returns:
        Probabilities by model and model, NaN on the diagonal.
    """
    ratings = fit.ratings.dropna()
    values, covariance = ratings.to_numpy(), around.covariance.to_numpy()
    diagonal = np.diag(covariance)
    error = np.sqrt(np.maximum(diagonal[:, None] + diagonal[None, :] - 2 * covariance, 0))
    difference = values[:, None] - values[None, :]
    df = around.df[ratings.index].to_numpy()
    smaller_df = np.minimum(df[:, None], df[None, :])
    z = np.divide(difference, error, out=np.full_like(difference, np.nan), where=error > 0)
    above = np.where(np.isinf(smaller_df), normal_cdf(z), student_cdf(z, smaller_df))
    np.fill_diagonal(above, np.nan)
    return pd.DataFrame(above, index=ratings.index, columns=ratings.index)
