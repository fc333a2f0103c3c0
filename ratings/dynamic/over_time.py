"""Ratings over time: strengths that drift, with confidence bands for each period.

Between periods every strength takes a normal step whose variance is `drift_sd` squared times the
days between (a dynamic Bradley-Terry model: Fahrmeir and Tutz 1994; Glickman 1999; Coulom 2008).
Ratings are the joint mode of all periods, so that each uses the votes before and after it; bands
are normal with the covariance there (Laplace). Unless it is given, `drift_sd` maximises the
marginal likelihood in the same approximation; 0, no change at all, is a possible result. Ratings
and bands are then averaged over the drifts in its interval, weighted by their marginal likelihood
(Rue, Martino and Chopin 2009), since bands of the likeliest drift alone are too narrow. Votes of
one voter are dependent, which would look like a drift: see `overdispersion`.

A model of generated video does not change; voters' expectations and preferences do. A drift
reflects such a change, or a model that was replaced under the same name. Ratings are distances from
the mean of all rated models, or of the anchors, in the same period: comparisons cannot show that
all of these improve together, and where one of few improves, the distances of all others fall.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import brentq, minimize_scalar

from ratings.arrays import Floats
from ratings.distributions import chi_square_quantile, student_quantile, student_tail
from ratings.dynamic.dynamic_model import MIN_DRIFT, DynamicModel
from ratings.dynamic.overdispersion import PeriodVotes, VarianceInflation
from ratings.errors import OptionError
from ratings.inference.proportions import false_discovery_rates
from ratings.model.bradley_terry import ELO_PER_STRENGTH, MEAN_RATING, bradley_terry
from ratings.schema import AUTOMATIC
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import choose_clusters
from ratings.votes.periods import Periods

_DRIFTS = 9  # nodes of the average over the drift
_MAX_DRIFT = 300.0  # Elo points per square root of a day
_MAX_NUMBERS = 1 << 27  # in the covariances of all periods: 1 GB


@dataclass(frozen=True, eq=False)
class OverTime:
    """Ratings of every model in every period, and every parameter used.

    Attributes:
        ratings: Elo points, periods x models; NaN before a model's first and after its last vote.
        lower: lower end of each band by itself, periods x models.
        upper: upper end.
        votes: votes of each model in each period that the tie rules use, whatever their weight.
        changed: by model: `change` from its first period to its last, Elo points, `lower`, `upper`,
            `p` of no change, and `q` over the models (Benjamini and Hochberg 1995).
        drift_sd: Elo points per square root of a day.
        drift_lower: lower end of its 95% interval, from the profile of the marginal likelihood; NaN
            if the drift was given.
        drift_upper: upper end; infinite where the votes do not bound it.
        period: length of a period.
        ties: see `bradley_terry`.
        both_bad: "tie" or "drop".
        tie_parameter: see `BradleyTerry`; kept at the estimate of all periods together.
        anchors: ratings that were fixed in every period: the mean of these models' ratings is the
            mean of these values.
        confidence: of each band.
        cluster: column of independent answers; None if every vote is independent.
        cluster_note: why the requested column was not used; None if it was.
        dispersion: what the log-likelihood was divided by, because votes of one voter in one
            period are dependent; below 1 where ties are half a win to each, which vary less.
        variance_inflation: by model, the factor by which voters who come back increase the variance
            beyond that, 1 or more.
        df: by model, degrees of freedom of its bands; infinite where the normal is used.
        log_likelihood: of the votes, along the path of the likeliest drift.
    """

    ratings: pd.DataFrame
    lower: pd.DataFrame
    upper: pd.DataFrame
    votes: pd.DataFrame
    changed: pd.DataFrame
    drift_sd: float
    drift_lower: float
    drift_upper: float
    period: pd.Timedelta
    ties: str
    both_bad: str
    tie_parameter: float
    anchors: dict[str, float]
    confidence: float
    cluster: str | None
    cluster_note: str | None
    dispersion: float
    variance_inflation: "pd.Series[float]"
    df: "pd.Series[float]"
    log_likelihood: float


def over_time(
    battles: Battles,
    *,
    time: str | None = None,
    period: str = AUTOMATIC,
    ties: str = "half",
    both_bad: str = "tie",
    drift_sd: float | None = None,
    anchors: Mapping[str, float] | None = None,
    confidence: float = 0.95,
    cluster: str | None = None,
) -> OverTime:
    """Rate every model in every period.

    Args:
        battles: the votes, with a column of times.
        time: name of that column: ISO 8601, timestamps, or seconds since 1970; None uses
            `timestamp` or `tstamp`.
        period: length of a period, such as "7D", or "auto" for about 50 periods. A period without
            votes is left out, but its time counts.
        ties: see `bradley_terry`.
        both_bad: "tie" or "drop".
        drift_sd: Elo points per square root of a day; None estimates it.
        anchors: ratings to fix in every period, by model; of several, their mean is fixed.
        confidence: of each band by itself.
        cluster: column of independent answers, or "auto", see `intervals`.

    Raises:
        OptionError: no such column, an option out of range, an anchor that is not rated, or more
            periods than fit in memory.
        VotesError: a time that cannot be read, with its row.
    """
    if both_bad not in {"tie", "drop"}:
        raise OptionError(f"over time both_bad is tie or drop, not {both_bad!r}")
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, not {confidence:g}")
    if drift_sd is not None and not 0 <= drift_sd <= _MAX_DRIFT:
        raise OptionError(f"drift_sd must be from 0 to {_MAX_DRIFT:g} Elo points, not {drift_sd}")
    fit = bradley_terry(battles, ties, both_bad=both_bad, anchors=anchors)
    periods = Periods.of(battles, time, period)
    if len(periods.starts) * fit.design.size**2 > _MAX_NUMBERS:
        raise OptionError(
            f"{len(periods.starts):,} periods of {periods.length} are too many for "
            f"{fit.design.size} models: choose longer periods"
        )
    model = DynamicModel(battles, fit, periods)
    columns, note = choose_clusters(battles.frame, battles.selected, cluster)
    votes = PeriodVotes.of(model, columns)
    dispersion = votes.dispersion()
    model.designs = [design.scaled(1 / dispersion) for design in model.designs]
    if drift_sd is None:
        drift = _estimate_drift(model)
    else:
        drift = _Drift(drift_sd, np.nan, np.nan, {drift_sd: 1.0})
    path = model.mode(drift.value / ELO_PER_STRENGTH)[0]
    contrast = _contrast(model)
    moments = _mix_moments(
        _moments(model, each, contrast, weight) for each, weight in drift.weights.items()
    )
    return _result(
        model,
        moments,
        votes.variance_inflation(path, dispersion),
        {
            "drift_sd": drift.value,
            "drift_lower": drift.lower,
            "drift_upper": drift.upper,
            "period": periods.length,
            "ties": ties,
            "both_bad": both_bad,
            "tie_parameter": fit.tie_parameter,
            "anchors": fit.anchors,
            "confidence": confidence,
            "cluster": columns[0] if columns else None,
            "cluster_note": note,
            "dispersion": dispersion,
            "log_likelihood": (
                model.score_and_information(path)[0] * dispersion / model.weight_scale
            ),
        },
    )


def _contrast(model: DynamicModel) -> Floats:
    """From strengths to distances from the mean of the anchors, or of all models, shape (m, m)."""
    rated = model.fit.ratings.index[model.rated]
    anchors = model.fit.anchors
    origin = np.isin(rated, list(anchors)) if anchors else np.ones(model.size, dtype=bool)
    contrast: Floats = np.eye(model.size) - origin / max(origin.sum(), 1)
    return contrast


class _Drift(NamedTuple):
    """An estimated drift, Elo points per square root of a day."""

    value: float
    lower: float
    upper: float
    weights: dict[float, float]  # by drift, from the marginal likelihood; they sum to 1


def _estimate_drift(model: DynamicModel) -> _Drift:
    """The drift of the largest marginal likelihood, its 95% interval, and weights of drifts in it.

    The weights are those of the trapezoidal rule under a uniform prior.
    """
    if model.size < 2 or len(model.designs) < 2:
        return _Drift(0.0, 0.0, np.inf, {0.0: 1.0})

    def log_evidence(drift: float) -> float:
        return model.log_evidence(drift / ELO_PER_STRENGTH)

    bounds = float(np.log(MIN_DRIFT * 1.01)), float(np.log(_MAX_DRIFT))
    optimum = minimize_scalar(
        lambda log_drift: -log_evidence(np.exp(log_drift)), bounds=bounds, options={"xatol": 0.01}
    )
    constant = log_evidence(0.0)
    best, drift = max((constant, 0.0), (-float(optimum.fun), float(np.exp(optimum.x))))
    threshold = best - float(chi_square_quantile(0.95, 1)) / 2

    def above(log_drift: float) -> float:
        return log_evidence(np.exp(log_drift)) - threshold

    lower, upper = 0.0, np.inf
    if constant < threshold:
        lower = float(np.exp(brentq(above, bounds[0], np.log(drift), xtol=0.02)))
    if above(bounds[1]) < 0:
        upper = float(np.exp(brentq(above, np.log(max(drift, MIN_DRIFT)), bounds[1], xtol=0.02)))
    grid = np.linspace(lower, min(upper, _MAX_DRIFT), _DRIFTS)
    weight = np.exp([log_evidence(each) - best for each in grid])
    weight[[0, -1]] /= 2
    return _Drift(drift, lower, upper, dict(zip(grid.tolist(), weight / weight.sum(), strict=True)))


class _Moments(NamedTuple):
    """Means and variances of ratings about the origin, in strengths, and of their changes."""

    weight: float
    mean: Floats  # (T, m)
    variance: Floats  # (T, m)
    change: Floats  # (m,), from a model's first period to its last
    change_variance: Floats  # (m,)


def _moments(model: DynamicModel, drift: float, contrast: Floats, weight: float) -> _Moments:
    """Moments of the ratings given a drift.

    Args:
        model: the likelihood.
        drift: Elo points per square root of a day.
        contrast: from strengths to distances from the origin, shape (m, m).
        weight: of this drift.
    """
    path, hessian = model.mode(drift / ELO_PER_STRENGTH)
    size, periods = model.size, len(model.designs)
    mean, zero = path @ contrast.T, np.zeros(size)
    if hessian is None:
        covariance = np.zeros((size, size))
        if size:
            total = model.location_information.copy()
            if periods:
                total += model.score_and_information(path)[2].sum(axis=0)
            covariance = contrast @ np.linalg.inv(total) @ contrast.T
        variance = np.tile(np.diag(covariance), (periods, 1))
        return _Moments(weight, mean, variance, zero, zero)
    marginal = hessian.marginal_covariances()
    variance = np.einsum("tii->ti", contrast @ marginal @ contrast.T)
    models = np.arange(size)
    first, last = model.first_and_last()
    change = mean[last, models] - mean[first, models]
    change_variance = variance[first, models] + variance[last, models]
    for period in np.unique(last):
        ending = models[last == period]
        cross = contrast @ hessian.cross_covariances(period, marginal[period]) @ contrast.T
        change_variance[ending] -= 2 * cross[first[ending], ending, ending]
    return _Moments(weight, mean, variance, change, change_variance)


def _mix_moments(parts: Iterable[_Moments]) -> _Moments:
    """Moments of the mixture over drifts, whose variance includes that between the drifts."""
    parts = list(parts)

    def mix(mean: str, variance: str) -> tuple[Floats, Floats]:
        first = sum(part.weight * getattr(part, mean) for part in parts)
        second = sum(
            part.weight * (getattr(part, variance) + getattr(part, mean) ** 2) for part in parts
        )
        return first, np.maximum(second - first**2, 0)

    mean, variance = mix("mean", "variance")
    change, change_variance = mix("change", "change_variance")
    return _Moments(1.0, mean, variance, change, change_variance)


def _result(
    model: DynamicModel,
    moments: _Moments,
    inflation: VarianceInflation,
    parameters: Mapping[str, Any],
) -> OverTime:
    names = model.fit.ratings.index
    rated = names[model.rated]
    anchors, df = parameters["anchors"], inflation.df
    error_factor = ELO_PER_STRENGTH * np.sqrt(inflation.factor)
    quantile = np.array(student_quantile(0.5 + parameters["confidence"] / 2, df))
    level = float(np.mean(list(anchors.values()))) if anchors else MEAN_RATING
    ratings = level + ELO_PER_STRENGTH * moments.mean
    half_width = quantile * error_factor * np.sqrt(np.maximum(moments.variance, 0))
    first, last = model.first_and_last()
    period = np.arange(len(model.designs))[:, None]
    present = (first <= period) & (period <= last)

    def by_period(values: Floats) -> pd.DataFrame:
        shown = np.where(present, values, np.nan)
        table = pd.DataFrame(shown, index=model.periods.starts, columns=rated)
        return table.reindex(columns=names)

    change = ELO_PER_STRENGTH * moments.change
    error = error_factor * np.sqrt(moments.change_variance)
    # Without a drift no model can have changed, and there is nothing to test.
    z = np.divide(change, error, out=np.full(len(change), np.nan), where=error > 0)
    p = 2 * student_tail(np.abs(z), df)
    changed = pd.DataFrame(
        {
            "change": change,
            "lower": change - quantile * error,
            "upper": change + quantile * error,
            "p": p,
            "q": false_discovery_rates(p),
        },
        index=rated,
    )
    votes = pd.DataFrame(model.votes, index=model.periods.starts, columns=rated)
    return OverTime(
        ratings=by_period(ratings),
        lower=by_period(ratings - half_width),
        upper=by_period(ratings + half_width),
        votes=votes.reindex(columns=names, fill_value=0),
        changed=changed.reindex(names),
        variance_inflation=pd.Series(inflation.factor, index=rated).reindex(names),
        df=pd.Series(df, index=rated).reindex(names),
        **parameters,
    )
