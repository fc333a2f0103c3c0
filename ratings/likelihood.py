"""The likelihood of votes given strengths: probabilities, scores and information.

One family covers the tie rules (Davidson 1970). With the gap d between the strengths of a and b,

    a wins : exp(d / 2)      b wins : exp(-d / 2)      tie : nu

are the outcomes' weights, and their shares the probabilities. `davidson` estimates nu; `half` and
`drop` set nu = 0, where a half win to each side contributes half of either log-probability. The
log-likelihood is concave in strengths and log nu.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ratings.columns import Outcome
from ratings.errors import OptionError, RatingsError

Floats = NDArray[np.float64]

TIE_RULES = ("half", "davidson", "drop")
BOTH_BAD_RULES = ("tie", "drop")
UNEVEN = "the ratings do not settle: the weights of some votes are too far apart"


class Shares(NamedTuple):
    """Probabilities of each outcome for each gap, all of the gap's shape."""

    a: Floats
    b: Floats
    tie: Floats
    log_total: Floats


def pair_counts(tally: Floats, *, ties: str, both_bad: str) -> tuple[Floats, Floats]:
    """Wins of row over column, and ties (symmetric), under the rules; shape (m, m) each."""
    if ties == "rao-kupper":
        raise OptionError("ties='rao-kupper' is not there yet: use half, davidson or drop")
    if ties not in TIE_RULES:
        raise OptionError(f"ties must be one of {', '.join(TIE_RULES)}, not {ties!r}")
    if both_bad not in BOTH_BAD_RULES:
        raise OptionError(f"both_bad must be one of {', '.join(BOTH_BAD_RULES)}, not {both_bad!r}")
    wins = tally[Outcome.A] + tally[Outcome.B].T
    tied = np.zeros_like(wins) if ties == "drop" else tally[Outcome.TIE].copy()
    if both_bad == "tie" and ties != "drop":
        tied += tally[Outcome.BOTH_BAD]
    return wins, tied + tied.T


def outcome_shares(gap: Floats, log_nu: float) -> Shares:
    """Probabilities under strengths that differ by `gap`, any shape; log_nu may be -inf."""
    log_total = np.logaddexp(np.logaddexp(gap / 2, -gap / 2), log_nu)
    a, b = np.exp(gap / 2 - log_total), np.exp(-gap / 2 - log_total)
    return Shares(a, b, np.exp(log_nu - log_total), log_total)


def gap_residuals(shares: Shares) -> tuple[Floats, Floats, Floats]:
    """Derivative by the gap of the log-probability of: a wins, b wins, a tie."""
    return (
        shares.b + shares.tie / 2,
        -shares.a - shares.tie / 2,
        (shares.b - shares.a) / 2,
    )


def information(votes: Floats, shares: Shares, *, with_nu: bool) -> Floats:
    """Fisher information of strengths, then log nu if wanted, shape (m,) or (m + 1,) squared.

    Args:
        votes: weight of all votes on each pair, symmetric, shape (m, m).
        shares: at the gaps of all pairs, shape (m, m).
        with_nu: whether log nu is a parameter.
    """
    variance = shares.a * shares.b + (shares.a + shares.b) * shares.tie / 4
    strengths = laplacian(votes * variance)
    if not with_nu:
        return strengths
    cross = (votes * (shares.b - shares.a) / 2 * shares.tie).sum(axis=1)
    own = (votes * shares.tie * (shares.a + shares.b)).sum() / 2
    return np.block([[strengths, cross[:, None]], [cross[None, :], np.array([[own]])]])


def laplacian(pairs: Floats) -> Floats:
    """Sum of pairs[i, j] (e_i - e_j)(e_i - e_j)' over i < j, for symmetric pairs, (m, m)."""
    return np.diag(pairs.sum(axis=1)) - pairs


def invert(matrix: Floats, size: int) -> Floats:
    """Pseudo-inverse of an information matrix whose null vector is 1 on its first `size` places.

    The null direction is filled before inverting and emptied after: an eigenvalue cut-off lets
    it through on some data.
    """
    null = np.zeros((len(matrix), 1))
    null[:size] = 1 / np.sqrt(size)
    fill = np.trace(matrix) / size
    projection: Any = null @ null.T
    try:
        inverse: Floats = np.linalg.inv(matrix + fill * projection) - projection / fill
    except np.linalg.LinAlgError:
        raise RatingsError(UNEVEN) from None
    return inverse
