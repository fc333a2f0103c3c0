"""Ranks that say no more than the intervals do, and who is above whom with which probability."""

import numpy as np
import pandas as pd
from scipy.stats import norm
from scipy.stats import t as student

from ratings.arrays import Codes, Floats
from ratings.inference.uncertainty import Intervals
from ratings.model.bradley_terry import BradleyTerry


def interval_ranks(lower: Floats, upper: Floats) -> Codes:
    """1 + the number of models whose whole interval lies above mine; equal where they overlap."""
    ranks: Codes = 1 + (lower[None, :] > upper[:, None]).sum(axis=1)
    return ranks


def rank_sets(
    ratings: Floats, covariance: Floats, *, confidence: float, df: float = np.inf
) -> tuple[Codes, Codes]:
    """Best and worst rank of each model; all sets together hold with the given confidence.

    All ordered pairs are tested one-sided on their difference, with Holm's step-down (1979) over
    them, which holds whatever the dependence. If no test errs, a model found worse than w others
    and better than v has a true rank from 1 + w to m - v, for all models at once (Mogstad, Romano,
    Shaikh and Wilhelm 2024, Review of Economic Studies 91).

    Args:
        ratings: shape (m,).
        covariance: of the ratings, shape (m, m).
        confidence: joint over all models.
        df: degrees of freedom of the covariance; infinite for the normal.
    """
    size = len(ratings)
    own = np.diag(covariance)
    variance = own[:, None] + own[None, :] - 2 * covariance
    ahead = ratings[:, None] - ratings[None, :]
    told_apart = variance > np.finfo(float).eps * (own[:, None] + own[None, :])
    z = np.divide(
        ahead, np.sqrt(np.where(told_apart, variance, 1)), where=told_apart, out=0 * ahead
    )
    tests = ~np.eye(size, dtype=bool)
    p = student.sf(z[tests], df)
    order = np.argsort(p)
    passed = p[order] <= (1 - confidence) / (len(p) - np.arange(len(p)))
    rejected = np.zeros(len(p), dtype=bool)
    rejected[order] = np.logical_and.accumulate(passed)
    better = np.zeros((size, size), dtype=bool)
    better[tests] = rejected
    return 1 + better.sum(axis=0), size - better.sum(axis=1)


def probability_above(fit: BradleyTerry, spread: Intervals) -> pd.DataFrame:
    """Probability that the row's true rating is above the column's, among the rated models.

    Normal (or, under clusters, Student's t with the smaller df of the two) about the
    difference, with the variance of the difference from the full covariance; a flat prior. NaN on
    the diagonal.
    """
    ratings = fit.ratings.dropna()
    values, covariance = ratings.to_numpy(), spread.covariance.to_numpy()
    own = np.diag(covariance)
    error = np.sqrt(np.maximum(own[:, None] + own[None, :] - 2 * covariance, 0))
    ahead = values[:, None] - values[None, :]
    df = spread.df[ratings.index].to_numpy()
    fewer = np.minimum(df[:, None], df[None, :])
    z = np.divide(ahead, error, out=np.full_like(ahead, np.nan), where=error > 0)
    above = np.where(np.isinf(fewer), norm.cdf(z), student.cdf(z, fewer))
    np.fill_diagonal(above, np.nan)
    return pd.DataFrame(above, index=ratings.index, columns=ratings.index)
