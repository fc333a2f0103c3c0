"""Intervals of Bradley-Terry ratings by the sandwich covariance.

Bread is the Fisher information H, meat the sum of squared scores of the votes (or of the votes of
each cluster): cov = H^- M H^- (Huber 1967, White 1982; clusters: Liang and Zeger 1986). It holds
also where Bradley-Terry is not exactly true, or a tie is counted as half a win.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import norm

from ratings.battles import Battles
from ratings.bradley_terry import ELO_PER_STRENGTH, BradleyTerry
from ratings.columns import Outcome, factorize, find_cluster_column
from ratings.errors import OptionError
from ratings.likelihood import (
    Shares,
    gap_residuals,
    information,
    invert,
    laplacian,
    outcome_shares,
    pair_counts,
)

Floats = NDArray[np.float64]

# A model whose scores carry less than this share of its information has no spread at all: what is
# left is rounding.
_NO_SPREAD = 1e-12


@dataclass(frozen=True, eq=False)
class Intervals:
    """Intervals of ratings and every parameter used.

    Attributes:
        lower: Elo points by model; NaN where there is no rating.
        upper: Elo points by model.
        variance: Elo points squared, by model.
        covariance: of the rated models, Elo points squared.
        confidence: of each interval by itself.
        cluster: the column whose values were taken as independent; None: every vote was.
        method: "sandwich".
    """

    lower: "pd.Series[float]"
    upper: "pd.Series[float]"
    variance: "pd.Series[float]"
    covariance: pd.DataFrame
    confidence: float
    cluster: str | None
    method: str


class _Fit(NamedTuple):
    """A fit seen from its rated models, m of them."""

    models: NDArray[np.intp]  # their codes, (m,)
    shares: Shares  # at the gaps of all pairs, (m, m)
    with_nu: bool
    ties: str
    both_bad: str


def intervals(
    battles: Battles,
    fit: BradleyTerry,
    *,
    confidence: float = 0.95,
    cluster: str | None = None,
    method: str = "sandwich",
) -> Intervals:
    """Confidence intervals of a fit's ratings.

    A rating is a distance: from the mean of all rated models, or from the anchors, whose own
    noise is then in every interval. A vote's weight is its importance: it stays one observation,
    so that multiplying all weights changes nothing.

    Args:
        battles: the votes that were fitted.
        fit: from `bradley_terry`.
        confidence: share of such intervals that hold the truth, between 0 and 1.
        cluster: a column of the frame whose values answer independently of each other, such as
            "voter" (which means `evaluation_session_id` where there is no such column). Where
            nothing tells voters apart, intervals are by vote, and `Intervals.cluster` is None.
        method: "sandwich".

    Raises:
        OptionError: an unknown method or column, a confidence outside 0 to 1, another's fit.
    """
    if method != "sandwich":
        raise OptionError(f"intervals are made by the method sandwich; there is no {method!r} yet")
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, not {confidence:g}")
    if tuple(fit.ratings.index) != battles.models:
        raise OptionError("the fit is of other models than the battles")
    column = None if cluster is None else find_cluster_column(battles.frame, cluster)
    covariance = _covariance(battles, fit, column)
    variance = pd.Series(np.diag(covariance), index=covariance.index, name="variance")
    variance = variance.clip(lower=0).reindex(fit.ratings.index)
    reach = norm.ppf(0.5 + confidence / 2) * np.sqrt(variance)
    return Intervals(
        lower=(fit.ratings - reach).rename("rating_lower"),
        upper=(fit.ratings + reach).rename("rating_upper"),
        variance=variance,
        covariance=covariance,
        confidence=confidence,
        cluster=column,
        method=method,
    )


def _covariance(battles: Battles, fit: BradleyTerry, column: str | None) -> pd.DataFrame:
    rated = fit.ratings.notna().to_numpy()
    names = fit.ratings.index[rated]
    size = len(names)
    if size == 0:
        return pd.DataFrame(index=names, columns=names, dtype=float)
    strengths = fit.ratings.to_numpy()[rated] / ELO_PER_STRENGTH
    with_nu = fit.tie_parameter > 0
    log_nu = np.log(fit.tie_parameter) if with_nu else -np.inf
    shares = outcome_shares(strengths[:, None] - strengths[None, :], log_nu)
    seen = _Fit(np.flatnonzero(rated), shares, with_nu, fit.ties, fit.both_bad)

    wins, tied = _inside(battles.tallies.weights, seen)
    bread = invert(information(wins + wins.T + tied, shares, with_nu=with_nu), size)
    wins, tied = _inside(battles.tallies.squares, seen)
    expected = information(wins + wins.T + tied, shares, with_nu=with_nu)
    meat = _vote_meat(wins, tied, seen) if column is None else _cluster_meat(battles, seen, column)
    # Nothing but ties between equals leaves a model's scores without spread, and an interval
    # without width: what the model expects stands in for its pairs.
    still = np.diag(meat)[:size] <= _NO_SPREAD * np.diag(expected)[:size]
    if still.any():
        spread = -expected[:size, :size] * (still[:, None] | still[None, :])
        np.fill_diagonal(spread, 0)
        meat[:size, :size] += laplacian(spread)
    covariance = (bread @ meat @ bread)[:size, :size] * ELO_PER_STRENGTH**2

    origin = np.isin(names, list(fit.anchors)) if fit.anchors else np.ones(size, dtype=bool)
    contrast = np.eye(size) - origin / origin.sum()
    return pd.DataFrame(contrast @ covariance @ contrast.T, index=names, columns=names)


def _inside(tally: Floats, fit: _Fit) -> tuple[Floats, Floats]:
    wins, tied = pair_counts(tally, ties=fit.ties, both_bad=fit.both_bad)
    inside = np.ix_(fit.models, fit.models)
    return wins[inside], tied[inside]


def _vote_meat(wins: Floats, tied: Floats, fit: _Fit) -> Floats:
    """Sum of the votes' squared scores, from sums of their squared weights."""
    won, lost, drew = gap_residuals(fit.shares)
    tie = fit.shares.tie
    scatter = wins * won**2 + wins.T * lost**2 + tied * drew**2
    strengths = laplacian(scatter)
    if not fit.with_nu:
        return strengths
    cross = (tied * drew * (1 - tie) - (wins * won + wins.T * lost) * tie).sum(axis=1)
    own = ((wins + wins.T) * tie**2 + tied * (1 - tie) ** 2).sum() / 2
    return np.block([[strengths, cross[:, None]], [cross[None, :], np.array([[own]])]])


def _cluster_meat(battles: Battles, fit: _Fit, column: str) -> Floats:
    """Sum over clusters of their squared scores, times c / (c - 1) for c clusters.

    A vote without a value in the column is a cluster of its own.
    """
    place = np.full(len(battles.models), -1)
    place[fit.models] = np.arange(len(fit.models))
    a, b = place[battles.a], place[battles.b]
    kept = (a >= 0) & (b >= 0) & np.isin(battles.outcome, _used_outcomes(fit))
    a, b, outcome, weight = a[kept], b[kept], battles.outcome[kept], battles.weight[kept]

    codes, values = factorize(battles.frame[column])
    cluster = codes[battles.rows[kept]]
    missing = cluster < 0
    cluster[missing] = len(values) + np.arange(missing.sum())
    cluster = np.unique(cluster, return_inverse=True)[1]

    won, lost, drew = gap_residuals(fit.shares)
    gap_scores = weight * np.stack([won, lost, drew, drew])[outcome, a, b]
    shape = (cluster.max() + 1, len(fit.models) + fit.with_nu)
    scores = csr_array((gap_scores, (cluster, a)), shape=shape)
    scores = scores - csr_array((gap_scores, (cluster, b)), shape=shape)
    if fit.with_nu:
        tie_scores = weight * ((outcome >= Outcome.TIE) - fit.shares.tie[a, b])
        last = np.full(len(a), len(fit.models))
        scores = scores + csr_array((tie_scores, (cluster, last)), shape=shape)
    correction = shape[0] / max(shape[0] - 1, 1)
    meat: Floats = (scores.T @ scores).toarray() * correction
    return meat


def _used_outcomes(fit: _Fit) -> list[Outcome]:
    used = [Outcome.A, Outcome.B]
    if fit.ties != "drop":
        used.append(Outcome.TIE)
        if fit.both_bad == "tie":
            used.append(Outcome.BOTH_BAD)
    return used
