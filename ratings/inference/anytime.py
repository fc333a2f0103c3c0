"""Whether the first place is known, valid at whatever time, and however often, one looks.

A test at a fixed level that is made again every hour finds a difference that does not exist sooner
or later. Here the evidence is an e-process: a process whose expectation is at most 1 at every
stopping time if the difference is not above 0, so that it ever exceeds 1 / alpha with a probability
of at most alpha (Ville 1939; Ramdas, Gruenwald, Vovk and Shafer 2023, Statistical Science 38).

With the estimated gap g between two models' ratings, of variance V, let I = 1 / V be the
information and S = g I. As votes come in, S is approximately a Brownian motion with drift at the
true gap, observed at time I (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, Annals of
Statistics 52, "Time-uniform central limit theory and asymptotic confidence sequences"). Robbins'
mixture (1970, Annals of Mathematical Statistics 41) over gaps with a half-normal density of scale
r, with L = 1/r^2, is the e-process

    E = 2 sqrt(L / (I + L)) exp(u^2 / 2) Phi(u),    u = S / sqrt(I + L)

The variance is the one of the leaderboard's intervals, clustered by voter where they are. Where it
is known from few clusters, the statistic g / sqrt(V) is replaced by the normal quantile with the
tail probability of Student's t.

The first place is known once every other model's E exceeds m / alpha, with m models: one of the
models is best, and only tests of models against it, or against one tied with it, can err.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ratings.arrays import Floats
from ratings.distributions import (
    normal_log_cdf,
    normal_quantile,
    normal_tail,
    student_quantile,
    student_tail,
)
from ratings.errors import OptionError
from ratings.inference.uncertainty import Intervals
from ratings.model.bradley_terry import BradleyTerry
from ratings.votes.battles import Battles
from ratings.votes.columns import Outcome

DEFAULT_SCALE = 50.0  # Elo points: gaps of about this size are found with the fewest votes
MAX_Z = 37.0  # the normal tail beyond it is 0 in floating point
_MIN_VARIANCE = 1e-9  # Elo points squared: it is 0 where the scores of a few clusters cancel

Status = Literal["known", "open", "unrated rival", "alone"]


@dataclass(frozen=True)
class FirstPlace:
    """Whether the first place is known at any time, and every parameter used.

    Attributes:
        status: "known"; "open": not yet; "unrated rival": a model that won or tied votes has no
            rating, so that nothing is known of it; "alone": fewer than two models are rated.
        first: the model with the highest rating; None: no model is rated.
        challenger: the model with the least evidence that it is below the first.
        gap: rating of the first minus that of the challenger, Elo points.
        gap_lower: lower limit of that gap, one of a sequence that all hold jointly, for all models,
            with the confidence; minus infinity if the votes give none.
        e_value: the evidence, E of the first against the challenger, divided by the number of
            models.
        p: 1 / e_value, at most 1; an anytime-valid p-value.
        models: number of rated models.
        votes: on which the ratings rest.
        confidence: that no first place is ever declared known that is not the true one.
        scale: of the mixture, Elo points.
    """

    status: Status
    first: str | None
    challenger: str | None
    gap: float
    gap_lower: float
    e_value: float
    p: float
    models: int
    votes: int
    confidence: float
    scale: float


def first_place(
    battles: Battles,
    fit: BradleyTerry,
    around: Intervals,
    *,
    confidence: float = 0.95,
    scale: float = DEFAULT_SCALE,
) -> FirstPlace:
    """Tell whether the first place is known, also if this is asked after every vote.

    Args:
        battles: the votes.
        fit: their ratings.
        around: intervals of these ratings; their covariance and degrees of freedom are used.
        confidence: probability that no false first place is ever declared known.
        scale: of the half-normal mixture over gaps, Elo points; must not be chosen after looking at
            the votes.

    Raises:
        OptionError: a confidence not between 0 and 1, a scale that is not positive and finite, or
            intervals of another fit.
    """
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, not {confidence:g}")
    if not 0 < scale < np.inf:
        raise OptionError(f"scale must be a positive number of Elo points, not {scale:g}")
    if not (around.ratings is fit.ratings or around.ratings.equals(fit.ratings)):
        raise OptionError("the intervals are of another fit: use `intervals(battles, fit)`")
    rated = fit.ratings.dropna()
    names = [str(name) for name in rated.index]
    is_rated = fit.ratings.notna().to_numpy()
    votes = int(battles.counts[:, is_rated][:, :, is_rated].sum())
    if len(names) < 2:
        return FirstPlace(
            "alone", first=names[0] if names else None, challenger=None, gap=np.nan,
            gap_lower=-np.inf, e_value=0.0, p=1.0, models=len(names), votes=votes,
            confidence=confidence, scale=scale,
        )  # fmt: skip
    leader = int(np.argmax(rated.to_numpy()))
    others = np.flatnonzero(np.arange(len(names)) != leader)
    values, covariance = rated.to_numpy(), around.covariance.to_numpy()
    diagonal = np.diag(covariance)
    gap = values[leader] - values[others]
    variance = diagonal[leader] + diagonal[others] - 2 * covariance[leader, others]
    df = around.df[rated.index].to_numpy()
    df = np.minimum(df[leader], df[others])
    log_e = log_evidence(gap, variance, df, scale=scale) - np.log(len(names))
    lower = gap - critical_gap(variance, df, level=(1 - confidence) / len(names), scale=scale)
    # By evidence, then by rating: without any evidence the second is the challenger.
    closest = min(range(len(others)), key=lambda i: (round(log_e[i], 9), gap[i]))
    status: Status = "known" if log_e[closest] >= -np.log(1 - confidence) else "open"
    if _has_unrated_rival(fit):
        status = "unrated rival"
    return FirstPlace(
        status,
        first=names[leader],
        challenger=names[others[closest]],
        gap=float(gap[closest]),
        gap_lower=float(lower[closest]),
        e_value=float(np.exp(log_e[closest])),
        p=float(min(1.0, np.exp(-log_e[closest]))),
        models=len(names),
        votes=votes,
        confidence=confidence,
        scale=scale,
    )


def log_evidence(gap: Floats, variance: Floats, df: Floats, *, scale: float) -> Floats:
    """Logarithm of the e-process of gaps against "not above 0".

    Args:
        gap: estimates, Elo points, shape (n,).
        variance: of the estimates, Elo points squared, shape (n,); with 0, E is 0.
        df: degrees of freedom of each variance, shape (n,).
        scale: of the mixture, Elo points.
    """
    usable = variance > _MIN_VARIANCE
    variance = np.where(usable, variance, 1.0)
    prior, information = scale**-2, 1 / variance
    tail = student_tail(gap / np.sqrt(variance), df)
    z = np.clip(-normal_quantile(tail), -MAX_Z, MAX_Z)
    u = z * np.sqrt(information / (information + prior))
    log_e: Floats = (
        np.log(2) + np.log(prior / (information + prior)) / 2 + u**2 / 2 + normal_log_cdf(u)
    )
    return np.where(usable, log_e, -np.inf)


def critical_gap(variance: Floats, df: Floats, *, level: float, scale: float) -> Floats:
    """The estimated gap at which the evidence reaches 1 / level, Elo points, shape (n,).

    An estimate minus this is the lower limit of a confidence sequence.
    """
    usable = variance > _MIN_VARIANCE
    variance = np.where(usable, variance, 1.0)
    prior, information = scale**-2, 1 / variance
    target = -np.log(level) - np.log(2) - np.log(prior / (information + prior)) / 2
    u = np.sqrt(2 * np.maximum(target, 0.5))
    for _ in range(20):  # Newton's method on a convex, increasing function
        excess = u**2 / 2 + normal_log_cdf(u) - target
        slope = u + np.exp(-(u**2) / 2 - normal_log_cdf(u)) / np.sqrt(2 * np.pi)
        u = u - excess / slope
    z = u * np.sqrt((information + prior) / information)
    quantile = np.where(np.isinf(df), z, -np.asarray(student_quantile(normal_tail(z), df)))
    return np.where(usable, quantile * np.sqrt(variance), np.inf)


def _has_unrated_rival(fit: BradleyTerry) -> bool:
    """Whether a model without a rating won or tied a vote: it may be the best."""
    weights = fit.pair_weights
    ties = weights[Outcome.TIE]
    won = (weights[Outcome.A] + ties).sum(axis=1) + (weights[Outcome.B] + ties).sum(axis=0)
    return bool((fit.ratings.isna().to_numpy() & (won > 0)).any())
