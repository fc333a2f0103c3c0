"""Intervals of Bradley-Terry ratings: sandwich, bootstrap and profile likelihood.

The sandwich has the information H as its bread and the sum of squared scores of the votes (or of
the votes of each cluster) as its meat: cov = H^- M H^- (Huber 1967, White 1982). It holds also
where Bradley-Terry is not exactly true, or a tie is counted as half a win.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from ratings.arrays import Floats
from ratings.errors import OptionError
from ratings.inference.bootstrap import ONE_WAY, resample
from ratings.inference.clusters import Sandwich, cluster_codes, cluster_sandwich
from ratings.inference.profile import profile_bounds
from ratings.inference.vote_scores import VoteScores, score_votes
from ratings.model.bradley_terry import ELO_PER_STRENGTH, BradleyTerry, check_same_votes
from ratings.model.design import NEITHER_STRENGTH, Design, fold_pairs, prior_precision
from ratings.model.outcomes import LOG_ODDS
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import Cluster, choose_clusters, find_cluster_columns

DEFAULT_ROUNDS = 1000
METHODS = ("sandwich", "bootstrap", "profile")
# A model whose scores carry less than this share of its information has no spread at all: what is
# left is rounding.
_NO_SPREAD = 1e-12


@dataclass(frozen=True, eq=False)
class Intervals:
    """Intervals of ratings and every parameter used.

    Attributes:
        ratings: those of the fit that the intervals are around.
        lower: Elo points by model; NaN where there is no rating.
        upper: Elo points by model.
        variance: Elo points squared, by model.
        covariance: of the rated models, Elo points squared.
        df: degrees of freedom of each variance; infinite where the normal is used.
        effects: estimate, lower, upper and variance, in Elo points, of the fit's effects and of
            the rating of "neither", one row each.
        confidence: of each interval by itself.
        cluster: the columns whose values were taken as independent, joined by " and "; None: every
            vote was.
        cluster_note: why not by a column that was asked for; None: no reason.
        method: "sandwich", "bootstrap" or "profile".
        rounds: of the bootstrap; 0 for other methods.
        left_out: rounds without finite ratings, which the bootstrap leaves out.
        seed: of the bootstrap.
    """

    ratings: "pd.Series[float]"
    lower: "pd.Series[float]"
    upper: "pd.Series[float]"
    variance: "pd.Series[float]"
    covariance: pd.DataFrame
    df: "pd.Series[float]"
    effects: pd.DataFrame
    confidence: float
    cluster: str | None
    cluster_note: str | None
    method: str
    rounds: int
    left_out: int
    seed: int


def intervals(
    battles: Battles,
    fit: BradleyTerry,
    *,
    confidence: float = 0.95,
    cluster: Cluster = None,
    method: str = "sandwich",
    rounds: int = DEFAULT_ROUNDS,
    seed: int = 0,
) -> Intervals:
    """Intervals around the ratings of `fit`, which must come from the same battles.

    Args:
        battles: the votes.
        fit: their ratings.
        confidence: probability with which each interval holds its rating, by itself.
        cluster: column whose values stand for independent answers, such as "voter" or "prompt"
            (`evaluation_session_id` and `prompt_id` where there is no column of that name); two
            columns for both ways at once (Cameron, Gelbach and Miller 2011); "auto": voters, where
            a column tells them. Without it every vote is independent; and a column in which all
            votes are of one value is left out, which `cluster_note` says.
        method: "sandwich"; "bootstrap" (percentiles of refits to resampled votes, or clusters);
            "profile" (likelihood ratio, by vote: for few votes, where ties are an outcome or
            left out).
        rounds: refits of the bootstrap.
        seed: of the bootstrap.

    Raises:
        OptionError: an unknown method or column, a confidence not between 0 and 1, or a fit of
            other votes.
    """
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, not {confidence:g}")
    if method not in METHODS:
        raise OptionError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    if method == "bootstrap" and rounds < 100:
        raise OptionError(f"a bootstrap needs at least 100 rounds, not {rounds}")
    check_same_votes(battles, fit)
    told = find_cluster_columns(battles.frame, cluster)
    if method == "profile" and told:
        raise OptionError("profile intervals are by vote: leave out cluster, or take the sandwich")
    if method == "bootstrap" and len(told) > 1:
        raise OptionError(ONE_WAY)
    votes = score_votes(battles, fit) if told else None
    rows = None if votes is None else votes.rows
    columns, note = choose_clusters(battles.frame, rows, cluster)

    contrast = _contrast(fit)
    covariance, df = _sandwich(battles, fit, columns, contrast, votes)
    estimate = contrast @ fit.params
    reach = np.array(student.ppf(0.5 + confidence / 2, df)) * np.sqrt(np.diag(covariance))
    lower, upper = estimate - reach, estimate + reach
    left_out = 0
    size = fit.design.size
    if method == "bootstrap" and size:
        squares = squared_counts(battles, fit).counts
        drawn = resample(battles, fit, squares, columns, rounds=rounds, seed=seed)
        left_out = rounds - len(drawn)
        if len(drawn) < 2:
            raise OptionError(
                "no resample of these votes has finite ratings: take the sandwich, or a prior"
            )
        drawn = drawn @ contrast.T
        covariance = np.atleast_2d(np.cov(drawn, rowvar=False))
        lower, upper = np.quantile(drawn, [0.5 - confidence / 2, 0.5 + confidence / 2], axis=0)
        df = np.full(len(contrast), np.inf)
    elif method == "profile" and size:
        lower, upper = profile_bounds(fit, contrast, np.sqrt(np.diag(covariance)), confidence)
        df = np.full(len(contrast), np.inf)
    return _describe(
        fit, estimate, lower, upper, covariance, df,
        confidence=confidence,
        cluster=" and ".join(columns) or None,
        cluster_note=note,
        method=method,
        rounds=rounds if method == "bootstrap" else 0,
        left_out=left_out,
        seed=seed,
    )  # fmt: skip


def _contrast(fit: BradleyTerry) -> Floats:
    """From parameters to distances from the origin in strengths, then effects and "neither".

    The origin is the mean of the anchors, or of all models. Shape (m + effects, n_params).
    """
    design = fit.design
    names = fit.ratings.index[fit.ratings.notna()]
    origin = np.isin(names, list(fit.anchors)) if fit.anchors else np.ones(design.size, dtype=bool)
    mean = np.zeros(design.n_params)
    mean[: design.size] = origin / max(origin.sum(), 1)
    rows = [row - mean for row in np.eye(design.size, design.n_params)]
    for index, extra in enumerate(design.extras, start=design.size):
        own = np.eye(1, design.n_params, index)[0]
        if extra.name == NEITHER_STRENGTH:
            rows.append(own - mean)
        elif extra.acts_on == LOG_ODDS:
            rows.append(own)
    return np.reshape(rows, (len(rows), design.n_params))


def _sandwich(
    battles: Battles,
    fit: BradleyTerry,
    columns: tuple[str, ...],
    contrast: Floats,
    votes: VoteScores | None,
) -> tuple[Floats, Floats]:
    """Covariance of the contrasts, in strengths squared, and their degrees of freedom."""
    design = fit.design
    if design.size == 0:
        return np.zeros((0, 0)), np.zeros(0)
    prior_sd = None if fit.prior_sd is None else fit.prior_sd / ELO_PER_STRENGTH
    prior = prior_precision(design, prior_sd)
    inverse = design.invert(design.information(fit.params) + prior)
    squared = squared_counts(battles, fit, votes)
    if columns and votes is not None:
        meat, df = _clustered(votes, battles, columns, inverse, contrast)
    else:
        meat, df = squared.squared_scores(fit.params), np.full(len(contrast), np.inf)
    meat = _fill_still(meat, squared.information(fit.params), design.size)
    # The prior is one more independent observation of the strengths.
    half = contrast @ inverse
    covariance = half @ (meat + prior) @ half.T
    return (covariance + covariance.T) / 2, df


def _clustered(
    votes: VoteScores,
    battles: Battles,
    columns: tuple[str, ...],
    inverse: Floats,
    contrast: Floats,
) -> Sandwich:
    """One way, or both ways less their intersection, made positive where that is not."""

    def by(*names: str) -> Sandwich:
        return cluster_sandwich(votes, cluster_codes(votes, battles, names), inverse, contrast)

    ways = [by(name) for name in columns]
    if len(ways) == 1:
        return ways[0]
    meat = ways[0].meat + ways[1].meat - by(*columns).meat
    values, vectors = np.linalg.eigh(meat)
    positive = (vectors * np.maximum(values, 0)) @ vectors.T
    return Sandwich(positive, np.minimum(ways[0].df, ways[1].df))


def squared_counts(battles: Battles, fit: BradleyTerry, votes: VoteScores | None = None) -> Design:
    """The fit's pairs with sums of squared weights as counts."""
    design = fit.design
    if battles.unequal_weight is None:
        return design
    if not fit.covariates:
        sums = design.rules.apply(battles.pair_sums.squared_weights)
        rated = fit.ratings.notna().to_numpy()
        sides = fit.side
        counts = fold_pairs(sums[:, rated][:, :, rated], sides=sides)[2]
        return design.select(slice(None), counts)
    votes = votes or score_votes(battles, fit)
    return design.select(slice(None), votes.total(votes.weight**2))


def _fill_still(meat: Floats, expected: Floats, size: int) -> Floats:
    """Nothing but ties between equals leaves a model's scores without spread, and an interval
    without width: what the model expects stands in for its pairs.
    """
    still = np.diag(meat)[:size] <= _NO_SPREAD * np.diag(expected)[:size]
    if not still.any():
        return meat
    spread = np.where(still[:, None] | still[None, :], -expected[:size, :size], 0.0)
    np.fill_diagonal(spread, 0)
    filled = meat.copy()
    filled[:size, :size] += np.diag(spread.sum(axis=1)) - spread
    return filled


def _describe(
    fit: BradleyTerry,
    estimate: Floats,
    lower: Floats,
    upper: Floats,
    covariance: Floats,
    df: Floats,
    *,
    confidence: float,
    cluster: str | None,
    cluster_note: str | None,
    method: str,
    rounds: int,
    left_out: int,
    seed: int,
) -> Intervals:
    rated = fit.ratings.index[fit.ratings.notna()]
    size = len(rated)
    shift = fit.ratings[rated].to_numpy() - ELO_PER_STRENGTH * estimate[:size]
    covariance = covariance * ELO_PER_STRENGTH**2
    variance = np.maximum(np.diag(covariance), 0)

    def by_model(values: Floats, name: str) -> "pd.Series[float]":
        return pd.Series(values[:size], index=rated, name=name).reindex(fit.ratings.index)

    names = list(fit.effects.index)
    others = {"estimate": estimate, "lower": lower, "upper": upper}
    effects = pd.DataFrame({name: ELO_PER_STRENGTH * x[size:] for name, x in others.items()})
    effects["variance"] = variance[size:]
    if len(effects) > len(names):
        names.append(NEITHER_STRENGTH)
        moved = fit.neither - effects["estimate"].iloc[-1]
        effects.loc[len(names) - 1, ["estimate", "lower", "upper"]] += moved
    effects.index = pd.Index(names, name="effect")
    return Intervals(
        ratings=fit.ratings,
        lower=by_model(ELO_PER_STRENGTH * lower[:size] + shift, "rating_lower"),
        upper=by_model(ELO_PER_STRENGTH * upper[:size] + shift, "rating_upper"),
        variance=by_model(variance, "variance"),
        covariance=pd.DataFrame(covariance[:size, :size], index=rated, columns=rated),
        df=by_model(df, "df"),
        effects=effects,
        confidence=confidence,
        cluster=cluster,
        cluster_note=cluster_note,
        method=method,
        rounds=rounds,
        left_out=left_out,
        seed=seed,
    )
