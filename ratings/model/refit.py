"""Fits to counts near those of an earlier fit, where there may be nothing to find."""

from typing import NamedTuple

import numpy as np

from ratings.arrays import Floats
from ratings.errors import RatingsError
from ratings.model.bradley_terry import ELO_PER_STRENGTH, BradleyTerry
from ratings.model.connectivity import has_maximum, largest_component
from ratings.model.design import NEITHER_STRENGTH, TIE_PARAMETER, Design, prior_precision
from ratings.model.newton import maximise
from ratings.model.outcomes import OUTCOMES, win_matrix
from ratings.votes.columns import Outcome


class Prior(NamedTuple):
    """A fit's prior on strengths."""

    sd: float | None  # in strengths; None is no prior
    precision: Floats  # (n_params, n_params)


def prior_of(fit: BradleyTerry) -> Prior:
    """The prior that a fit was made with."""
    sd = None if fit.prior_sd is None else fit.prior_sd / ELO_PER_STRENGTH
    return Prior(sd, prior_precision(fit.design, sd))


def refit(design: Design, *, prior_sd: float | None, start: Floats | None = None) -> Floats | None:
    """The parameters of other counts in the same pairs, shape (n_params,).

    Args:
        design: with the counts to fit.
        prior_sd: in strengths; None is no prior.
        start: where to begin.

    Returns:
        None where a model has lost its connection to the others, an answer that has a parameter
        is gone, or the maximum is not finite for another reason.
    """
    if prior_sd is None:
        answers = {TIE_PARAMETER: Outcome.TIE, NEITHER_STRENGTH: Outcome.BOTH_BAD}
        for name, answer in answers.items():
            if design.index_of(name) is not None and not design.counts[answer].any():
                return None
        if not largest_component(_points(design)).all() or not has_maximum(design):
            return None
    try:
        return maximise(design, prior_sd=prior_sd, start=start).params
    except RatingsError:
        return None


def _points(design: Design) -> Floats:
    """What each model took off each other, shape (size, size)."""
    size, counts = design.size, design.counts
    pair = design.left * size + design.right
    by_answer = [np.bincount(pair, answer, minlength=size * size) for answer in counts]
    return win_matrix(np.reshape(by_answer, (OUTCOMES, size, size)))
