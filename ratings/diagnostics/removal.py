"""Leaving votes out, the most important first, until another model leads.

How far the rival lies ahead is nearly linear in how many are left out, so that interpolation finds
in a few refits where it comes to lead; the last two are those that the answer rests on.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from ratings.arrays import Codes, Floats
from ratings.errors import OptionError
from ratings.inference.clusters import cluster_codes, cluster_corrections, cluster_names
from ratings.inference.vote_scores import score_votes
from ratings.model.bradley_terry import BradleyTerry
from ratings.model.design import Design
from ratings.model.outcomes import OUTCOMES
from ratings.model.refit import prior_of, refit
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import find_cluster_column

Lead = Callable[[int], float | None]

LEADS = 1e-9  # strengths: less is rounding
_OVERSHOOT = 50  # of what is extrapolated one part more, so that the next refit brackets
_IN_TURN = 3  # of so many steps one halves, whatever interpolation says


class Parts(ABC):
    """Votes in parts that are left out one after the other, most important first."""

    design: Design
    total: int  # votes

    def __init__(self, fit: BradleyTerry) -> None:
        self.fit, self.prior = fit, prior_of(fit)
        information = fit.design.information(fit.params) + self.prior.precision
        self.inverse = fit.design.invert(information)
        self._orders: dict[tuple[int, int], Codes] = {}
        self.ran_out = False  # whether a search came to where nobody leads any more

    @abstractmethod
    def changes(self, leader: int, rival: int) -> tuple[Floats, Codes]:
        """What leaving out each part does to the lead, in strengths, and how many are alike."""

    @abstractmethod
    def strongest(self) -> float:
        """The most that one part pushes where the largest difference is 1; infinite: not known."""

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
        if (leader, rival) not in self._orders:
            change, alike = self.changes(leader, rival)
            harmful = np.flatnonzero((change < 0) & (alike > 0))
            self._orders[leader, rival] = harmful[np.argsort(change[harmful], kind="stable")]
        return self._orders[leader, rival]

    def most_likely(self, leader: int, rivals: int) -> list[tuple[float, int]]:
        """How many parts to leave out, to first order, and for whom: for whom least is needed.

        One part moves the lead over a rival by no more than the strongest push times the largest
        difference in that rival's row, so that most rivals need no closer look. An infinite number
        is one that the first order does not reach; a refit may.
        """
        size = self.fit.design.size
        leads = self.fit.params[leader] - self.fit.params[:size]
        bound = np.zeros(size)
        strongest = self.strongest()
        if strongest < np.inf:
            rows = self.inverse[leader] - self.inverse[:size]
            reach = np.ptp(rows[:, :size], axis=1)
            if rows.shape[1] > size:
                reach += np.abs(rows[:, :size]).max(axis=1) + np.abs(rows[:, size:]).sum(axis=1)
            bound = leads / np.maximum(reach * strongest, 1e-300)
        found: list[tuple[float, int]] = []
        for rival in np.argsort(bound, kind="stable"):
            if rival == leader:
                continue
            if len(found) == rivals and bound[rival] >= found[-1][0]:
                break
            found.append((self.estimate(leader, int(rival)), int(rival)))
            found = sorted(found)[:rivals]
        return found

    def estimate(self, leader: int, rival: int) -> float:
        """How many parts to leave out, to first order; infinite if all are not enough."""
        change, alike = self.changes(leader, rival)
        order = self.order(leader, rival)
        lead = self.fit.params[leader] - self.fit.params[rival]
        gained = np.cumsum(-change[order] * alike[order])
        enough = int(np.searchsorted(gained, lead))
        if enough == len(order):
            return np.inf
        last = order[enough]
        missing = lead - (gained[enough - 1] if enough else 0.0)
        return float(alike[order[:enough]].sum() + np.ceil(missing / -change[last]))

    def fewest(self, leader: int, rival: int, estimate: float, most: int | None) -> int | None:
        """The fewest of the first parts without which the rival leads, by refits.

        Args:
            leader: code of the first model.
            rival: of the one that is to lead.
            estimate: what to try first.
            most: parts; None is all that help the leader.
        """
        order = self.order(leader, rival)
        all_parts = int(self.changes(leader, rival)[1][order].sum())
        start = self.fit.params

        def ahead(parts: int) -> float | None:
            nonlocal start
            design = self.design.select(slice(None), self.without(order, parts))
            point = refit(design, prior_sd=self.prior.sd, start=start)
            if point is None:
                self.ran_out = True
                return None
            start = point
            lead = float(point[rival] - point[leader])
            self.ran_out |= parts == all_parts and abs(lead) <= LEADS
            return lead

        return smallest_that_flips(
            ahead,
            now=float(start[rival] - start[leader]),
            guess=int(min(estimate, all_parts)),
            most=all_parts if most is None else min(most, all_parts),
        )


class SingleVotes(Parts):
    """Single votes; those of one cell with one answer and one weight are alike."""

    def __init__(self, battles: Battles, fit: BradleyTerry) -> None:
        super().__init__(fit)
        self.design = design = fit.design
        if battles.unequal_weight is None and not fit.covariates:
            self.answer, self.cell = np.nonzero(design.counts)
            self.count = design.counts[self.answer, self.cell]
            self.weight = np.ones(len(self.count))
        else:
            scored = score_votes(battles, fit)
            self.design = design = scored.design
            place = scored.outcome.astype(np.intp) * len(design.left) + scored.pair
            keys, counts = np.unique(np.stack([place, scored.weight]), axis=1, return_counts=True)
            self.answer, self.cell = np.divmod(keys[0].astype(np.intp), len(design.left))
            self.weight, self.count = keys[1], counts.astype(np.float64)
        self.score = np.concatenate(
            [block.evaluate(fit.params).score for block in design.blocks()], axis=2
        )
        self.total = int(self.count.sum())

    def changes(self, leader: int, rival: int) -> tuple[Floats, Codes]:
        along = self.design.directional(self.inverse[leader] - self.inverse[rival])
        change = -np.einsum("okc,kc->oc", self.score, along)[self.answer, self.cell]
        return change * self.weight, self.count.astype(np.intp)

    def strongest(self) -> float:
        if any(extra.column is not None for extra in self.design.extras):
            return np.inf
        push = np.abs(self.score).sum(axis=1)[self.answer, self.cell]
        return float((push * self.weight).max(initial=0.0))

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
        column = find_cluster_column(battles.frame, by)
        if column is None:
            raise OptionError("the votes have no column that tells who voted")
        self.scored = score_votes(battles, fit)
        self.cluster = cluster_codes(self.scored, battles, (column,))
        self.voters = cluster_names(self.scored, battles, column, self.cluster)
        self.sizes = np.bincount(self.cluster, minlength=len(self.voters))
        self.scores = self.scored.by_group(self.cluster, len(self.voters))
        corrections = cluster_corrections(self.scored, self.cluster, len(self.voters), self.inverse)
        for which, root in corrections.items():  # (I - H_g H^-)^-1: a whole Newton step
            self.scores[which] = root @ root @ self.scores[which]
        self.design = self.scored.design
        self.total = self.scored.votes

    def changes(self, leader: int, rival: int) -> tuple[Floats, Codes]:
        change = -self.scores @ (self.inverse[leader] - self.inverse[rival])
        return change, np.ones(len(change), dtype=np.intp)

    def strongest(self) -> float:
        return np.inf

    def without(self, order: Codes, parts: int) -> Floats:
        kept = np.ones(len(self.voters))
        kept[order[:parts]] = 0
        return self.scored.total(self.scored.weight * kept[self.cluster])

    def votes(self, leader: int, rival: int, parts: int) -> int:
        return int(self.sizes[self.order(leader, rival)[:parts]].sum())

    def names(self, leader: int, rival: int, parts: int) -> tuple[str, ...]:
        return tuple(self.voters[i] for i in self.order(leader, rival)[:parts])


def smallest_that_flips(ahead: Lead, *, now: float, guess: int, most: int) -> int | None:
    """The smallest number that puts the rival ahead, if one up to `most` does.

    Args:
        ahead: by how much the rival then leads, in strengths; None (no ratings) is too many.
        now: the same for none.
        guess: what to try first.
        most: what to try at most.
    """
    low, at_low, high, at_high, turn = 0, now, most + 1, np.nan, 0
    number = max(1, min(guess, most))
    while high - low > 1:
        found = ahead(number)
        turn += 1
        if found is not None and found > LEADS:
            high, at_high = number, found
        elif found is None and np.isnan(at_high):
            high = number
        else:
            low, at_low = number, at_low if found is None else found
        known = not np.isnan(at_high)
        if not known and low == 0 and found is None:
            number = high // 2
        elif turn % _IN_TURN == 0 and (known or found is None):
            number = (low + high) // 2
        else:
            top, at_top = (high, at_high) if known else (0, now)
            slope = (at_top - at_low) / (top - low) if top != low else 0.0
            number = low + int(np.ceil((LEADS - at_low) / slope)) if slope > 0 else 2 * low + 1
            number += 0 if known else 1 + number // _OVERSHOOT
        number = min(max(number, low + 1), high - 1)
    return None if np.isnan(at_high) else high
