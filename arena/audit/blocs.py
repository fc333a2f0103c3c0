"""Finds the votes of groups of voters who together favour or disfavour one model.

The groups are those of `ratings.screening.blocs`: voters who cast about as many votes as others.
All votes of a group on the model are put under review, for it and against it, so that what is left
out does not lean to either side. `arena holds release` lets them count again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ratings.screening.blocs import BlocTest, bloc_test
from ratings.votes.columns import Outcome

BLOC_P = 1e-4  # times the number of tests: a look at every new hundredth of the votes is a test too
MAX_BLOCS = 20  # in one look
MIN_VOTERS = 5  # of a group; single voters have tests of their own


@dataclass(frozen=True)
class Bloc:
    """A group of voters and a model that it favours or disfavours.

    Attributes:
        fewest, most: votes that each voter of the group has cast.
        model: code of the model.
        voters: number of voters in the group.
        votes: decided votes of the group on the model.
        won: those that the model won.
        expected: those that it would have won by the ratings of other voters.
        p: p-value times the number of tests.
    """

    fewest: int
    most: int
    model: int
    voters: int
    votes: int
    won: int
    expected: float
    p: float


def find_blocs(
    voter: Any, left: Any, right: Any, outcome: Any, *, models: int
) -> tuple[list[Bloc], Any]:
    """Return the blocs among votes, and whether each vote is one of a bloc on its model.

    Args:
        voter: number of each vote's voter, shape (votes,).
        left: code of the model on the left.
        right: code of the model on the right.
        outcome: `Outcome` of each vote.
        models: number of models.
    """
    code = np.unique(np.asarray(voter), return_inverse=True)[1]
    number = np.bincount(code)
    left, right = (np.asarray(side).astype(np.intp) for side in (left, right))
    outcome = np.asarray(outcome)
    found: list[Bloc] = []
    inside = np.zeros(len(code), dtype=bool)
    while len(found) < MAX_BLOCS:
        # One after the other: votes of a bloc bend the ratings that others are compared with.
        rest = (outcome < Outcome.TIE) & ~inside
        if not rest.any():
            break
        tested = bloc_test(
            number,
            code[rest],
            left[rest],
            right[rest],
            outcome[rest] == Outcome.A,
            models=models,
        )
        bloc, voters = _strongest(tested, number)
        if bloc is None:
            break
        found.append(bloc)
        inside |= voters[code] & ((left == bloc.model) | (right == bloc.model))
    return found, inside


def _strongest(tested: BlocTest, number: Any) -> tuple[Bloc | None, Any]:
    """The bloc with the smallest p-value and which voters are in it; None: there is none."""
    p = np.where(np.isfinite(tested.p), tested.p, 1.0)
    for place in np.argsort(p, axis=None, kind="stable"):
        group, model = np.unravel_index(int(place), p.shape)
        if p[group, model] > BLOC_P:
            break
        low, high = tested.ranges[group]
        voters = (number >= low) & (number <= high)
        if voters.sum() >= MIN_VOTERS:
            return _bloc(tested, int(group), int(model), int(voters.sum())), voters
    return None, None


def _bloc(tested: BlocTest, group: int, model: int, voters: int) -> Bloc:
    return Bloc(
        fewest=tested.ranges[group][0],
        most=tested.ranges[group][1],
        model=model,
        voters=voters,
        votes=int(tested.votes[group, model]),
        won=int(tested.won[group, model]),
        expected=float(tested.expected[group, model]),
        p=float(tested.p[group, model]),
    )
