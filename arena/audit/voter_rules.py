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
from ratings.model.bradley_terry import ELO_PER_STRENGTH
from ratings.screening.anomalies import flag_voters
from ratings.screening.voter_habits import tie_rate
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
# A record as surprising as this, in standard deviations under the ratings, is held whatever tastes
# there are: the tests above allow for tastes, and so for voters who toss a coin.
SURPRISE_VOTES, SURPRISE, SURPRISE_RELEASE = 20, 3.5, 3.0
SURPRISE_ROUNDS = 5  # of computing the ratings without surprising voters
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
        and `left_p`, its p-value; `z`, how surprising the choices are under the ratings.
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
    return table.join(_sides(votes)).join(_surprise(votes))


def _retest(voters: Any, retests: Retests) -> Any:
    """P-values of failing more often than honest voters, who differ, do."""
    shown = np.array([retests.shown.get(int(voter), 0) for voter in voters], dtype=np.intp)
    failed = np.array([retests.failed.get(int(voter), 0) for voter in voters], dtype=np.intp)
    failed = np.minimum(failed, shown)
    p = np.full(len(voters), np.nan)
    if not shown.any():
        return p
    voter = np.repeat(np.arange(len(voters)), shown)
    first = np.repeat(np.cumsum(shown) - shown, shown)
    is_failed = np.arange(len(voter)) - first < np.repeat(failed, shown)
    honest = np.ones(len(voters), dtype=bool)
    for _ in range(3):  # again without those who fail far too often
        p = tie_rate(voter, is_failed, honest)[0]
        honest = ~(p < RATE / max(len(voters), 1))
    p[shown < MIN_RETESTS] = np.nan
    return p


def _surprise(votes: pd.DataFrame) -> pd.DataFrame:
    """How surprising each voter's choices are under the ratings, in standard deviations.

    The sum of -log p of the choices, less its mean, over its standard deviation. The ratings are of
    all votes but those of surprising voters, so that these do not bend them; a voter's own votes
    among them can only make it smaller.
    """
    decided = votes[votes["winner"].astype(str).isin([LEFT, RIGHT])]
    voters, code = np.unique(decided["voter"].to_numpy(), return_inverse=True)
    models = sorted({*decided[LEFT].astype(str), *decided[RIGHT].astype(str)})
    left, right = (
        pd.Categorical(decided[side].astype(str), categories=models).codes.astype(np.intp)
        for side in (LEFT, RIGHT)
    )
    won = (decided["winner"].astype(str) == LEFT).to_numpy()
    number = np.bincount(code, minlength=len(voters))
    z = np.full(len(voters), np.nan)
    usual = np.ones(len(voters), dtype=bool)
    for _ in range(SURPRISE_ROUNDS):
        used = usual[code]
        battles = ratings.Battles.from_codes(
            tuple(models), left[used], right[used], np.where(won[used], Outcome.A, Outcome.B)
        )
        try:
            fit = ratings.bradley_terry(battles, "drop")
        except ratings.RatingsError:
            break
        strength = fit.ratings.reindex(models).to_numpy(dtype=float) / ELO_PER_STRENGTH
        gap = np.nan_to_num(strength[left] - strength[right])
        chance = expit(gap)
        excess = np.bincount(code, -gap * (won - chance), minlength=len(voters))
        variance = np.bincount(code, gap**2 * chance * (1 - chance), minlength=len(voters))
        known = (variance > 0) & (number >= SURPRISE_VOTES)
        z = np.full(len(voters), np.nan)
        z[known] = excess[known] / np.sqrt(variance[known])
        before, usual = usual, ~(z > SURPRISE_RELEASE)
        if (before == usual).all():
            break
    return pd.DataFrame({"z": z}, index=pd.Index(voters, name="voter"))


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
    names = tuple(rule.value for rule in TESTED)
    flagged = flag_voters(table.copy(), names, rate)
    p = flagged[list(names)].to_numpy(dtype=float)
    strongest = np.argmin(np.where(np.isnan(p), 2.0, p), axis=1) if len(p) else np.zeros(0, int)
    rule = np.where(flagged["flagged"], np.array(names, dtype=object)[strongest], "")
    is_one_sided = (flagged["left_p"] < SIDE_P).to_numpy(dtype=bool)
    rule = np.where(is_one_sided & (rule == ""), HoldRule.ONE_SIDED.value, rule)
    is_surprising = (flagged["z"] > SURPRISE).to_numpy(dtype=bool)
    flagged["rule"] = np.where(is_surprising & (rule == ""), HoldRule.AGREEMENT.value, rule)
    stays_one_sided = (flagged["left_p"] < SIDE_RELEASE_P).to_numpy(dtype=bool)
    stays = stays_one_sided | (flagged["z"] > SURPRISE_RELEASE).to_numpy(dtype=bool)
    flagged["keeps"] = (flagged["q"] <= RELEASE_RATE).to_numpy(dtype=bool) | stays
    return flagged.drop(columns=["flagged", "reason"])
