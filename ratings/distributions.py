"""Quantiles and tail probabilities of the usual distributions, from `scipy.special`.

The values are those of `scipy.stats`, whose import takes longer than the ratings of a small file.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, fdtrc, gammaincinv, log_ndtr, ndtr, ndtri, stdtr, stdtrit


def normal_quantile(probability: ArrayLike) -> Any:
    """Quantile of the standard normal distribution."""
    return ndtri(probability)


def normal_cdf(z: ArrayLike) -> Any:
    """Probability that a standard normal variable is below z."""
    return ndtr(z)


def normal_log_cdf(z: ArrayLike) -> Any:
    """Logarithm of `normal_cdf`, accurate far in the tail."""
    return log_ndtr(z)


def normal_tail(z: ArrayLike) -> Any:
    """Probability that a standard normal variable is above z."""
    return ndtr(-np.asarray(z))


def student_quantile(probability: ArrayLike, df: ArrayLike) -> Any:
    """Quantile of Student's t; with infinite `df` that of the normal distribution."""
    return stdtrit(df, probability)


def student_cdf(t: ArrayLike, df: ArrayLike) -> Any:
    """Probability that a variable with Student's t distribution is below t."""
    return stdtr(df, t)


def student_tail(t: ArrayLike, df: ArrayLike) -> Any:
    """Probability that a variable with Student's t distribution is above t."""
    return stdtr(df, -np.asarray(t))


def chi_square_quantile(probability: ArrayLike, df: ArrayLike) -> Any:
    """Quantile of the chi-square distribution."""
    return 2 * gammaincinv(np.asarray(df) / 2, probability)


def chi_square_tail(value: ArrayLike, df: ArrayLike) -> Any:
    """Probability that a chi-square variable is above the value."""
    return chdtrc(df, value)


def f_tail(value: ArrayLike, numerator_df: ArrayLike, denominator_df: ArrayLike) -> Any:
    """Probability that a variable with an F distribution is above the value."""
    return fdtrc(numerator_df, denominator_df, value)
