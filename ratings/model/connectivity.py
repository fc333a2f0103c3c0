"""Which models the votes put on one scale, and whether the likelihood has a maximum there."""

from dataclasses import replace

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, vstack
from scipy.sparse.csgraph import connected_components

from ratings.arrays import Codes, Floats, Mask
from ratings.model.design import NEITHER_STRENGTH, SIDE, TIE_PARAMETER, Design
from ratings.model.outcomes import OUTCOMES
from ratings.votes.columns import Outcome

_NO_GAIN = 1e-9
_SINGULAR = 1e-9


def largest_component(points: Floats) -> Mask:
    """The largest set of models in which everyone leads, through wins and ties, to everyone.

    Only within such a set are Bradley-Terry ratings finite and unique (Ford 1957). Among equally
    large sets the one with more votes is taken, then the one with the alphabetically first name.

    Args:
        points: what each model took off each other, a win 1 and a tie 1/2 to both, shape (m, m).

    Returns:
        Membership, shape (m,); nobody where no two models are connected both ways.
    """
    size = len(points)
    if size == 0:
        return np.zeros(0, dtype=bool)
    if _all_lead_to_all(points > 0):
        return np.ones(size, dtype=bool)
    _, labels = connected_components(csr_array(points > 0), directed=True, connection="strong")
    best = max(
        (labels == label for label in dict.fromkeys(labels)),
        key=lambda part: (part.sum(), points[np.ix_(part, part)].sum()),
    )
    return best if best.sum() > 1 else np.zeros(size, dtype=bool)


def _all_lead_to_all(leads: Mask) -> bool:
    """Whether the first model leads to everyone and everyone to it: the usual case, at once."""
    for way in (leads, leads.T):
        reached = way[0].copy()
        reached[0] = True
        count = 0
        while count < (count := int(reached.sum())):
            reached |= way[reached].any(axis=0)
        if count < len(leads):
            return False
    return len(leads) > 1


def has_maximum(design: Design) -> bool:
    """Whether the likelihood of a strongly connected part has a finite maximum.

    It has none when the parameters can grow along some direction without any vote getting less
    probable (Albert and Anderson 1984). Along a direction z a vote does not lose if its answer's
    exponent grows at least as fast as every other possible answer's: a linear programme looks for
    a z where some answer gains. Rao and Kupper's margin bounds votes as Davidson's log nu does.
    """
    if not design.extras:
        return True  # Ford (1957)
    if _is_pinned(design):
        return True
    gains = _gains(design)
    if not gains.shape[0]:
        return False
    found = linprog(
        -np.asarray(gains.sum(axis=0)).ravel(),
        A_ub=vstack([-gains, gains]),
        b_ub=np.repeat([0.0, 1.0], gains.shape[0]),
        bounds=[(0, 0), *[(None, None)] * (design.n_params - 1)],
    )
    return bool(found.status == 0 and -found.fun < _NO_GAIN)


def is_identified(design: Design, *, prior: bool = False) -> bool:
    """Whether no two parameter vectors but shifts of each other are the same to every vote.

    With a `prior` the strengths are told apart by it.
    """
    if all(extra.name in {TIE_PARAMETER, NEITHER_STRENGTH} for extra in design.extras):
        return True
    reached = (design.counts.sum(axis=0) > 0).astype(float)
    seen = replace(design, counts=np.stack([reached] * OUTCOMES))
    information = seen.information(_even_point(design))
    if prior:
        information[np.diag_indices(design.size)] += 1.0
    return _is_regular(seen, information)


def _is_pinned(design: Design) -> bool:
    """Whether pairs won by either side leave no direction: the usual case, and quickly seen."""
    both = ((design.counts[0] > 0) & (design.counts[1] > 0)).astype(float)
    seen = replace(design, counts=np.stack([both] * OUTCOMES))
    return _is_regular(seen, seen.information(_even_point(design)))


def _is_regular(design: Design, information: Floats) -> bool:
    scale = np.sqrt(np.diag(information))
    if not scale.all():
        return False
    null = design.null_direction * scale
    null /= np.linalg.norm(null)
    filled = information / np.outer(scale, scale) + np.outer(null, null)
    return bool(np.linalg.eigvalsh(filled)[0] > _SINGULAR)


def _even_point(design: Design) -> Floats:
    """Strengths all 0, and a tie parameter at which all answers are possible."""
    params = np.zeros(design.n_params)
    tie = design.index_of(TIE_PARAMETER)
    if tie is not None:
        params[tie] = 1.0
    return params


def _gains(design: Design) -> csr_array:
    """For every pair, given answer and other answer: by how much more the given one grows.

    Shape (comparisons, n_params): each row times a direction is one difference of exponents.
    """
    pairs = np.arange(len(design.left))
    one = np.ones(len(pairs))

    def row(*terms: tuple[Codes | int | None, float]) -> csr_array:
        kept = [(np.broadcast_to(place, len(pairs)), x) for place, x in terms if place is not None]
        places = np.concatenate([place for place, _ in kept])
        values = np.concatenate([one * x for _, x in kept])
        shape = (len(pairs), design.n_params)
        return csr_array((values, (np.tile(pairs, len(kept)), places)), shape=shape)

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
        told = design.counts[answer] > 0
        # A tie that is no outcome is half a win of either side.
        as_given = [answer] if answer in exponents else [Outcome.A, Outcome.B]
        for given in as_given:
            gains += [
                (exponents[given] - exponents[other])[told] for other in exponents if other != given
            ]
    return vstack(gains, format="csr")
