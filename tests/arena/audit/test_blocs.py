"""Groups of voters who together favour a model are found, and honest groups are not."""

import numpy as np

from arena.audit.blocs import find_blocs
from ratings.votes.columns import Outcome

MODELS, SPREAD = 12, 0.5


def votes(random, sizes, first_voter=0, favourite=None):
    """Votes of voters with these numbers of votes; codes as `find_blocs` takes them."""
    strength = np.linspace(-SPREAD, SPREAD, MODELS)
    voter = first_voter + np.repeat(np.arange(len(sizes)), sizes)
    left = random.integers(MODELS, size=len(voter))
    right = (left + random.integers(1, MODELS, size=len(voter))) % MODELS
    won = random.random(len(voter)) < 1 / (1 + np.exp(strength[right] - strength[left]))
    outcome = np.where(won, Outcome.A, Outcome.B)
    outcome[random.random(len(voter)) < 0.1] = Outcome.TIE
    if favourite is not None:
        outcome = np.where(left == favourite, Outcome.A, outcome)
        outcome = np.where(right == favourite, Outcome.B, outcome)
    return np.stack([voter, left, right, outcome])


def found_in(*parts):
    voter, left, right, outcome = np.concatenate(parts, axis=1)
    return find_blocs(voter, left, right, outcome, models=MODELS)


def test_votes_of_the_group_on_the_model_and_all_votes_of_likely_members_are_found():
    random = np.random.default_rng(1)
    honest = votes(random, random.geometric(1 / 3.5, size=4000))
    rigged = votes(random, np.full(30, 20), first_voter=10_000, favourite=4)
    blocs, inside = found_in(honest, rigged)
    assert {bloc.model for bloc in blocs} == {4}
    assert (20, 22) in {(bloc.fewest, bloc.most) for bloc in blocs}
    assert all(bloc.won > bloc.expected for bloc in blocs)
    voter, left, right, _ = np.concatenate([honest, rigged], axis=1)
    is_rigged, on_model = voter >= 10_000, (left == 4) | (right == 4)
    assert inside[is_rigged].all()  # also of a voter who never met the model
    assert len(np.unique(voter[is_rigged & on_model])) < 30
    assert inside[~is_rigged].mean() < 0.01


def test_honest_voters_of_the_group_keep_their_votes_on_other_models():
    """Whoever voted otherwise on the model is not of the bloc: only those votes are reviewed."""
    random = np.random.default_rng(1)
    honest = votes(random, np.full(40, 20))
    others = votes(random, random.geometric(1 / 3.5, size=4000), first_voter=1000)
    rigged = votes(random, np.full(40, 20), first_voter=10_000, favourite=4)
    blocs, inside = found_in(honest, others, rigged)
    assert 0.3 < max(bloc.share for bloc in blocs) < 0.7
    voter, left, right, outcome = np.concatenate([honest, others, rigged], axis=1)
    on_model = (left == 4) | (right == 4)
    won = np.where(left == 4, outcome == Outcome.A, outcome == Outcome.B)
    voted_otherwise = np.isin(voter, voter[on_model & ~won])
    of_group = voter < 40
    assert inside[of_group & on_model].all()
    assert not inside[of_group & voted_otherwise & ~on_model].any()


def test_in_a_group_that_is_mostly_honest_only_votes_on_the_model_are_reviewed():
    random = np.random.default_rng(1)
    honest = votes(random, np.full(800, 8))
    rigged = votes(random, np.full(250, 8), first_voter=10_000, favourite=4)
    others = votes(random, random.geometric(1 / 3.5, size=8000), first_voter=1000)
    blocs, inside = found_in(honest, others, rigged)
    assert {bloc.model for bloc in blocs} == {4}
    voter, left, right, _ = np.concatenate([honest, others, rigged], axis=1)
    never_met = ~np.isin(voter, voter[(left == 4) | (right == 4)])
    assert inside[voter >= 10_000].any()
    assert not inside[never_met].any()


def test_a_group_that_votes_against_a_model_is_found():
    random = np.random.default_rng(2)
    honest = votes(random, random.geometric(1 / 3.5, size=4000))
    rigged = votes(random, np.full(30, 20), first_voter=10_000, favourite=4)
    on_model = (rigged[1] == 4) | (rigged[2] == 4)
    against = np.where(rigged[1] == 4, Outcome.B, Outcome.A)
    rigged[3] = np.where(on_model, against, rigged[3])
    blocs, _ = found_in(honest, rigged)
    assert {bloc.model for bloc in blocs} == {4}
    assert all(bloc.won < bloc.expected for bloc in blocs)


def test_busy_voters_who_differ_from_others_in_every_model_are_not_a_bloc():
    """Busy voters see all differences twice as clearly: a habit, and no model stands out."""
    random = np.random.default_rng(3)
    honest = votes(random, random.geometric(1 / 3.5, size=4000))
    strength = np.linspace(-2 * SPREAD, 2 * SPREAD, MODELS)
    busy = votes(random, np.full(60, 20), first_voter=10_000)
    won = random.random(busy.shape[1]) < 1 / (1 + np.exp(strength[busy[2]] - strength[busy[1]]))
    busy[3] = np.where(won, Outcome.A, Outcome.B)
    assert found_in(honest, busy)[0] == []


def test_there_is_no_bloc_without_votes_or_with_few_models():
    none = np.zeros(0, dtype=int)
    assert find_blocs(none, none, none, none, models=3)[0] == []
    random = np.random.default_rng(4)
    voter, left, _, outcome = votes(random, np.full(20, 20))
    assert find_blocs(voter, left % 2, 1 - left % 2, outcome, models=2)[0] == []
