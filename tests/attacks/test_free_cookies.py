"""Cookies that are thrown away raise an alarm, and with the arena's rules gain hardly anything."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from free_cookies import SITES, outcomes

SEEDS = 3
PROMISED = {"one address": 1.0, "a /16": 3.0, "1,000 addresses": 5.0}  # Elo points


@pytest.mark.parametrize("where", SITES)
def test_a_thousand_rigged_votes_are_noticed_and_gain_little(where: str) -> None:
    found = outcomes(where, seeds=SEEDS, votes=10_000, days=10)
    assert all(each.alarmed for each in found)
    assert np.mean([each.undefended for each in found]) > 25
    noise = 1.0  # leaving honest votes out moves ratings as well
    assert np.mean([each.shift for each in found]) <= PROMISED[where] + noise
    assert np.mean([each.honest_held for each in found]) <= 0.02
