"""What honey pairs find: figures of simulated voters, honest ones and ones who toss a coin."""

import numpy as np

from arena.audit.voter_rules import Retests, _retest

HONEST, COINS, SHOWN = 1000, 50, 12
P = 0.01


def share_found(seed: int) -> tuple[float, float]:
    """Shares of the coin tossers and of the honest voters with a p-value below `P`."""
    random = np.random.default_rng(seed)
    # Honest voters pass 95% on average, with a standard deviation of 2%.
    fails = np.concatenate([random.beta(5, 95, HONEST), np.full(COINS, 0.5)])
    failed = random.binomial(SHOWN, fails)
    voters = np.arange(HONEST + COINS)
    p = _retest(voters, Retests(dict(enumerate(failed)), dict.fromkeys(voters.tolist(), SHOWN)))
    return float(np.mean(p[HONEST:] < P)), float(np.mean(p[:HONEST] < P))


def test_twelve_honey_pairs_find_most_who_toss_a_coin_and_few_honest_voters() -> None:
    coins, honest = np.mean([share_found(seed) for seed in range(20)], axis=0)
    assert coins > 0.75
    assert honest < 0.02
