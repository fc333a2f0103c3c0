"""Intervals of Bradley-Terry ratings: sandwich, bootstrap and profile likelihood.

The sandwich has the information H as its bread and the sum M of the outer products of the scores of
votes, or of clusters of votes, as its meat: cov = H^- M H^- (Huber 1967, White 1982). It remains
valid if Bradley-Terry is only approximately true, or a tie is counted as half a win.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ratings.arrays import Floats
from ratings.distributions import student_quantile
from ratings.errors import OptionError
from ratings.inference.bootstrap import ONE_WAY, resample
from ratings.inference.cluster_sums import ClusterSums
from ratings.inference.clusters import Sandwich, cluster_codes, cluster_sandwich
from ratings.inference.vote_scores import VoteScores, score_votes
from ratings.model.bradley_terry import ELO_PER_STRENGTH, BradleyTerry, check_same_votes
from ratings.model.design import NEITHER_STRENGTH, Design, fold_pairs
from ratings.model.outcomes import LOG_ODDS
from ratings.model.refit import prior_of
from ratings.schema import AUTOMATIC
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import Cluster, choose_clusters, find_cluster_columns

DEFAULT_ROUNDS = 1000
METHODS = ("sandwich", "bootstrap", "profile")
_USED = "the votes used, all between rated models,"
# A model whose squared scores are less than this share of its information has scores of zero, up to
# rounding errors.
_NO_VARIATION = 1e-12


@dataclass(frozen=True, eq=False)
class Intervals:
    """Intervals of ratings and every parameter used.

    Attributes:
        ratings: the ratings of the fit.
        lower: lower bounds, Elo points by model; NaN without a rating.
        upper: upper bounds, Elo points by model.
        variance: of the ratings, Elo points squared, by model.
        covariance: of the rated models, Elo points squared.
        df: degrees of freedom of each variance; infinite for normal intervals.
        effects: estimate, lower, upper and variance, in Elo points, of the fit's effects and of
            the rating of "neither", one row each.
        confidence: of each interval by itself.
        cluster: the columns that votes were clustered by, joined by " and "; None: every vote is
            independent.
        cluster_note: why a requested column was not used; None: it was.
        method: "sandwich", "bootstrap" or "profile".
        rounds: bootstrap rounds; 0 for other methods.
        left_out: bootstrap rounds without finite ratings, which are left out.
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
    cluster: Cluster = AUTOMATIC,
    method: str = "sandwich",
    rounds: int = DEFAULT_ROUNDS,
    seed: int = 0,
    sums: ClusterSums | None = None,
) -> Intervals:
    """Intervals around the ratings of `fit`, which must come from the same battles.

    Args:
        battles: the votes.
        fit: their ratings.
        confidence: probability that an interval contains the true rating, for each by itself.
        cluster: column whose values are independent of each other, such as "voter" or "prompt"
            (read from `evaluation_session_id` and `prompt_id` if there is no such column); two
            columns for two-way clustering (Cameron, Gelbach and Miller 2011); "auto", the default:
            voters, if there is a voter column, except for the profile. None: every vote is
            independent. A column in which all votes have the same value is not used;
            `cluster_note` says so.
        method: "sandwich"; "bootstrap" (percentiles of refits to resampled votes, or clusters);
            "profile" (likelihood ratio, by vote; for few votes, with ties as an outcome or left
            out).
        rounds: bootstrap rounds.
        seed: of the bootstrap.
        sums: over the clusters of these votes, instead of `cluster`: the same sandwich without
            the votes.

    Raises:
        OptionError: an unknown method or column, a confidence not between 0 and 1, or a fit of
            other votes.
        OutdatedSums: sums over clusters that must be built again.
    """
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, not {confidence:g}")
    if method not in METHODS:
        raise OptionError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    if method == "bootstrap" and rounds < 100:
        raise OptionError(f"a bootstrap needs at least 100 rounds, not {rounds}")
    check_same_votes(battles, fit)
    if method == "profile" and cluster == AUTOMATIC:
        cluster = None
    if sums is not None:
        if method != "sandwich":
            raise OptionError(f"sums over clusters give the sandwich, not the {method}")
        cluster = None
    requested = find_cluster_columns(battles.frame, cluster)
    if method == "profile" and requested:
        raise OptionError("profile intervals are by vote: leave out cluster, or use the sandwich")
    if method == "bootstrap" and len(requested) > 1:
        raise OptionError(ONE_WAY)
    votes = score_votes(battles, fit) if requested else None
    rows = None if votes is None else votes.rows
    columns, note = choose_clusters(battles.frame, rows, cluster, used=_USED)
    if sums is not None:
        columns = (sums.column,)

    contrast = _contrast(fit)
    covariance, df = _sandwich(battles, fit, columns, contrast, votes, sums)
    estimate = contrast @ fit.params
    # Where the scores of a few clusters cancel, rounding can leave a variance just below 0.
    error = np.sqrt(np.maximum(np.diag(covariance), 0))
    half_width = np.array(student_quantile(0.5 + confidence / 2, df)) * error
    lower, upper = estimate - half_width, estimate + half_width
    left_out = 0
    size = fit.design.size
    if method == "bootstrap" and size:
        squares = squared_counts(battles, fit).counts
        drawn = resample(battles, fit, squares, columns, rounds=rounds, seed=seed)
        left_out = rounds - len(drawn)
        if len(drawn) < 2:
            raise OptionError(
                "no resample of these votes has finite ratings: use the sandwich, or a prior"
            )
        drawn = drawn @ contrast.T
        covariance = np.atleast_2d(np.cov(drawn, rowvar=False))
        lower, upper = np.quantile(drawn, [0.5 - confidence / 2, 0.5 + confidence / 2], axis=0)
        df = np.full(len(contrast), np.inf)
    elif method == "profile" and size:
        from ratings.inference.profile import profile_bounds  # scipy.optimize loads slowly

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
    """Linear map from parameters to distances from the origin, then effects and "neither".

    The origin is the mean strength of the anchors, or of all models. Shape (m + effects, n_params).
    """
    design = fit.design
    names = fit.ratings.index[fit.ratings.notna()]
    origin = np.isin(names, list(fit.anchors)) if fit.anchors else np.ones(design.size, dtype=bool)
    mean = np.zeros(design.n_params)
    mean[: design.size] = origin / max(origin.sum(), 1)
    rows = [row - mean for row in np.eye(design.size, design.n_params)]
    for index, extra in enumerate(design.extras, start=design.size):
        unit = np.eye(1, design.n_params, index)[0]
        if extra.name == NEITHER_STRENGTH:
            rows.append(unit - mean)
        elif extra.acts_on == LOG_ODDS:
            rows.append(unit)
    return np.reshape(rows, (len(rows), design.n_params))


def _sandwich(
    battles: Battles,
    fit: BradleyTerry,
    columns: tuple[str, ...],
    contrast: Floats,
    votes: VoteScores | None,
    sums: ClusterSums | None,
) -> tuple[Floats, Floats]:
    """Covariance of the contrasts, in strengths squared, and their degrees of freedom."""
    design = fit.design
    if design.size == 0:
        return np.zeros((0, 0)), np.zeros(0)
    prior = prior_of(fit).precision
    inverse = design.invert(design.information(fit.params) + prior)
    squared = squared_counts(battles, fit, votes)
    if sums is not None:
        meat, df = sums.sandwich(fit, inverse, contrast)
    elif columns and votes is not None:
        meat, df = _clustered(votes, battles, columns, inverse, contrast)
    else:
        meat, df = squared.squared_scores(fit.params), np.full(len(contrast), np.inf)
    meat = _fill_constant(meat, squared.information(fit.params), design.size)
    # The prior acts as one more independent observation of the strengths.
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
    """One-way, or the sum of both ways minus their intersection, made positive semidefinite."""

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
    """The design of the fit, with sums of squared weights as counts."""
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


def _fill_constant(meat: Floats, expected: Floats, size: int) -> Floats:
    """Use the expected information of models whose scores are all zero.

    That happens if all votes of a model are ties between equals; its interval would have no width.
    """
    constant = np.diag(meat)[:size] <= _NO_VARIATION * np.diag(expected)[:size]
    if not constant.any():
        return meat
    off_diagonal = np.where(constant[:, None] | constant[None, :], -expected[:size, :size], 0.0)
    np.fill_diagonal(off_diagonal, 0)
    filled = meat.copy()
    filled[:size, :size] += np.diag(off_diagonal.sum(axis=1)) - off_diagonal
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
        shift_of_neither = fit.neither - effects["estimate"].iloc[-1]
        effects.loc[len(names) - 1, ["estimate", "lower", "upper"]] += shift_of_neither
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
