"""What a vote says of two strengths: the probability of each answer, and its derivatives.

Up to three numbers decide the answer to a battle: the `log_odds` d, left strength minus right; the
`tie` parameter; and the pull s of "neither is good". In the log-linear family the answers' weights
are

    left wins : exp(d / 2)    right wins : exp(-d / 2)    tie : nu    both bad : exp(s)

and their shares the probabilities. `davidson` estimates nu (Davidson 1970); `half` and `drop` have
nu = 0, where a tie contributes half of either side's log-probability. "Both bad" as an outcome of
its `own` is the choice of neither, at s = k - (left + right) / 2 with a strength k of its own
(Luce 1959). `rao-kupper` (1967) lets a side win only by a margin t > 0, the tie parameter:

    left wins : 1 / (1 + exp(t - d))    right wins : 1 / (1 + exp(t + d))    tie : what is left

All these log-likelihoods are concave in log_odds, tie parameter (log nu or t) and s together.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_expit

from ratings.arrays import Codes, Floats
from ratings.errors import OptionError
from ratings.schema import BOTH_BAD_RULES, TIE_RULES
from ratings.votes.columns import Outcome

LOG_ODDS, TIE, NEITHER = range(3)
OUTCOMES = len(Outcome)


@dataclass(frozen=True)
class Rules:
    """What a tie and a "both bad" count as.

    Raises:
        OptionError: a word that is none of the rules, or two that do not go together.
    """

    ties: str = "half"
    both_bad: str = "tie"

    def __post_init__(self) -> None:
        if self.ties not in TIE_RULES:
            raise OptionError(f"ties must be one of {', '.join(TIE_RULES)}, not {self.ties!r}")
        if self.both_bad not in BOTH_BAD_RULES:
            raise OptionError(
                f"both_bad must be one of {', '.join(BOTH_BAD_RULES)}, not {self.both_bad!r}"
            )
        if self.ties == "rao-kupper" and self.both_bad == "own":
            raise OptionError(
                "both_bad='own' needs an answer's share of all answers, which ties='rao-kupper' "
                "does not have: use davidson, half or drop"
            )

    @property
    def estimates_tie(self) -> bool:
        """Whether a tie is an outcome with a parameter."""
        return self.ties in {"davidson", "rao-kupper"}

    @property
    def used(self) -> tuple[Outcome, ...]:
        """The answers that say anything under these rules."""
        ties_too = self.ties != "drop"
        bad_too = self.both_bad == "own" or (self.both_bad == "tie" and ties_too)
        return (
            Outcome.A,
            Outcome.B,
            *((Outcome.TIE,) if ties_too else ()),
            *((Outcome.BOTH_BAD,) if bad_too else ()),
        )

    def read_as(self, outcome: Codes) -> Codes:
        """Each answer's place in `apply`'s result; only for answers that are `used`."""
        merged = np.arange(OUTCOMES)
        if self.both_bad == "tie":
            merged[Outcome.BOTH_BAD] = Outcome.TIE
        read: Codes = merged[outcome]
        return read

    def apply(self, counts: Floats) -> Floats:
        """Counts under the rules: what is left out is 0, what counts as a tie is there.

        Args:
            counts: by `Outcome` first, shape (4, ...).
        """
        ruled = np.zeros_like(counts)
        for outcome in self.used:
            ruled[self.read_as(np.array(outcome))] += counts[outcome]
        return ruled


def win_matrix(ruled: Floats) -> Floats:
    """What the row took off the column: a win 1, a tie 1/2 to both; (4, m, m) to (m, m)."""
    won, lost, tied, _ = ruled
    points: Floats = won + lost.T + (tied + tied.T) / 2
    return points


class Derivatives(NamedTuple):
    """Of each answer's log-probability, over cells c and by up to three numbers k and l."""

    log_share: Floats  # (4, *c)
    score: Floats  # (4, k, *c), first derivatives
    curvature: Floats  # (4, k, l, *c), minus the second derivatives; or (1, k, l, *c) for all four


def derivatives(
    ties: str, log_odds: Floats, tie: Floats | float, neither: Floats | None
) -> Derivatives:
    """Log-probabilities of the four answers, with first and second derivatives.

    Args:
        ties: one of `TIE_RULES`.
        log_odds: left minus right, any shape c.
        tie: log nu or Rao and Kupper's margin, a number or of a shape that spreads to c; -inf
            where a tie is no outcome of its own.
        neither: pull of "both bad", shape c; None where it is no outcome of its own.
    """
    if ties == "rao-kupper" and np.all(np.asarray(tie) > 0):
        return _rao_kupper(log_odds, tie)
    with_ties = ties == "davidson" and np.all(np.asarray(tie) > -np.inf)
    return _log_linear(log_odds, tie if with_ties else None, neither)


def _log_linear(
    log_odds: Floats, log_nu: Floats | float | None, neither: Floats | None
) -> Derivatives:
    """Multinomial logit: a score is the answer's own features minus their mean."""
    half = log_odds / 2
    log_total = np.logaddexp(half, -half)
    if log_nu is not None:
        log_total = np.logaddexp(log_total, log_nu)
    if neither is not None:
        log_total = np.logaddexp(log_total, neither)
    a, b = np.exp(half - log_total), np.exp(-half - log_total)
    drawn = np.zeros_like(log_odds) if log_nu is None else np.exp(log_nu - log_total)
    bad = np.zeros_like(log_odds) if neither is None else np.exp(neither - log_total)

    log_share = np.stack(
        [
            half - log_total,
            -half - log_total,
            (0.0 if log_nu is None else log_nu) - log_total,
            (0.0 if neither is None else neither) - log_total,
        ]
    )
    lean, unsplit = (a - b) / 2, (drawn + bad) / 2
    by_log_odds = np.stack([b + unsplit, -a - unsplit, -lean, -lean])
    # Sums of the others' shares, not 1 minus the own: no digits cancel where one is near 1.
    by_tie = np.stack([-drawn, -drawn, a + b + bad, -drawn])
    by_bad = np.stack([-bad, -bad, -bad, a + b + drawn])
    odds_odds = a * b + (a + b) * (drawn + bad) / 4
    odds_tie, odds_bad, tie_bad = -lean * drawn, -lean * bad, -drawn * bad
    curvature = np.array(
        [
            [odds_odds, odds_tie, odds_bad],
            [odds_tie, drawn * (a + b + bad), tie_bad],
            [odds_bad, tie_bad, bad * (a + b + drawn)],
        ]
    )
    return Derivatives(log_share, np.stack([by_log_odds, by_tie, by_bad], axis=1), curvature[None])


def _rao_kupper(log_odds: Floats, margin: Floats | float) -> Derivatives:
    """A tie is a loss of both sides by the margin: their log-probabilities add up, and a constant.

    P(tie) = (exp(2t) - 1) P(left wins) P(right wins), Rao and Kupper (1967), equation 2.6.
    """
    nothing = np.zeros_like(log_odds)
    left, right = log_odds - margin, -log_odds - margin
    lost_left, lost_right = expit(-left), expit(-right)
    log_left, log_right = log_expit(left), log_expit(right)
    grown = -np.expm1(-2 * margin)  # 1 - exp(-2t)
    log_width = 2 * margin + np.log(grown)
    log_share = np.stack([log_left, log_right, log_width + log_left + log_right, nothing])
    by_log_odds = np.stack([lost_left, -lost_right, lost_left - lost_right, nothing])
    by_margin = np.stack([-lost_left, -lost_right, 2 / grown - lost_left - lost_right, nothing])
    score = np.stack([by_log_odds, by_margin, np.zeros_like(by_log_odds)], axis=1)
    of_left, of_right = lost_left * expit(left), lost_right * expit(right)
    of_width = 4 * (1 - grown) / grown**2
    curvature = np.zeros((OUTCOMES, 3, 3, *log_odds.shape))
    curvature[Outcome.A, :2, :2] = [[of_left, -of_left], [-of_left, of_left]]
    curvature[Outcome.B, :2, :2] = [[of_right, of_right], [of_right, of_right]]
    curvature[Outcome.TIE] = curvature[Outcome.A] + curvature[Outcome.B]
    curvature[Outcome.TIE, 1, 1] += of_width
    return Derivatives(log_share, score, curvature)
