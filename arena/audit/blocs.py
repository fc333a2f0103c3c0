"""Finds the votes of groups of voters who together favour or disfavour one model.

The groups are those of `ratings.screening.blocs`: voters who cast about as many votes as others.
All votes of a group on the model are put under review, for it and against it, so that what is left
out does not lean to either side. So are all other votes of those who are likely to be of the bloc:
voters who never voted otherwise on the model, in a group of which the bloc is a large part. `arena
holds release` lets them count again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ratings.screening.blocs import BlocTest, bloc_test
from ratings.votes.columns import Outcome

BLOC_P = 1e-4  # times the number of tests: a look at every new hundredth of the votes is a test too
MAX_BLOCS = 20  # in one look
MIN_VOTERS = 5  # of a group; single voters have tests of their own
# Probability of being of the bloc from which on all votes of a voter are reviewed: the price of a
# vote that waits is smaller than that of a rigged one which counts.
MEMBER = 1 / 3


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

    @property
    def favours(self) -> bool:
        """Whether the group votes for the model, and not against it."""
        return self.won > self.expected

    @property
    def chance(self) -> float:
        """How often other voters would answer as the bloc does, of its votes on the model."""
        share = self.expected / self.votes
        return share if self.favours else 1 - share

    @property
    def share(self) -> float:
        """Estimated share of the bloc in its group: of those who always answer in one way."""
        answered = self.won if self.favours else self.votes - self.won
        return max(0.0, (answered / self.votes - self.chance) / (1 - self.chance))


def find_blocs(
    voter: Any, left: Any, right: Any, outcome: Any, *, models: int
) -> tuple[list[Bloc], Any]:
    """Return the blocs among votes, and whether each vote is to be reviewed with one of them.

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
    is_member, is_cleared = np.zeros((2, len(number)), dtype=bool)
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
        answered, otherwise = _answers_on(bloc, code, left, right, outcome, len(number))
        is_cleared |= voters & (otherwise > 0)
        is_member |= voters & _is_likely_member(bloc, answered)
    return found, inside | (is_member & ~is_cleared)[code]


def _answers_on(
    bloc: Bloc, code: Any, left: Any, right: Any, outcome: Any, voters: int
) -> tuple[Any, Any]:
    """How often each voter answered as the bloc does on its model, and how often otherwise."""
    on_left, on_right = left == bloc.model, right == bloc.model
    win_left, win_right = outcome == Outcome.A, outcome == Outcome.B
    if not bloc.favours:
        win_left, win_right = win_right, win_left
    answered = (on_left & win_left) | (on_right & win_right)
    total = np.bincount(code, on_left | on_right, minlength=voters)
    as_bloc = np.bincount(code, answered, minlength=voters)
    return as_bloc, total - as_bloc


def _is_likely_member(bloc: Bloc, answered: Any) -> Any:
    """Whether voters who never answered otherwise are likely to be of the bloc.

    Each answer is certain in the bloc, and has the probability `chance` outside of it.
    """
    outside = (1 - bloc.share) * bloc.chance**answered
    return bloc.share >= MEMBER * (bloc.share + outside)


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
