"""Ratings over time: strengths that drift, with bands that say how well each moment is known.

Between periods every strength takes a normal step whose variance is `drift_sd` squared times the
days between (a dynamic Bradley-Terry model: Fahrmeir and Tutz 1994; Glickman 1999; Coulom 2008).
Ratings are the mode of all periods together, so that each uses the votes before and after it; bands
are normal with the curvature there (Laplace). Unless it is given, `drift_sd` maximises the marginal
likelihood in the same approximation; 0, that nobody changed, is a possible result. Ratings and
bands are then averaged over the drifts in its interval, by what the votes say of each (Rue, Martino
and Chopin 2009), since bands of the likeliest drift alone are too narrow. Votes of one voter are
alike, which would pass for a drift: see `ratings.path_dispersion`.

A model of generated video does not change; what voters expect and like does, and a drift is that,
or a model that was exchanged behind its name. Ratings are distances from the mean of all rated
models, or of the anchors, in the same period: that all of these get better together cannot be seen
in comparisons, and where one of few gets better, the distances of all others fall.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import chi2
from scipy.stats import t as student

from ratings.arrays import Floats
from ratings.dynamic.dynamic_model import LEAST_DRIFT, Course
from ratings.dynamic.path_dispersion import PeriodVotes, Widening
from ratings.errors import OptionError
from ratings.inference.proportions import false_discovery_rates
from ratings.model.bradley_terry import ELO_PER_STRENGTH, MEAN_RATING, bradley_terry
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import choose_clusters
from ratings.votes.periods import AUTOMATIC, Periods

_DRIFTS = 9  # that ratings are averaged over
_MOST_DRIFT = 300.0  # Elo points per square root of a day
_MOST_NUMBERS = 1 << 27  # in the covariances of all periods: 1 GB


@dataclass(frozen=True, eq=False)
class OverTime:
    """Ratings of every model in every period, and every parameter used.

    Attributes:
        ratings: Elo points, periods x models; NaN before a model's first and after its last vote.
        lower: of the bands, by period and model, each by itself.
        upper: likewise.
        votes: of each model in each period that the tie rules use, whatever their weight.
        changed: by model: `change` from its first period to its last, Elo points, `lower`, `upper`,
            `p` of no change, and `q` over the models (Benjamini and Hochberg 1995).
        drift_sd: Elo points per square root of a day.
        drift_lower: of its 95% interval, by the profile of the marginal likelihood; NaN if it was
            given.
        drift_upper: likewise; infinite where the votes do not bound it.
        period: length of a period.
        ties: see `bradley_terry`.
        both_bad: "tie" or "drop".
        tie_parameter: see `BradleyTerry`; held at that of all periods together.
        anchors: what was fixed in every period: the mean of these models' ratings is the mean of
            these values.
        confidence: of each band.
        cluster: column of independent answers, or None: every vote.
        cluster_note: why not by the column that was asked for; None: no reason.
        dispersion: what the log-likelihood was divided by, because votes of one voter in one
            period are alike; below 1 where ties are half a win to each, which vary less.
        widened: by model, the factor by which voters who come back widen the bands beyond that.
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
    widened: "pd.Series[float]"
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
        time: that column: ISO 8601, times, or seconds since 1970; None: `timestamp` or `tstamp`.
        period: length of a period, such as "7D", or "auto": some 50 of them. A period without
            votes is passed over, its time is not.
        ties: see `bradley_terry`.
        both_bad: as a "tie", or "drop".
        drift_sd: Elo points per square root of a day; None: estimated.
        anchors: ratings to hold in every period, by model; the mean of several is held.
        confidence: of each band by itself.
        cluster: column of independent answers, or "auto", see `intervals`.

    Raises:
        OptionError: no such column, an option out of range, an anchor that is not rated, more
            periods than fit in memory.
        VotesError: a time that is none, with its row.
    """
    if both_bad not in {"tie", "drop"}:
        raise OptionError(f"over time both_bad is tie or drop, not {both_bad!r}")
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, not {confidence:g}")
    if drift_sd is not None and not 0 <= drift_sd <= _MOST_DRIFT:
        raise OptionError(f"drift_sd must be from 0 to {_MOST_DRIFT:g} Elo points, not {drift_sd}")
    fit = bradley_terry(battles, ties, both_bad=both_bad, anchors=anchors)
    periods = Periods.of(battles, time, period)
    if len(periods.starts) * fit.design.size**2 > _MOST_NUMBERS:
        raise OptionError(
            f"{len(periods.starts):,} periods of {periods.length} are too many for "
            f"{fit.design.size} models: take longer ones"
        )
    course = Course(battles, fit, periods)
    rated = fit.ratings.index[course.rated]
    origin = np.isin(rated, list(fit.anchors)) if fit.anchors else np.ones(course.size, dtype=bool)
    about = np.eye(course.size) - origin / max(origin.sum(), 1)
    columns, note = choose_clusters(battles.frame, battles.selected, cluster)
    votes = PeriodVotes.of(course, columns)
    dispersion = votes.dispersion()
    course.designs = [design.scaled(1 / dispersion) for design in course.designs]
    if drift_sd is None:
        drift = _estimate(course)
    else:
        drift = _Drift(drift_sd, np.nan, np.nan, {drift_sd: 1.0})
    path = course.mode(drift.value / ELO_PER_STRENGTH)[0]
    moments = _mix(_moments(course, each, about, weight) for each, weight in drift.weights.items())
    return _describe(
        course,
        moments,
        votes.widening(path, dispersion),
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
            "log_likelihood": course.derive(path)[0] * dispersion / course.scale,
        },
    )


class _Drift(NamedTuple):
    """Elo points per square root of a day."""

    value: float
    lower: float
    upper: float
    weights: dict[float, float]  # what the votes say of each drift; they sum to 1


def _estimate(course: Course) -> _Drift:
    """The drift with the most evidence, its 95% interval, and the weights of drifts in it."""
    if course.size < 2 or len(course.designs) < 2:
        return _Drift(0.0, 0.0, np.inf, {0.0: 1.0})

    def evidence(drift: float) -> float:
        return course.evidence(drift / ELO_PER_STRENGTH)

    ends = float(np.log(LEAST_DRIFT * 1.01)), float(np.log(_MOST_DRIFT))
    found = minimize_scalar(lambda x: -evidence(np.exp(x)), bounds=ends, options={"xatol": 0.01})
    constant = evidence(0.0)
    best, drift = max((constant, 0.0), (-float(found.fun), float(np.exp(found.x))))
    drop = float(chi2.ppf(0.95, 1)) / 2

    def above(log_drift: float) -> float:
        return evidence(np.exp(log_drift)) - best + drop

    lower, upper = 0.0, np.inf
    if constant < best - drop:
        lower = float(np.exp(brentq(above, ends[0], np.log(drift), xtol=0.02)))
    if above(ends[1]) < 0:
        upper = float(np.exp(brentq(above, np.log(max(drift, LEAST_DRIFT)), ends[1], xtol=0.02)))
    grid = np.linspace(lower, min(upper, _MOST_DRIFT), _DRIFTS)
    weight = np.exp([evidence(each) - best for each in grid])
    weight[[0, -1]] /= 2  # the trapezoidal rule, every drift as likely as another before the votes
    return _Drift(drift, lower, upper, dict(zip(grid.tolist(), weight / weight.sum(), strict=True)))


class _Moments(NamedTuple):
    """Means and variances of ratings about the origin, strengths; of changes likewise."""

    weight: float
    mean: Floats  # (periods, m)
    variance: Floats
    change: Floats  # (m,), from a model's first period to its last
    change_variance: Floats


def _moments(course: Course, drift: float, about: Floats, weight: float) -> _Moments:
    """What the votes say if the drift is known; `about` takes strengths to distances."""
    path, factored = course.mode(drift / ELO_PER_STRENGTH)
    size, periods = course.size, len(course.designs)
    mean, nothing = path @ about.T, np.zeros(size)
    if factored is None:
        total = course.derive(path)[2].sum(axis=0) if periods else np.zeros((size, size))
        spread = about @ np.linalg.inv(total + course.pin) @ about.T if size else total
        variance = np.tile(np.diag(spread), (periods, 1))
        return _Moments(weight, mean, variance, nothing, nothing)
    within = factored.spreads()
    spreads = about @ within @ about.T
    variance = np.einsum("tii->ti", spreads)
    models = np.arange(size)
    first, last = course.first_and_last()
    change = mean[last, models] - mean[first, models]
    change_variance = variance[first, models] + variance[last, models]
    for period in np.unique(last):
        own = models[last == period]
        with_last = about @ factored.covariances_with(period, within[period]) @ about.T
        change_variance[own] -= 2 * with_last[first[own], own, own]
    return _Moments(weight, mean, variance, change, change_variance)


def _mix(parts: Iterable[_Moments]) -> _Moments:
    """Moments of a mixture: not knowing the drift is a reason to know less of the ratings."""
    parts = list(parts)

    def moment(mean: str, variance: str) -> tuple[Floats, Floats]:
        first = sum(part.weight * getattr(part, mean) for part in parts)
        second = sum(
            part.weight * (getattr(part, variance) + getattr(part, mean) ** 2) for part in parts
        )
        return first, np.maximum(second - first**2, 0)

    mean, variance = moment("mean", "variance")
    change, change_variance = moment("change", "change_variance")
    return _Moments(1.0, mean, variance, change, change_variance)


def _describe(
    course: Course, moments: _Moments, widening: Widening, parameters: Mapping[str, Any]
) -> OverTime:
    names = course.fit.ratings.index
    rated = names[course.rated]
    anchors, widened, df = parameters["anchors"], widening.factor, widening.df
    quantile = np.array(student.ppf(0.5 + parameters["confidence"] / 2, df))
    level = float(np.mean(list(anchors.values()))) if anchors else MEAN_RATING
    values = level + ELO_PER_STRENGTH * moments.mean
    reach = quantile * ELO_PER_STRENGTH * np.sqrt(np.maximum(moments.variance, 0)) * widened
    first, last = course.first_and_last()
    period = np.arange(len(course.designs))[:, None]
    entered = (first <= period) & (period <= last)

    def table(numbers: Floats) -> pd.DataFrame:
        shown = np.where(entered, numbers, np.nan)
        found = pd.DataFrame(shown, index=course.periods.starts, columns=rated)
        return found.reindex(columns=names)

    change = ELO_PER_STRENGTH * moments.change
    error = ELO_PER_STRENGTH * np.sqrt(moments.change_variance) * widened
    # Without a drift nobody can have changed, and there is nothing to test.
    score = np.divide(change, error, out=np.full(len(change), np.nan), where=error > 0)
    p = 2 * student.sf(np.abs(score), df)
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
    votes = pd.DataFrame(course.votes, index=course.periods.starts, columns=rated)
    return OverTime(
        ratings=table(values),
        lower=table(values - reach),
        upper=table(values + reach),
        votes=votes.reindex(columns=names, fill_value=0),
        changed=changed.reindex(names),
        widened=pd.Series(widened, index=rated).reindex(names),
        df=pd.Series(df, index=rated).reindex(names),
        **parameters,
    )
