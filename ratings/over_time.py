"""Ratings over time: strengths that drift, with bands that say how well each moment is known.

Between periods every strength takes a normal step whose variance is `drift_sd` squared times the
days between (a dynamic Bradley-Terry model: Fahrmeir and Tutz 1994; Glickman 1999; Coulom 2008).
Ratings are the mode of all periods together, so that each uses the votes before and after it; bands
are normal with the curvature there (Laplace). Unless it is given, `drift_sd` maximises the marginal
likelihood in the same approximation; 0, that nobody changed, is a possible result.

A model of generated video does not change; what voters expect and like does, and a drift is that,
or a model that was exchanged behind its name. Ratings are distances from the mean of all rated
models in the same period: that the whole field gets better cannot be seen in comparisons.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import chi2, norm

from ratings.battles import Battles
from ratings.bradley_terry import ELO_PER_STRENGTH, MEAN_RATING, bradley_terry
from ratings.course import LEAST_DRIFT, Course
from ratings.errors import OptionError
from ratings.multiplicity import false_discovery_rates
from ratings.periods import AUTOMATIC, Periods
from ratings.random_walk import Tridiagonal
from ratings.uncertainty import intervals

Floats = NDArray[np.float64]

_MOST_DRIFT = 300.0  # Elo points per square root of a day


@dataclass(frozen=True, eq=False)
class OverTime:
    """Ratings of every model in every period, and every parameter used.

    Attributes:
        ratings: Elo points, periods x models; NaN before a model's first and after its last vote.
        lower: of the bands, by period and model, each by itself.
        upper: likewise.
        votes: of each model in each period.
        changed: by model: `change` from its first period to its last, Elo points, `lower`, `upper`,
            `p` of no change, and `q` over the models (Benjamini and Hochberg 1995).
        drift_sd: Elo points per square root of a day.
        drift_lower: of its 95% interval, by the profile of the marginal likelihood; NaN if it was
            given.
        drift_upper: likewise; infinite where the votes do not bound it.
        period: length of a period.
        ties: see `bradley_terry`; the tie parameter is held at that of all periods together.
        both_bad: "tie" or "drop".
        confidence: of each band.
        cluster: columns of independent answers, or None: every vote.
        widened: by model, the factor by which clusters widen the bands: the ratio of its clustered
            to its model-based standard error when strengths are constant.
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
    confidence: float
    cluster: str | None
    widened: "pd.Series[float]"


def over_time(
    battles: Battles,
    *,
    time: str | None = None,
    period: str = AUTOMATIC,
    ties: str = "half",
    both_bad: str = "tie",
    drift_sd: float | None = None,
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
        confidence: of each band by itself.
        cluster: column of independent answers, see `intervals`.

    Raises:
        OptionError: no such column, an option out of range.
        VotesError: a time that is none, with its row.
    """
    if both_bad not in {"tie", "drop"}:
        raise OptionError(f"over time both_bad is tie or drop, not {both_bad!r}")
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, not {confidence:g}")
    if drift_sd is not None and not drift_sd >= 0:
        raise OptionError(f"drift_sd must be 0 Elo points or more, not {drift_sd}")
    fit = bradley_terry(battles, ties, both_bad=both_bad)
    periods = Periods.of(battles, time, period)
    by_vote = intervals(battles, fit)
    widened = fit.ratings * 0 + 1
    clustered = None
    if cluster is not None:
        spread = intervals(battles, fit, cluster=cluster)
        clustered = spread.cluster
        widened = (spread.variance / by_vote.variance) ** 0.5
    course = Course(battles, fit, periods)
    lowest = highest = np.nan
    if drift_sd is None:
        drift_sd, lowest, highest = _estimate(course)
    path, factored = course.mode(drift_sd / ELO_PER_STRENGTH)
    return _describe(
        course,
        path,
        factored,
        {
            "drift_sd": drift_sd,
            "drift_lower": lowest,
            "drift_upper": highest,
            "period": periods.length,
            "ties": ties,
            "both_bad": both_bad,
            "confidence": confidence,
            "cluster": clustered,
            "widened": widened,
        },
    )


def _estimate(course: Course) -> tuple[float, float, float]:
    """The drift with the most evidence and its 95% interval, Elo points a root of a day."""
    if course.size < 2 or len(course.designs) < 2:
        return 0.0, 0.0, np.inf

    def evidence(log_drift: float) -> float:
        return course.evidence(float(np.exp(log_drift)) / ELO_PER_STRENGTH)

    ends = float(np.log(LEAST_DRIFT * 1.01)), float(np.log(_MOST_DRIFT))
    found = minimize_scalar(lambda x: -evidence(x), bounds=ends, options={"xatol": 0.01})
    constant = course.evidence(0.0)
    best, log_drift = max((constant, -np.inf), (-float(found.fun), float(found.x)))
    drop = float(chi2.ppf(0.95, 1)) / 2

    def above(x: float) -> float:
        return evidence(x) - best + drop

    lower = upper = 0.0
    if constant < best - drop:
        lower = float(np.exp(brentq(above, ends[0], log_drift, xtol=0.02)))
    start = max(log_drift, ends[0])
    upper = np.inf
    if above(ends[1]) < 0:
        upper = float(np.exp(brentq(above, start, ends[1], xtol=0.02)))
    return (0.0 if log_drift == -np.inf else float(np.exp(log_drift))), lower, upper


def _describe(
    course: Course, path: Floats, factored: Tridiagonal | None, parameters: Mapping[str, Any]
) -> OverTime:
    size, periods = course.size, len(course.designs)
    about_mean = np.eye(size) - 1 / max(size, 1)
    names = course.fit.ratings.index
    rated = names[course.rated]
    if factored is None:
        total = course.derive(path)[2].sum(axis=0) if periods else np.zeros((size, size))
        one = about_mean @ np.linalg.inv(total + course.pin) @ about_mean if size else total
        spreads = np.tile(one, (periods, 1, 1))
    else:
        spreads = about_mean @ factored.spreads() @ about_mean
    z = float(norm.ppf(0.5 + parameters["confidence"] / 2))
    widened = parameters["widened"].loc[rated].to_numpy()
    values = MEAN_RATING + ELO_PER_STRENGTH * (path @ about_mean)
    own = np.sqrt(np.maximum(np.einsum("tii->ti", spreads), 0))
    error = ELO_PER_STRENGTH * own * widened
    here = course.votes > 0
    entered = np.maximum.accumulate(here, axis=0) & np.maximum.accumulate(here[::-1], axis=0)[::-1]

    def table(numbers: Floats) -> pd.DataFrame:
        shown = np.where(entered, numbers, np.nan)
        return pd.DataFrame(shown, index=course.periods.starts, columns=rated).reindex(
            columns=names
        )

    votes = pd.DataFrame(course.votes, index=course.periods.starts, columns=rated)
    return OverTime(
        ratings=table(values),
        lower=table(values - z * error),
        upper=table(values + z * error),
        votes=votes.reindex(columns=names, fill_value=0),
        changed=_changes(values, entered, factored, spreads, widened, rated, z).reindex(names),
        **parameters,
    )


def _changes(
    values: Floats,
    entered: NDArray[np.bool_],
    factored: Tridiagonal | None,
    spreads: Floats,
    widened: Floats,
    models: "pd.Index[Any]",
    z: float,
) -> pd.DataFrame:
    """From each model's first period to its last; without drift nobody can have changed."""
    columns = ["change", "lower", "upper", "p", "q"]
    found = np.full((len(models), 4), np.nan)
    if factored is not None:
        size = len(models)
        about_mean = np.eye(size) - 1 / size
        within = factored.spreads()
        for last in np.unique([len(e) - 1 - np.argmax(e[::-1]) for e in entered.T]):
            with_last = about_mean @ factored.covariances_with(last, within[last]) @ about_mean
            for i in range(size):
                first, own_last = np.argmax(entered[:, i]), np.flatnonzero(entered[:, i])[-1]
                if own_last != last or first == last:
                    continue
                change = values[last, i] - values[first, i]
                both = spreads[first, i, i] + spreads[last, i, i] - 2 * with_last[first, i, i]
                error = ELO_PER_STRENGTH * np.sqrt(max(both, 0)) * widened[i]
                p = 2 * norm.sf(abs(change) / error)
                found[i] = change, change - z * error, change + z * error, p
    q = false_discovery_rates(found[:, 3])
    return pd.DataFrame(np.column_stack([found, q]), index=models, columns=columns)
