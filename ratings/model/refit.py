"""Refits to counts near those of an earlier fit, which may have no finite maximum."""

from typing import NamedTuple

import numpy as np

from ratings.arrays import Floats
from ratings.errors import RatingsError
from ratings.model.bradley_terry import BradleyTerry, prior_in_strengths
from ratings.model.connectivity import has_maximum, is_strongly_connected
from ratings.model.design import NEITHER_STRENGTH, TIE_PARAMETER, Design, prior_precision
from ratings.model.newton import maximise
from ratings.model.outcomes import OUTCOMES, win_matrix
from ratings.votes.columns import Outcome


class Prior(NamedTuple):
    """A fit's prior on strengths.

    Attributes:
        sd: standard deviation in strengths; None: no prior.
        precision: precision matrix, shape (n_params, n_params).
    """

    sd: float | None
    precision: Floats


def prior_of(fit: BradleyTerry) -> Prior:
    """The prior of a fit."""
    sd = prior_in_strengths(fit.prior_sd)
    return Prior(sd, prior_precision(fit.design, sd))


def refit(design: Design, *, prior_sd: float | None, start: Floats | None = None) -> Floats | None:
    """The parameters of other counts in the same pairs, shape (n_params,).

    Args:
        design: with the counts to fit.
        prior_sd: in strengths; None: no prior.
        start: initial parameters.

    Returns:
        None if a model is no longer connected to the others, an outcome with a parameter no longer
        occurs, or there is no finite maximum for another reason.
    """
    if prior_sd is None:
        answers = {TIE_PARAMETER: Outcome.TIE, NEITHER_STRENGTH: Outcome.BOTH_BAD}
        for name, answer in answers.items():
            if design.index_of(name) is not None and not design.counts[answer].any():
                return None
        if not is_strongly_connected(_win_matrix(design)) or not has_maximum(design):
            return None
    try:
        return maximise(design, prior_sd=prior_sd, start=start).params
    except RatingsError:
        return None


def _win_matrix(design: Design) -> Floats:
    """Wins plus half the ties of each model against each other, shape (size, size)."""
    size, counts = design.size, design.counts
    pair = design.left * size + design.right
    by_answer = [np.bincount(pair, answer, minlength=size * size) for answer in counts]
    return win_matrix(np.reshape(by_answer, (OUTCOMES, size, size)))
