"""The rules that look at a voter's votes: p-values of each voter, and which voters they hold.

A voter is tested in one track, against the other voters of that track. The tests of
`ratings.screening` allow for tastes, sides and speeds in which honest voters differ; the p-value of
a voter is the smallest of its tests times their number. Voters are held at a false discovery rate
(Benjamini and Hochberg 1995): what readers need to know is the share of honest voters among the
held, which are shown with their votes and can be released. Holm's procedure would bound the
probability of a single false alarm among all voters, and with 100,000 of them find nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import bdtr, bdtrc, expit

import ratings
from arena.models import HoldRule
from ratings.inference.proportions import false_discovery_rates
from ratings.model.bradley_terry import ELO_PER_STRENGTH
from ratings.screening.indifference import Checks, indifference
from ratings.screening.voter_habits import tie_rate
from ratings.screening.voter_tests import Choices, taste_variance
from ratings.votes.columns import Outcome

# Tests of `ratings.screen_voters` by the rules that they stand for.
TESTS = {
    HoldRule.AGREEMENT: "disagreement",
    HoldRule.FAVOURITISM: "favouritism",
    HoldRule.CONCENTRATION: "repetition",
    HoldRule.SPEED: "speed",
}
# Rules whose false alarms are controlled together.
TESTED = (*TESTS, HoldRule.REPETITION, HoldRule.HONEY)
RATE = 0.01  # of honest voters among the held
RELEASE_RATE = 0.1  # votes are released once the voter's q-value is above: so nothing flips
MIN_VOTES = 5  # below it, no test could find anything
# A record that a coin explains better than the ratings and any taste is held at this p-value, which
# is not shared with the other tests: it is rare among honest voters, and the same in every track.
COIN_P, COIN_RELEASE_P = 0.002, 0.01
COIN_ROUNDS = 3  # of computing the ratings without such voters
# The band of the left share is one of its own, which is published: 99.9% of a fair coin.
SIDE_VOTES, SIDE_P, SIDE_RELEASE_P = 30, 0.001, 0.01
MIN_RETESTS = 4  # repeats, and pairs with a damaged copy, from which on a voter is tested
LEFT, RIGHT = "model_a", "model_b"


@dataclass(frozen=True)
class Retests:
    """How often voters failed what they should pass: repeats, or pairs with a damaged copy.

    Attributes:
        failed: number by voter.
        shown: number by voter.
    """

    failed: Mapping[int, int]
    shown: Mapping[int, int]


NO_RETESTS = Retests({}, {})


def voter_p_values(
    votes: pd.DataFrame, *, repeats: Retests = NO_RETESTS, honey: Retests = NO_RETESTS
) -> pd.DataFrame:
    """Test every voter of a track.

    Args:
        votes: `model_a, model_b, winner, voter`, and perhaps `decided_ms, clip_a, clip_b,
            probability`, in the order of votes, of voters to test and to compare them with.
        repeats: deliberate repeats that were answered differently.
        honey: pairs of a clip and its damaged copy, of which the copy was not rejected.

    Returns:
        By voter: `votes`; a p-value for each rule of `TESTED`, NaN where it could not be tested;
        `model`, the most favoured or disfavoured one; `left`, the share of votes for the left side,
        and `left_p`, its p-value; `coin_p`, how likely an honest voter is to look as much like a
        coin.
    """
    battles = ratings.Battles.from_frame(votes)
    fit = ratings.bradley_terry(battles, "half")
    try:
        found = ratings.screen_voters(
            battles, fit, by="voter", tests=tuple(TESTS.values()), min_votes=MIN_VOTES
        ).voters
        table = pd.DataFrame({rule.value: found[test] for rule, test in TESTS.items()})
        table.insert(0, "votes", found["votes"])
        table["model"] = found["model"]
    except ratings.RatingsError:  # fewer than two rated models
        counted = votes.groupby("voter", observed=True).size()
        table = pd.DataFrame({"votes": counted, "model": ""})
        table[[rule.value for rule in TESTS]] = np.nan
    voters = table.index.to_numpy()
    table[HoldRule.REPETITION.value] = _retest(voters, repeats)
    table[HoldRule.HONEY.value] = _retest(voters, honey)
    return table.join(_sides(votes)).join(_coins(votes, repeats, honey))


def _counts(voters: Any, retests: Retests) -> tuple[Any, Any]:
    """How many retests each voter failed and was shown."""
    shown = np.array([retests.shown.get(int(voter), 0) for voter in voters], dtype=np.intp)
    failed = np.array([retests.failed.get(int(voter), 0) for voter in voters], dtype=np.intp)
    return np.minimum(failed, shown), shown


def _retest(voters: Any, retests: Retests) -> Any:
    """P-values of failing more often than honest voters, who differ, do."""
    failed, shown = _counts(voters, retests)
    p = np.full(len(voters), np.nan)
    if not shown.any():
        return p
    voter = np.repeat(np.arange(len(voters)), shown)
    first = np.repeat(np.cumsum(shown) - shown, shown)
    is_failed = np.arange(len(voter)) - first < np.repeat(failed, shown)
    honest = np.ones(len(voters), dtype=bool)
    for _ in range(3):  # again without those who fail far too often
        p = tie_rate(voter, is_failed, honest)[0]
        usual = ~(p < RATE / max(len(voters), 1))
        if not is_failed[usual[voter]].any():  # of a rate of 0, nothing would be surprising
            break
        honest = usual
    p[shown < MIN_RETESTS] = np.nan
    return p


def _coins(votes: pd.DataFrame, *retests: Retests) -> pd.DataFrame:
    """How well a coin explains each voter's choices, as a p-value of honest voters.

    The ratings are of all votes but those of such voters, so that these do not flatten them.
    """
    decided = votes[votes["winner"].astype(str).isin([LEFT, RIGHT])]
    voters, code = np.unique(decided["voter"].to_numpy(), return_inverse=True)
    models = sorted({*decided[LEFT].astype(str), *decided[RIGHT].astype(str)})
    left, right = (
        pd.Categorical(decided[side].astype(str), categories=models).codes.astype(np.intp)
        for side in (LEFT, RIGHT)
    )
    won = (decided["winner"].astype(str) == LEFT).to_numpy()
    checks = [Checks(*_counts(voters, each)) for each in retests if each.shown]
    p = np.full(len(voters), np.nan)
    usual = np.ones(len(voters), dtype=bool)
    for _ in range(COIN_ROUNDS):
        choices = _choices(tuple(models), code, left, right, won, usual)
        if choices is None:
            break
        taste = taste_variance(choices, usual)
        p = indifference(choices, taste, checks=checks, honest=usual)
        before, usual = usual, ~(p < COIN_RELEASE_P)
        if (before == usual).all():
            break
    return pd.DataFrame({"coin_p": p}, index=pd.Index(voters, name="voter"))


def _choices(
    models: tuple[str, ...], voter: Any, left: Any, right: Any, won: Any, usual: Any
) -> Choices | None:
    """All votes, with the ratings of usual voters; None if there are no ratings."""
    used = usual[voter]
    battles = ratings.Battles.from_codes(
        models, left[used], right[used], np.where(won[used], Outcome.A, Outcome.B)
    )
    try:
        fit = ratings.bradley_terry(battles, "drop")
    except ratings.RatingsError:
        return None
    strength = fit.ratings.reindex(list(models)).to_numpy(dtype=float) / ELO_PER_STRENGTH
    gap = np.nan_to_num(strength[left] - strength[right])
    chance = expit(gap)
    information = np.bincount(
        np.concatenate([left, right]),
        np.tile(chance * (1 - chance) * used, 2),
        minlength=len(models),
    ).astype(np.float64)
    return Choices(
        voter, len(usual), left, right, len(models), won.astype(float), gap, information
    ).calibrated(usual)


def _sides(votes: pd.DataFrame) -> pd.DataFrame:
    """Share of each voter's votes for the left side, and its two-sided p-value for a fair coin."""
    winner = votes["winner"].astype(str).to_numpy()
    voter = votes["voter"].to_numpy()
    decided = (winner == LEFT) | (winner == RIGHT)
    voters, code = np.unique(voter, return_inverse=True)
    number = np.bincount(code, decided, minlength=len(voters))
    left = np.bincount(code, winner == LEFT, minlength=len(voters))
    tails = np.minimum(
        bdtr(left, number.astype(int), 0.5), bdtrc(left - 1, number.astype(int), 0.5)
    )
    p = np.where(number >= SIDE_VOTES, np.minimum(1, 2 * tails), np.nan)
    share = np.divide(left, number, out=np.full(len(voters), np.nan), where=number > 0)
    return pd.DataFrame({"left": share, "left_p": p}, index=pd.Index(voters, name="voter"))


def flag(table: pd.DataFrame, *, rate: float = RATE) -> pd.DataFrame:
    """Add `p`, `q`, `rule` (why the voter is held; empty: it is not) and `keeps` to a table.

    Args:
        table: from `voter_p_values`, of all voters of a track.
        rate: allowed share of honest voters among the held.

    Returns:
        The table; `keeps` says whether a voter that is held stays so.
    """
    flagged = table.copy()
    p = flagged[[rule.value for rule in TESTED]].to_numpy(dtype=float)
    made, known = (~np.isnan(p)).sum(axis=1), np.where(np.isnan(p), 1.0, p)
    smallest = np.minimum(1, known.min(axis=1, initial=1.0) * made)
    flagged["p"] = np.where(made > 0, smallest, np.nan)
    flagged["q"] = q = false_discovery_rates(flagged["p"].to_numpy(dtype=float))
    names = np.array([rule.value for rule in TESTED], dtype=object)
    rule = np.where(q <= rate, names[np.argmin(known, axis=1)], "")
    is_one_sided = (flagged["left_p"] < SIDE_P).to_numpy(dtype=bool)
    rule = np.where(is_one_sided & (rule == ""), HoldRule.ONE_SIDED.value, rule)
    is_coin = (flagged["coin_p"] < COIN_P).to_numpy(dtype=bool)
    flagged["rule"] = np.where(is_coin & (rule == ""), HoldRule.AGREEMENT.value, rule)
    stays_one_sided = (flagged["left_p"] < SIDE_RELEASE_P).to_numpy(dtype=bool)
    stays = stays_one_sided | (flagged["coin_p"] < COIN_RELEASE_P).to_numpy(dtype=bool)
    flagged["keeps"] = (flagged["q"] <= RELEASE_RATE).to_numpy(dtype=bool) | stays
    return flagged
