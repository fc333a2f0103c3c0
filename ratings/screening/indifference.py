"""Test for choices that are as unpredictable as a coin, whatever tastes honest voters have.

Two explanations of a voter's votes are compared by their likelihoods. An honest voter's log odds
are those of the ratings plus a taste for each model, a normal random effect with the variance that
is estimated over all voters; it is integrated out by Laplace's approximation, so that a voter of
unusual but consistent taste is explained well. A coin gives each side one half. By the lemma of
Neyman and Pearson no test of an honest voter against a coin is more powerful than the ratio

    E = 2^-n / probability of the votes of an honest voter.

E is also an e-value: its mean is at most 1 for honest voters. Its tail probability follows from
draws of the coin, P(E >= e | honest) = mean of 1/E over the draws with E >= e, which is accurate in
the tail (importance sampling; Siegmund 1976). Pairs whose answer is known, such as a clip against
its damaged copy, multiply E by the ratio of their probabilities.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, expit

from ratings.arrays import Codes, Floats, Mask
from ratings.screening.voter_habits import tie_rate
from ratings.screening.voter_tests import Choices

MIN_VOTES = 20
DRAWS = 400
_CANDIDATE = 1.5  # log E below which p is set to 1, which is always an upper bound
_MIN_VARIANCE = 1e-6  # of a taste, strengths squared
# exp(gap) averaged over normal tastes is flatter than the gap of one voter: the variance of a
# logistic distribution over that of the normal one nearest to it (Zeger, Liang and Albert 1988).
_FLATTENING = (16 * np.sqrt(3) / (15 * np.pi)) ** 2
_MAX_SIZE = 1e6  # a + b of a beta distribution that is a point


@dataclass(frozen=True, eq=False)
class Checks:
    """Pairs that an honest voter answers as expected nearly always, and a coin half of the time.

    Attributes:
        failed: how many each voter answered otherwise, shape (voters,).
        shown: how many each voter answered, shape (voters,).
    """

    failed: Codes
    shown: Codes


def indifference(
    choices: Choices,
    taste: float,
    *,
    checks: Sequence[Checks] = (),
    honest: Mask | None = None,
    min_votes: int = MIN_VOTES,
    seed: int = 0,
) -> Floats:
    """Test whether choices are as unpredictable as a coin; p-value of each voter, shape (voters,).

    Args:
        choices: the votes, whose `log_odds` are of the average voter.
        taste: variance of honest voters' tastes, in strengths squared.
        checks: of pairs with a known answer.
        honest: voters to learn from how often checks are failed, shape (voters,); None: all.
        min_votes: voters with fewer votes are not tested.
        seed: of the draws.

    Returns:
        NaN for voters who were not tested.
    """
    random = np.random.default_rng(seed)
    p = np.full(choices.voters, np.nan)
    known = np.ones(choices.voters, dtype=bool) if honest is None else honest
    tables = [_Ratios.of(each, known) for each in checks]
    order = np.argsort(choices.voter, kind="stable")
    votes = np.bincount(choices.voter, minlength=choices.voters)
    starts = np.cumsum(votes) - votes
    for voter in np.flatnonzero(votes >= min_votes):
        record = _Record(choices, order[starts[voter] :][: votes[voter]], taste)
        ratios = [table.of_voter(int(voter)) for table in tables]
        found = sum(ratio[failed] for ratio, failed in ratios)
        p[voter] = 1.0
        observed = float(record.log_ratio(record.won[None])[0]) + found
        if observed <= _CANDIDATE:
            continue
        tossed = random.integers(2, size=(DRAWS, len(record.won))).astype(float)
        drawn = record.log_ratio(tossed)
        for ratio, _ in ratios:
            drawn = drawn + ratio[random.binomial(len(ratio) - 1, 0.5, size=DRAWS)]
        above = drawn[drawn >= observed]
        tail = np.exp(-above).sum() / DRAWS if len(above) else np.exp(-observed)
        p[voter] = min(1.0, float(tail))
    return p


class _Record:
    """The votes of one voter, with the models numbered among those that it met."""

    def __init__(self, choices: Choices, votes: Codes, taste: float) -> None:
        models, sides = np.unique(
            np.concatenate([choices.left[votes], choices.right[votes]]), return_inverse=True
        )
        self.won = choices.won[votes]
        size = len(models)
        self.log_odds = choices.log_odds[votes] * np.sqrt(1 + 2 * taste * _FLATTENING)
        # The ratings' own error is like a taste that all voters but this one share.
        information = np.bincount(sides, np.tile(choices.information[votes], 2), minlength=size)
        others = np.maximum(choices.model_information[models] - information, 1e-12)
        variance = taste + np.minimum(1 / others, 1.0)
        precision = 1 / np.maximum(variance, _MIN_VARIANCE)
        rows = np.arange(len(votes))
        self.design = np.zeros((len(votes), size))
        self.design[rows, sides[: len(votes)]] += 1
        self.design[rows, sides[len(votes) :]] -= 1
        self.chance = expit(self.log_odds)
        weight = self.chance * (1 - self.chance)
        information = (self.design * weight[:, None]).T @ self.design + np.diag(precision)
        self.covariance = np.linalg.inv(information)
        self.volume = np.linalg.slogdet(information)[1] - np.log(precision).sum()

    def log_ratio(self, won: Floats) -> Floats:
        """Log E of each row of answers, shape (rows,), by Laplace's approximation.

        The likelihood is expanded at the mean taste, where all rows have the same information.
        """
        likelihood = won @ self.log_odds - np.logaddexp(0, self.log_odds).sum()
        score = (won - self.chance) @ self.design
        taste = ((score @ self.covariance) * score).sum(axis=1) / 2
        ratio: Floats = -len(self.won) * np.log(2) - likelihood - taste + self.volume / 2
        return ratio


@dataclass(frozen=True, eq=False)
class _Ratios:
    """What failed checks multiply E by; honest voters' shares of failures have a beta distribution.

    The binomial coefficients of both explanations cancel.
    """

    checks: Checks
    a: float
    b: float

    @classmethod
    def of(cls, checks: Checks, honest: Mask) -> "_Ratios":
        voter = np.repeat(np.arange(len(checks.shown)), checks.shown)
        first = np.repeat(np.cumsum(checks.shown) - checks.shown, checks.shown)
        is_failed = np.arange(len(voter)) - first < np.repeat(checks.failed, checks.shown)
        between = tie_rate(voter, is_failed, honest)[1]
        failed, shown = int(checks.failed[honest].sum()), int(checks.shown[honest].sum())
        mean = min((failed + 1) / (shown + 2), 0.5)
        size = mean * (1 - mean) / between - 1 if between > 0 else _MAX_SIZE
        size = float(np.clip(size, 1.0, _MAX_SIZE))
        return cls(checks, mean * size, (1 - mean) * size)

    def of_voter(self, voter: int) -> tuple[Floats, int]:
        """Log of the ratio for each number of failures, and the voter's number of failures."""
        shown = int(self.checks.shown[voter])
        failed = np.arange(shown + 1)
        honest = betaln(self.a + failed, self.b + shown - failed) - betaln(self.a, self.b)
        ratio: Floats = shown * np.log(0.5) - honest
        return ratio, int(self.checks.failed[voter])
