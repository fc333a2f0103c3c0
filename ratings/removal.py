"""Leaving votes out, the most important first, until another model leads."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ratings.battles import Battles
from ratings.bradley_terry import BradleyTerry
from ratings.clusters import cluster_codes, cluster_names
from ratings.columns import find_cluster_columns
from ratings.design import Design
from ratings.errors import OptionError
from ratings.outcomes import OUTCOMES
from ratings.refit import prior_of, refit
from ratings.vote_scores import score_votes

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Flip = Callable[[int], bool | None]

LEADS = 1e-9  # strengths: less is rounding


class Parts(ABC):
    """Votes in parts that are left out one after the other, most important first."""

    design: Design
    total: int  # votes

    def __init__(self, fit: BradleyTerry) -> None:
        self.fit, self.prior = fit, prior_of(fit)
        information = fit.design.information(fit.point) + self.prior.precision
        self.inverse = fit.design.invert(information)

    @abstractmethod
    def changes(self, leader: int, rival: int) -> tuple[Floats, Codes]:
        """What leaving out each part does to the lead, in strengths, and how many are alike."""

    @abstractmethod
    def without(self, order: Codes, parts: int) -> Floats:
        """Counts of the cells without the first parts of an order, shape (4, cells)."""

    @abstractmethod
    def votes(self, leader: int, rival: int, parts: int) -> int:
        """How many votes the first parts are."""

    def names(self, leader: int, rival: int, parts: int) -> tuple[str, ...]:
        """What the first parts are called."""
        return ()

    def order(self, leader: int, rival: int) -> Codes:
        """Parts from the one whose absence costs the leader most; those that help it are none."""
        change, _ = self.changes(leader, rival)
        order = np.argsort(change, kind="stable")
        return order[change[order] < 0]

    def estimate(self, leader: int, rival: int) -> float:
        """How many parts to leave out, to first order; infinite if all are not enough."""
        change, alike = self.changes(leader, rival)
        order = self.order(leader, rival)
        lead = self.fit.point[leader] - self.fit.point[rival]
        gained = np.cumsum(-change[order] * alike[order])
        enough = int(np.searchsorted(gained, lead))
        if enough == len(order):
            return np.inf
        last = order[enough]
        missing = lead - (gained[enough - 1] if enough else 0.0)
        return float(alike[order[:enough]].sum() + np.ceil(missing / -change[last]))

    def fewest(self, leader: int, rival: int, estimate: float) -> int | None:
        """The fewest of the first parts without which the rival leads, by refits."""
        order = self.order(leader, rival)
        most = int(self.changes(leader, rival)[1][order].sum())

        def flips(parts: int) -> bool | None:
            design = self.design.select(slice(None), self.without(order, parts))
            point = refit(design, prior_sd=self.prior.sd, start=self.fit.point)
            return None if point is None else bool(point[rival] - point[leader] > LEADS)

        return smallest_that_flips(flips, guess=int(min(estimate, most)), most=most)


class SingleVotes(Parts):
    """Single votes; those of one cell with one answer and one weight are alike."""

    def __init__(self, battles: Battles, fit: BradleyTerry) -> None:
        super().__init__(fit)
        self.design = design = fit.design
        if battles.given_weight is None and not fit.covariates:
            self.answer, self.cell = np.nonzero(design.counts)
            self.count = design.counts[self.answer, self.cell]
            self.weight = np.ones(len(self.count))
        else:
            scored = score_votes(battles, fit)
            self.design = design = scored.design
            place = scored.outcome.astype(np.intp) * len(design.left) + scored.cell
            keys, counts = np.unique(np.stack([place, scored.weight]), axis=1, return_counts=True)
            self.answer, self.cell = np.divmod(keys[0].astype(np.intp), len(design.left))
            self.weight, self.count = keys[1], counts.astype(np.float64)
        self.score = np.concatenate(
            [block.at(fit.point).score for block in design.blocks()], axis=2
        )
        self.total = int(self.count.sum())

    def changes(self, leader: int, rival: int) -> tuple[Floats, Codes]:
        along = self.design.along(self.inverse[leader] - self.inverse[rival])
        change = -np.einsum("okc,kc->oc", self.score, along)[self.answer, self.cell]
        return change * self.weight, self.count.astype(np.intp)

    def without(self, order: Codes, parts: int) -> Floats:
        alike = self.count[order]
        kept = self.count.copy()
        kept[order] -= np.clip(parts - (np.cumsum(alike) - alike), 0, alike)
        cells = len(self.design.left)
        place = self.answer * cells + self.cell
        total = np.bincount(place, kept * self.weight, minlength=OUTCOMES * cells)
        return total.reshape(OUTCOMES, cells).astype(np.float64)

    def votes(self, leader: int, rival: int, parts: int) -> int:
        return parts


class WholeVoters(Parts):
    """Voters with all of their votes."""

    def __init__(self, battles: Battles, fit: BradleyTerry, by: str) -> None:
        super().__init__(fit)
        columns = find_cluster_columns(battles.frame, by)
        if not columns:
            raise OptionError(f"the votes have no column {by!r} that tells who voted")
        self.scored = score_votes(battles, fit)
        self.cluster = cluster_codes(self.scored, battles, columns)
        self.voters = cluster_names(self.scored, battles, columns[0], self.cluster)
        self.sizes = np.bincount(self.cluster, minlength=len(self.voters))
        self.scores = self.scored.by_group(self.cluster, len(self.voters))
        self.design = self.scored.design
        self.total = self.scored.votes

    def changes(self, leader: int, rival: int) -> tuple[Floats, Codes]:
        change = -self.scores @ (self.inverse[leader] - self.inverse[rival])
        return change, np.ones(len(change), dtype=np.intp)

    def without(self, order: Codes, parts: int) -> Floats:
        kept = np.ones(len(self.voters))
        kept[order[:parts]] = 0
        return self.scored.total(self.scored.weight * kept[self.cluster])

    def votes(self, leader: int, rival: int, parts: int) -> int:
        return int(self.sizes[self.order(leader, rival)[:parts]].sum())

    def names(self, leader: int, rival: int, parts: int) -> tuple[str, ...]:
        return tuple(self.voters[i] for i in self.order(leader, rival)[:parts])


def smallest_that_flips(flips: Flip, *, guess: int, most: int) -> int | None:
    """The smallest number that flips, if one up to `most` does; None (no ratings) is too many."""
    low, high = 0, max(1, min(guess, most))
    if most < 1:
        return None
    while not (flipped := flips(high)):
        if flipped is None:
            most = high - 1
        else:
            low = high
        if low >= most:
            return None
        high = min(most, 2 * high) if flipped is not None else (low + most + 1) // 2
    while high - low > 1:
        middle = (low + high) // 2
        if flips(middle):
            high = middle
        else:
            low = middle
    return high
