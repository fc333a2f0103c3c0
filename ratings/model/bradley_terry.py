"""Bradley-Terry ratings by maximum likelihood.

`outcomes` models a single answer, `design` the likelihood of vote counts, `newton` maximises it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ratings.arrays import Floats, Mask
from ratings.errors import OptionError
from ratings.model.connectivity import has_maximum, is_identified, largest_component
from ratings.model.covariates import check_covariate_columns, covariate_pairs
from ratings.model.design import (
    NEITHER_STRENGTH,
    SIDE,
    TIE_PARAMETER,
    Design,
    Extra,
    fold_pairs,
    standard_extras,
)
from ratings.model.newton import Maximum, maximise
from ratings.model.outcomes import LOG_ODDS, OutcomeRules, win_matrix
from ratings.votes.battles import Battles

ELO_PER_STRENGTH = 400 / np.log(10)  # 400 points are odds of ten to one
MEAN_RATING = 1000.0
_MAX_RATING = 1e6
_SAME_WEIGHT = 1e-9  # relative rounding error of sums of weights in different orders


@dataclass(frozen=True, eq=False)
class BradleyTerry:
    """A fitted model and every parameter used.

    Attributes:
        ratings: Elo points by model; NaN for models that cannot be rated.
        ties: "half", "davidson", "rao-kupper" or "drop".
        both_bad: "tie", "drop" or "own".
        anchors: the fixed ratings; with several, their mean is fixed.
        tie_parameter: Davidson's nu (0 without ties) or Rao and Kupper's theta (1 without ties);
            NaN under the other rules.
        effects: Elo points of the effects other than ratings: "side" is the left side's advantage,
            a covariate's name the effect of one standard deviation of its difference.
        neither: rating of "neither is good" under both_bad="own": a pair of clips with this rating
            is called bad as often as either of them wins; NaN under the other rules.
        side: whether the left side's advantage was estimated.
        covariates: names of the covariates.
        prior_sd: standard deviation of the normal prior on ratings about their mean, in Elo
            points; None: no prior.
        log_likelihood: at the maximum, over the votes among rated models.
        steps: Newton steps taken.
        pair_weights: sums of weights of the votes, `Battles.pair_sums.weights`.
        design: the counted votes among the rated models.
        params: the maximum-likelihood parameters of `design`.
    """

    ratings: "pd.Series[float]"
    ties: str
    both_bad: str
    anchors: dict[str, float]
    tie_parameter: float
    effects: "pd.Series[float]"
    neither: float
    side: bool
    covariates: tuple[str, ...]
    prior_sd: float | None
    log_likelihood: float
    steps: int
    pair_weights: Floats
    design: Design
    params: Floats


def bradley_terry(
    battles: Battles,
    ties: str = "half",
    *,
    both_bad: str = "tie",
    anchors: Mapping[str, float] | None = None,
    side: bool = False,
    covariates: Sequence[str] = (),
    prior_sd: float | None = None,
    start: "BradleyTerry | None" = None,
) -> BradleyTerry:
    """Fit ratings on the Elo scale (400, base 10); mean 1000 over the rated models, or anchored.

    The models of the largest strongly connected component are rated, from the votes among them;
    with a prior, all models are.

    Args:
        battles: the votes.
        ties: a tie is "half" a win to each, its own outcome ("davidson", Davidson 1970;
            "rao-kupper", Rao and Kupper 1967), or left out ("drop").
        both_bad: "both bad" counts as a "tie", is left out ("drop"), or is its "own" outcome, the
            choice of neither, which implies that both are weak (Luce 1959).
        anchors: ratings to fix, by model; with several, their mean is fixed.
        side: whether to estimate the left side's advantage (Davidson and Beaver 1977).
        covariates: names of clip properties to control for; `duration` requires columns
            `duration_a` and `duration_b`, or a column `duration` of differences.
        prior_sd: light regularisation: standard deviation, in Elo points, of a normal prior on each
            rating's distance from the mean.
        start: an earlier fit to start from; affects the run time, not the result.

    Raises:
        OptionError: an unknown rule, an anchor that is not rated, or a covariate or side effect
            that these votes cannot identify.
    """
    rules = OutcomeRules(ties, both_bad)
    reserved = {SIDE, TIE_PARAMETER, NEITHER_STRENGTH} & set(covariates)
    if reserved:
        raise OptionError(f"a covariate cannot be called {min(reserved)!r}: rename its columns")
    if covariates:
        check_covariate_columns(battles.frame, covariates)
    if prior_sd is not None and not (prior_sd > 0 and np.isfinite(prior_sd)):
        raise OptionError(f"prior_sd must be a number above 0 Elo points, not {prior_sd}")
    pair_weights = rules.apply(battles.pair_sums.weights)
    all_models = np.ones(len(battles.models), dtype=bool)
    rated = largest_component(win_matrix(pair_weights)) if prior_sd is None else all_models
    design = _design(battles, rules, rated, pair_weights, side=side, covariates=tuple(covariates))
    if (
        rated.any()
        and design.counts.any()
        and not is_identified(design, prior=prior_sd is not None)
    ):
        raise OptionError(_unidentified(side, covariates))
    if prior_sd is None and not covariates and not has_maximum(design):
        rated = np.zeros_like(all_models)
        design = _design(battles, rules, rated, pair_weights, side=side, covariates=())
    first = None
    if start is not None and start.design.n_params == design.n_params:
        first = start.params if (start.ratings.notna().to_numpy() == rated).all() else None
    maximum = maximise(
        design,
        prior_sd=prior_in_strengths(prior_sd),
        start=first,
    )
    return _describe(battles, design, maximum, rated, dict(anchors or {}), covariates, prior_sd)


def check_same_votes(battles: Battles, fit: BradleyTerry) -> None:
    """Check that a fit is of these votes, by their sufficient statistics.

    Raises:
        OptionError: the models or the sums of votes differ.
    """
    current, fitted = battles.pair_sums.weights, fit.pair_weights
    if tuple(fit.ratings.index) != battles.models:
        raise OptionError("the fit is of other models than these votes: fit these votes")
    if current is not fitted and not np.allclose(current, fitted, rtol=_SAME_WEIGHT, atol=0):
        raise OptionError("the fit is of other votes: fit these votes")


def prior_in_strengths(prior_sd: float | None) -> float | None:
    """A prior's standard deviation in strengths, from Elo points; None: no prior."""
    return None if prior_sd is None else prior_sd / ELO_PER_STRENGTH


def unrated_reason(battles: Battles, fit: BradleyTerry) -> str | None:
    """Why no model is rated, as a clause; None if any is."""
    if fit.design.size:
        return None
    if not len(battles):
        return "there are no votes"
    pair_weights = fit.design.rules.apply(battles.pair_sums.weights)
    if not pair_weights.any():
        return "the rules leave out all votes"
    if not largest_component(win_matrix(pair_weights)).any():
        return (
            "no two models are connected by wins in both directions, directly or through other "
            "models (an upset or a tie would connect them; so would a prior)"
        )
    return (
        "with so few votes, the likelihood of the ratings and the other parameters has no finite "
        "maximum (use ties='half' or a prior)"
    )


def place_on_scale(ratings: "pd.Series[float]", anchors: Mapping[str, float]) -> "pd.Series[float]":
    """Shift ratings so that the anchors have the given mean, or all ratings the mean 1000."""
    values: Floats = np.asarray(ratings, dtype=np.float64)
    shift = _shift(values, tuple(map(str, ratings.index)), anchors)
    return pd.Series(values + shift, index=ratings.index, name=ratings.name)


def _shift(values: Floats, models: tuple[str, ...], anchors: Mapping[str, float]) -> float:
    """The constant to add to all ratings, some of them NaN, to fix the scale."""
    if not anchors:
        rated = values[~np.isnan(values)]
        return MEAN_RATING - float(rated.mean()) if len(rated) else 0.0
    anchored = []
    for name, value in anchors.items():
        if not abs(value) <= _MAX_RATING:
            raise OptionError(
                f"the anchor {name!r} is set to {value}, which is not a rating; use a number from "
                f"-{_MAX_RATING:,.0f} to {_MAX_RATING:,.0f}"
            )
        if name not in models:
            raise OptionError(f"the anchor {name!r} is not a model of these votes")
        anchored.append(values[models.index(name)])
        if np.isnan(anchored[-1]):
            raise OptionError(f"the anchor {name!r} cannot be rated from these votes")
    return float(np.mean(list(anchors.values())) - np.mean(anchored))


def _design(
    battles: Battles,
    rules: OutcomeRules,
    rated: Mask,
    pair_weights: Floats,
    *,
    side: bool,
    covariates: tuple[str, ...],
) -> Design:
    """The votes among the rated models, counted under the rules."""
    columns: Sequence[Extra] = ()
    if covariates and rated.any():
        left, right, counts, columns, _ = covariate_pairs(battles, rules, rated, covariates)
    else:
        left, right, counts = fold_pairs(pair_weights[:, rated][:, :, rated], sides=side)
    extras = standard_extras(rules, counts, side=side and bool(rated.any()), covariates=columns)
    return Design(int(rated.sum()), left, right, counts, rules, extras)


def _unidentified(side: bool, covariates: Sequence[str]) -> str:
    effects = [*(["the side's advantage"] if side else []), *map(repr, covariates)]
    return (
        f"{' and '.join(effects)} cannot be separated from the strengths: it never varies within "
        "a pair of models, or only together with another effect; leave it out"
    )


def _describe(
    battles: Battles,
    design: Design,
    maximum: Maximum,
    rated: Mask,
    anchors: dict[str, float],
    covariates: Sequence[str],
    prior_sd: float | None,
) -> BradleyTerry:
    values = np.full(len(rated), np.nan)
    values[rated] = ELO_PER_STRENGTH * maximum.params[: design.size]
    shift = _shift(values, battles.models, anchors)
    models = pd.Index(battles.models, name="model", dtype=object)
    ratings = pd.Series(values + shift, index=models, name="rating")
    effects = {
        extra.name: ELO_PER_STRENGTH * maximum.params[index]
        for index, extra in enumerate(design.extras, start=design.size)
        if extra.acts_on == LOG_ODDS
    }
    tie, neither = design.index_of(TIE_PARAMETER), design.index_of(NEITHER_STRENGTH)
    tie_parameter = np.nan
    if design.rules.estimates_tie and design.size:
        no_ties = 0.0 if design.rules.ties == "davidson" else 1.0
        tie_parameter = no_ties if tie is None else float(np.exp(maximum.params[tie]))
    return BradleyTerry(
        ratings=ratings,
        ties=design.rules.ties,
        both_bad=design.rules.both_bad,
        anchors=anchors,
        tie_parameter=tie_parameter,
        effects=pd.Series(effects, name="effect", dtype=float),
        neither=np.nan if neither is None else ELO_PER_STRENGTH * maximum.params[neither] + shift,
        side=SIDE in effects,
        covariates=tuple(covariates),
        prior_sd=prior_sd,
        log_likelihood=maximum.log_likelihood,
        steps=maximum.steps,
        pair_weights=battles.pair_sums.weights,
        design=design,
        params=maximum.params,
    )
