"""The probability of each answer to a battle, given two strengths, and its derivatives.

Up to three predictors determine the answer: the `log_odds` d, left strength minus right; the `tie`
parameter (log nu, or the margin t: `BradleyTerry.tie_parameter` reports nu or theta = exp(t));
and the log-weight s of "neither is good". In the log-linear family the answers have the
weights

    left wins : exp(d / 2)    right wins : exp(-d / 2)    tie : nu    both bad : exp(s)

and their probabilities are proportional to these. `davidson` estimates nu (Davidson 1970).
Under `half` and `drop` nu is 0: under `half` a tie contributes the mean of both sides'
log-probabilities, under `drop` nothing. With "both bad"
as its `own` outcome, the choice of neither, s = k - (left + right) / 2, with k the strength of
neither (Luce 1959). Under `rao-kupper` (1967) a side wins only by a margin t > 0, the tie
parameter:

    left wins : 1 / (1 + exp(t - d))    right wins : 1 / (1 + exp(t + d))    tie : the remainder

All these log-likelihoods are concave in log odds, tie parameter (log nu or t) and s jointly.
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
class OutcomeRules:
    """How ties and "both bad" count.

    Attributes:
        ties: one of `TIE_RULES`.
        both_bad: one of `BOTH_BAD_RULES`.

    Raises:
        OptionError: an unknown rule, or two rules that cannot be combined.
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
                "both_bad='own' needs a model in which answers have weights, which "
                "ties='rao-kupper' is not: use davidson, half or drop"
            )

    @property
    def estimates_tie(self) -> bool:
        """Whether a tie is its own outcome, with a parameter."""
        return self.ties in {"davidson", "rao-kupper"}

    @property
    def used(self) -> tuple[Outcome, ...]:
        """The answers that count under these rules."""
        with_ties = self.ties != "drop"
        with_bad = self.both_bad == "own" or (self.both_bad == "tie" and with_ties)
        return (
            Outcome.A,
            Outcome.B,
            *((Outcome.TIE,) if with_ties else ()),
            *((Outcome.BOTH_BAD,) if with_bad else ()),
        )

    def counted_as(self, outcome: Codes) -> Codes:
        """The outcome that each answer counts as; only for answers that are `used`."""
        merged = np.arange(OUTCOMES)
        if self.both_bad == "tie":
            merged[Outcome.BOTH_BAD] = Outcome.TIE
        read: Codes = merged[outcome]
        return read

    def apply(self, counts: Floats) -> Floats:
        """Counts under the rules: 0 for answers left out, ties including "both bad" read as ties.

        Args:
            counts: by `Outcome` along the first axis, shape (4, ...).
        """
        ruled = np.zeros_like(counts)
        for outcome in self.used:
            ruled[self.counted_as(np.array(outcome))] += counts[outcome]
        return ruled


def win_matrix(ruled: Floats) -> Floats:
    """The row's wins plus half its ties against the column, from (4, m, m) to (m, m)."""
    won, lost, tied, _ = ruled
    wins: Floats = won + lost.T + (tied + tied.T) / 2
    return wins


class Derivatives(NamedTuple):
    """Log-probabilities of the four answers in pairs c, and derivatives by predictors k and l."""

    log_probability: Floats  # (4, *c)
    score: Floats  # (4, k, *c), first derivatives
    curvature: Floats  # (4, k, l, *c), minus the second derivatives; or (1, k, l, *c) for all four


def derivatives(
    ties: str, log_odds: Floats, tie: Floats | float, neither: Floats | None
) -> Derivatives:
    """Log-probabilities of the four answers, with first and second derivatives.

    Args:
        ties: one of `TIE_RULES`.
        log_odds: left minus right, any shape c.
        tie: log nu or Rao and Kupper's margin, of a shape that broadcasts to c; -inf if a tie is
            not its own outcome.
        neither: log-weight of "both bad", shape c; None if it is not its own outcome.
    """
    if ties == "rao-kupper" and np.all(np.asarray(tie) > 0):
        return _rao_kupper(log_odds, tie)
    with_ties = ties == "davidson" and np.all(np.asarray(tie) > -np.inf)
    return _log_linear(log_odds, tie if with_ties else None, neither)


def _log_linear(
    log_odds: Floats, log_nu: Floats | float | None, neither: Floats | None
) -> Derivatives:
    """Multinomial logit: a score is an answer's features minus their mean."""
    half = log_odds / 2
    log_total = np.logaddexp(half, -half)
    if log_nu is not None:
        log_total = np.logaddexp(log_total, log_nu)
    if neither is not None:
        log_total = np.logaddexp(log_total, neither)
    a, b = np.exp(half - log_total), np.exp(-half - log_total)
    drawn = np.zeros_like(log_odds) if log_nu is None else np.exp(log_nu - log_total)
    bad = np.zeros_like(log_odds) if neither is None else np.exp(neither - log_total)

    log_probability = np.stack(
        [
            half - log_total,
            -half - log_total,
            # Without a tie parameter no vote is a tie, and this row is multiplied by counts of 0.
            (0.0 if log_nu is None else log_nu) - log_total,
            (0.0 if neither is None else neither) - log_total,
        ]
    )
    lean, unsplit = (a - b) / 2, (drawn + bad) / 2
    by_log_odds = np.stack([b + unsplit, -a - unsplit, -lean, -lean])
    # Sums of the other probabilities, not 1 minus this one: no cancellation where one is near 1.
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
    return Derivatives(
        log_probability, np.stack([by_log_odds, by_tie, by_bad], axis=1), curvature[None]
    )


def _rao_kupper(log_odds: Floats, margin: Floats | float) -> Derivatives:
    """A tie means that both sides miss the margin: their log-probabilities add, plus a constant.

    P(tie) = (exp(2t) - 1) P(left wins) P(right wins), Rao and Kupper (1967), equation 2.6.
    """
    zero = np.zeros_like(log_odds)
    left, right = log_odds - margin, -log_odds - margin
    lost_left, lost_right = expit(-left), expit(-right)
    log_left, log_right = log_expit(left), log_expit(right)
    complement = -np.expm1(-2 * margin)  # 1 - exp(-2t)
    log_factor = 2 * margin + np.log(complement)
    log_probability = np.stack([log_left, log_right, log_factor + log_left + log_right, zero])
    by_log_odds = np.stack([lost_left, -lost_right, lost_left - lost_right, zero])
    by_margin = np.stack([-lost_left, -lost_right, 2 / complement - lost_left - lost_right, zero])
    score = np.stack([by_log_odds, by_margin, np.zeros_like(by_log_odds)], axis=1)
    left_curvature, right_curvature = lost_left * expit(left), lost_right * expit(right)
    tie_curvature = 4 * (1 - complement) / complement**2
    curvature = np.zeros((OUTCOMES, 3, 3, *log_odds.shape))
    curvature[Outcome.A, :2, :2] = [
        [left_curvature, -left_curvature],
        [-left_curvature, left_curvature],
    ]
    curvature[Outcome.B, :2, :2] = right_curvature
    curvature[Outcome.TIE] = curvature[Outcome.A] + curvature[Outcome.B]
    curvature[Outcome.TIE, 1, 1] += tie_curvature
    return Derivatives(log_probability, score, curvature)
