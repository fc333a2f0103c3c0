"""Which models can be compared, and whether their likelihood has a finite, unique maximum."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ratings.arrays import Codes, Floats, Mask
from ratings.model.design import NEITHER_STRENGTH, SIDE, TIE_PARAMETER, Design
from ratings.model.outcomes import OUTCOMES
from ratings.votes.columns import Outcome

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_NO_GAIN = 1e-9
_SINGULAR = 1e-9


def largest_component(wins: Floats) -> Mask:
    """The largest strongly connected component of the graph of wins and ties.

    Only within such a component are Bradley-Terry ratings finite and unique (Ford 1957). Among
    equally large components, the one with more votes is chosen, then the one that contains the
    alphabetically first name.

    Args:
        wins: wins plus half the ties of the row against the column, shape (m, m).

    Returns:
        Membership, shape (m,); all false if no two models are connected in both directions.
    """
    size = len(wins)
    if is_strongly_connected(wins):
        return np.ones(size, dtype=bool)
    if size < 2:
        return np.zeros(size, dtype=bool)
    from scipy.sparse import csr_array  # loads slowly, and the usual case does not need it
    from scipy.sparse.csgraph import connected_components

    _, labels = connected_components(csr_array(wins > 0), directed=True, connection="strong")
    best = max(
        (labels == label for label in dict.fromkeys(labels)),
        key=lambda part: (part.sum(), wins[np.ix_(part, part)].sum()),
    )
    return best if best.sum() > 1 else np.zeros(size, dtype=bool)


def is_strongly_connected(wins: Floats) -> bool:
    """Whether `largest_component` has all models; much faster, since it looks for no other one.

    Args:
        wins: as of `largest_component`.
    """
    if len(wins) < 2:
        return False
    beats = wins > 0
    for direction in (beats, beats.T):
        reached = direction[0].copy()
        reached[0] = True
        count = 0
        while count < (count := int(reached.sum())):
            reached |= direction[reached].any(axis=0)
        if count < len(beats):
            return False
    return True


def has_maximum(design: Design) -> bool:
    """Whether the likelihood of a strongly connected component has a finite maximum.

    It has none if the parameters can grow along some direction without making any vote less
    probable (Albert and Anderson 1984). Along a direction z a vote does not become less probable
    if its answer's exponent grows at least as fast as that of every other possible answer: a linear
    programme searches for a z that makes some vote more probable. Rao and Kupper's margin behaves
    like Davidson's log nu.
    """
    if not design.extras:
        return True  # Ford (1957)
    if _is_contested(design):
        return True
    gains = _gains(design)
    if not gains.shape[0]:
        return False
    from scipy.optimize import linprog  # loads slowly, and the usual case does not need it
    from scipy.sparse import vstack

    solution = linprog(
        -np.asarray(gains.sum(axis=0)).ravel(),
        A_ub=vstack([-gains, gains]),
        b_ub=np.repeat([0.0, 1.0], gains.shape[0]),
        bounds=[(0, 0), *[(None, None)] * (design.n_params - 1)],
    )
    return bool(solution.status == 0 and -solution.fun < _NO_GAIN)


def is_identified(design: Design, *, prior: bool = False) -> bool:
    """Whether parameter vectors that fit all votes equally are shifts of each other.

    A `prior` identifies the strengths.
    """
    if all(extra.name in {TIE_PARAMETER, NEITHER_STRENGTH} for extra in design.extras):
        return True
    compared = (design.counts.sum(axis=0) > 0).astype(float)
    equal = replace(design, counts=np.stack([compared] * OUTCOMES))
    information = equal.information(_even_point(design))
    if prior:
        information[np.diag_indices(design.size)] += 1.0
    return _is_regular(equal, information)


def _is_contested(design: Design) -> bool:
    """Whether pairs won by both sides rule out such a direction: a fast test of the usual case."""
    both = ((design.counts[0] > 0) & (design.counts[1] > 0)).astype(float)
    contested = replace(design, counts=np.stack([both] * OUTCOMES))
    return _is_regular(contested, contested.information(_even_point(design)))


def _is_regular(design: Design, information: Floats) -> bool:
    scale = np.sqrt(np.diag(information))
    if not scale.all():
        return False
    null = design.null_direction * scale
    null /= np.linalg.norm(null)
    filled = information / np.outer(scale, scale) + np.outer(null, null)
    return bool(np.linalg.eigvalsh(filled)[0] > _SINGULAR)


def _even_point(design: Design) -> Floats:
    """Equal strengths, and a tie parameter under which every answer is possible."""
    params = np.zeros(design.n_params)
    tie = design.index_of(TIE_PARAMETER)
    if tie is not None:
        params[tie] = 1.0
    return params


def _gains(design: Design) -> "csr_array":
    """For every pair, given answer and other answer, the difference of their exponents.

    Shape (comparisons, n_params): a row times a direction is how much faster the given answer's
    exponent grows along it.
    """
    from scipy.sparse import csr_array, vstack

    pairs = np.arange(len(design.left))
    one = np.ones(len(pairs))

    def row(*terms: tuple[Codes | int | None, float]) -> "csr_array":
        kept = [(np.broadcast_to(index, len(pairs)), x) for index, x in terms if index is not None]
        columns = np.concatenate([index for index, _ in kept])
        values = np.concatenate([one * x for _, x in kept])
        shape = (len(pairs), design.n_params)
        return csr_array((values, (np.tile(pairs, len(kept)), columns)), shape=shape)

    side = design.index_of(SIDE)
    half_odds = row((design.left, 0.5), (design.right, -0.5), (side, 0.5))
    exponents = {Outcome.A: half_odds, Outcome.B: -half_odds}
    tie, neither = design.index_of(TIE_PARAMETER), design.index_of(NEITHER_STRENGTH)
    if tie is not None:
        exponents[Outcome.TIE] = row((tie, 1.0))
    if neither is not None:
        exponents[Outcome.BOTH_BAD] = row((neither, 1.0), (design.left, -0.5), (design.right, -0.5))
    gains = []
    for answer in Outcome:
        given = design.counts[answer] > 0
        # A tie that is not an outcome is half a win of either side.
        counted_as = [answer] if answer in exponents else [Outcome.A, Outcome.B]
        for counted in counted_as:
            gains += [
                (exponents[counted] - exponents[other])[given]
                for other in exponents
                if other != counted
            ]
    return vstack(gains, format="csr")
