"""Voters who toss a coin are found; voters with tastes of their own, however unusual, are not."""

import numpy as np
from scipy.special import expit
from scipy.stats import binom

from ratings.model.bradley_terry import ELO_PER_STRENGTH
from ratings.screening.indifference import Checks, indifference
from ratings.screening.voter_tests import Choices

MODELS = 20


def choices(random, *, voters, votes, taste=0.0, coins=0):
    """Votes of honest voters with tastes of `taste` Elo, the last `coins` voters tossing a coin."""
    strength = random.normal(0, 80, MODELS) / ELO_PER_STRENGTH
    voter = np.repeat(np.arange(voters), votes)
    left = random.integers(MODELS, size=len(voter))
    right = (left + random.integers(1, MODELS, size=len(voter))) % MODELS
    own = random.normal(0, taste / ELO_PER_STRENGTH, (voters, MODELS))
    gap = strength[left] - strength[right]
    won = random.random(len(voter)) < expit(gap + own[voter, left] - own[voter, right])
    tossed = voter >= voters - coins
    won[tossed] = random.random(int(tossed.sum())) < 0.5
    # What the average voter does is flatter than what each does.
    average = gap / np.sqrt(1 + 2 * 0.346 * (taste / ELO_PER_STRENGTH) ** 2)
    information = np.full(MODELS, len(voter) / MODELS)
    return Choices(voter, voters, left, right, MODELS, won.astype(float), average, information)


def test_p_values_of_honest_voters_are_as_rare_as_promised():
    random = np.random.default_rng(1)
    for taste in (0.0, 120.0):
        found = choices(random, voters=300, votes=60, taste=taste)
        p = indifference(found, (taste / ELO_PER_STRENGTH) ** 2)
        for level in (0.01, 0.1):
            assert (p <= level).sum() <= binom.ppf(0.999, 300, level)


def test_most_voters_who_toss_a_coin_two_hundred_times_are_found():
    random = np.random.default_rng(2)
    found = choices(random, voters=40, votes=200, taste=60, coins=20)
    p = indifference(found, (60 / ELO_PER_STRENGTH) ** 2)
    assert (p[20:] < 0.002).mean() > 0.5
    assert not (p[:20] < 0.0005).any()


def test_a_voter_against_all_others_but_consistent_with_itself_is_not_flagged():
    """Consistent choices are explained by a taste, where tastes are that strong."""
    random = np.random.default_rng(3)
    found = choices(random, voters=30, votes=100, taste=120)
    ranked = random.permutation(MODELS)
    mine = found.voter == 0
    won = found.won.copy()
    won[mine] = ranked[found.left[mine]] > ranked[found.right[mine]]
    fixed = Choices(**{**vars_of(found), "won": won})
    assert indifference(fixed, (120 / ELO_PER_STRENGTH) ** 2)[0] > 0.01


def test_failed_checks_find_a_coin_after_fewer_votes_and_passed_ones_clear_a_voter():
    random = np.random.default_rng(4)
    found = choices(random, voters=40, votes=60, coins=20)
    shown = np.full(40, 8)
    failed = np.where(np.arange(40) < 20, random.binomial(8, 0.05, 40), 4)
    with_checks = indifference(
        found, 0.0, checks=[Checks(failed, shown)], honest=np.arange(40) < 20
    )
    alone = indifference(found, 0.0)
    assert (with_checks[20:] < 0.001).mean() > (alone[20:] < 0.001).mean() + 0.3
    assert not (with_checks[:20] < 0.001).any()


def test_voters_with_few_votes_are_not_tested():
    found = choices(np.random.default_rng(5), voters=3, votes=10)
    assert np.isnan(indifference(found, 0.0)).all()


def vars_of(found):
    names = ("voter", "voters", "left", "right", "models", "won", "log_odds", "model_information")
    return {name: getattr(found, name) for name in names}
