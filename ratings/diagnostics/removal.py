"""Removal of votes, the most influential first, until another model leads.

The lead of a challenger is nearly linear in the number of removed votes, so that interpolation
finds in a few refits where it becomes positive; the last two refits prove the result.
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

Lead = Callable[[int], float | None]  # by number of removed or added units, in strengths

MIN_LEAD = 1e-9  # strengths; a smaller lead is a rounding error
_OVERSHOOT = 50  # extrapolations go 1/50 further, so that the next refit brackets the result
_BISECTION_INTERVAL = 3  # every third step bisects instead of interpolating


class Removal(ABC):
    """Units of votes that are removed one after the other, the most influential first.

    A unit is a single vote or a voter. Units with the same effect form a group.

    Attributes:
        design: pairs of the votes.
        total: number of votes.
        ran_out: whether a search reached a table without ratings, or with two level models.
    """

    design: Design
    total: int

    def __init__(self, fit: BradleyTerry) -> None:
        self.fit, self.prior = fit, prior_of(fit)
        information = fit.design.information(fit.params) + self.prior.precision
        self.inverse = fit.design.invert(information)
        self._orders: dict[tuple[int, int], Codes] = {}
        self.ran_out = False

    @abstractmethod
    def changes(self, leader: int, challenger: int) -> tuple[Floats, Codes]:
        """Change of the lead by removing a unit of each group, in strengths, and group sizes."""

    @abstractmethod
    def max_effect(self) -> float:
        """Bound of a unit's effect per unit of parameter difference; infinite if unknown."""

    @abstractmethod
    def without(self, order: Codes, removed: int) -> Floats:
        """Counts of the pairs without the first `removed` units of an order, shape (4, pairs)."""

    @abstractmethod
    def votes(self, leader: int, challenger: int, removed: int) -> int:
        """Number of votes in the first `removed` units."""

    def names(self, leader: int, challenger: int, removed: int) -> tuple[str, ...]:
        """Names of the first `removed` units."""
        return ()

    def order(self, leader: int, challenger: int) -> Codes:
        """Groups whose removal reduces the leader's lead, the most influential first."""
        if (leader, challenger) not in self._orders:
            change, sizes = self.changes(leader, challenger)
            useful = np.flatnonzero((change < 0) & (sizes > 0))
            self._orders[leader, challenger] = useful[np.argsort(change[useful], kind="stable")]
        return self._orders[leader, challenger]

    def likely_challengers(self, leader: int, number: int) -> list[tuple[float, int]]:
        """The challengers for which fewest units must be removed to first order, and how many.

        One unit changes the lead over a challenger by at most `max_effect` times the largest
        difference in the challenger's row, which rules out most challengers. The number is infinite
        if all units are not enough to first order; a refit may still find one.
        """
        size = self.fit.design.size
        leads = self.fit.params[leader] - self.fit.params[:size]
        bound = np.zeros(size)
        max_effect = self.max_effect()
        if max_effect < np.inf:
            rows = self.inverse[leader] - self.inverse[:size]
            leverage = np.ptp(rows[:, :size], axis=1)
            if rows.shape[1] > size:
                leverage += np.abs(rows[:, :size]).max(axis=1)
                leverage += np.abs(rows[:, size:]).sum(axis=1)
            bound = leads / np.maximum(leverage * max_effect, 1e-300)
        best: list[tuple[float, int]] = []
        for challenger in np.argsort(bound, kind="stable"):
            if challenger == leader:
                continue
            if len(best) == number and bound[challenger] >= best[-1][0]:
                break
            best.append((self.estimate(leader, int(challenger)), int(challenger)))
            best = sorted(best)[:number]
        return best

    def estimate(self, leader: int, challenger: int) -> float:
        """Number of units to remove to first order; infinite if all are not enough."""
        change, sizes = self.changes(leader, challenger)
        order = self.order(leader, challenger)
        lead = self.fit.params[leader] - self.fit.params[challenger]
        gained = np.cumsum(-change[order] * sizes[order])
        groups = int(np.searchsorted(gained, lead))  # that are removed completely
        if groups == len(order):
            return np.inf
        missing = lead - (gained[groups - 1] if groups else 0.0)
        return float(sizes[order[:groups]].sum() + np.ceil(missing / -change[order[groups]]))

    def fewest(
        self, leader: int, challenger: int, estimate: float, maximum: int | None
    ) -> int | None:
        """Find by refits the fewest units without which the challenger leads.

        Args:
            leader: code of the first model.
            challenger: code of the model that is to lead.
            estimate: number to try first.
            maximum: largest number of units; None: all that favour the leader.

        Returns:
            None if no number up to `maximum` is enough.
        """
        order = self.order(leader, challenger)
        units = int(self.changes(leader, challenger)[1][order].sum())
        start = self.fit.params

        def lead_without(removed: int) -> float | None:
            nonlocal start
            design = self.design.select(slice(None), self.without(order, removed))
            params = refit(design, prior_sd=self.prior.sd, start=start)
            if params is None:
                self.ran_out = True
                return None
            start = params
            lead = float(params[challenger] - params[leader])
            self.ran_out |= removed == units and abs(lead) <= MIN_LEAD
            return lead

        return smallest_that_flips(
            lead_without,
            now=float(start[challenger] - start[leader]),
            guess=int(min(estimate, units)),
            maximum=units if maximum is None else min(maximum, units),
        )


class SingleVotes(Removal):
    """Single votes; those with the same pair, answer and weight form a group."""

    def __init__(self, battles: Battles, fit: BradleyTerry) -> None:
        super().__init__(fit)
        self.design = design = fit.design
        if battles.unequal_weight is None and not fit.covariates:
            self.answer, self.pair = np.nonzero(design.counts)
            self.count = design.counts[self.answer, self.pair]
            self.weight = np.ones(len(self.count))
        else:
            scored = score_votes(battles, fit)
            self.design = design = scored.design
            code = scored.outcome.astype(np.intp) * len(design.left) + scored.pair
            keys, counts = np.unique(np.stack([code, scored.weight]), axis=1, return_counts=True)
            self.answer, self.pair = np.divmod(keys[0].astype(np.intp), len(design.left))
            self.weight, self.count = keys[1], counts.astype(np.float64)
        self.score = np.concatenate(
            [block.evaluate(fit.params).score for block in design.blocks()], axis=2
        )
        self.total = int(self.count.sum())

    def changes(self, leader: int, challenger: int) -> tuple[Floats, Codes]:
        along = self.design.directional(self.inverse[leader] - self.inverse[challenger])
        change = -np.einsum("okc,kc->oc", self.score, along)[self.answer, self.pair]
        return change * self.weight, self.count.astype(np.intp)

    def max_effect(self) -> float:
        if any(extra.column is not None for extra in self.design.extras):
            return np.inf
        effect = np.abs(self.score).sum(axis=1)[self.answer, self.pair]
        return float((effect * self.weight).max(initial=0.0))

    def without(self, order: Codes, removed: int) -> Floats:
        sizes = self.count[order]
        kept = self.count.copy()
        kept[order] -= np.clip(removed - (np.cumsum(sizes) - sizes), 0, sizes)
        pairs = len(self.design.left)
        index = self.answer * pairs + self.pair
        total = np.bincount(index, kept * self.weight, minlength=OUTCOMES * pairs)
        return total.reshape(OUTCOMES, pairs).astype(np.float64)

    def votes(self, leader: int, challenger: int, removed: int) -> int:
        return removed


class WholeVoters(Removal):
    """Voters with all of their votes."""

    def __init__(self, battles: Battles, fit: BradleyTerry, by: str) -> None:
        super().__init__(fit)
        column = find_cluster_column(battles.frame, by)
        if column is None:
            raise OptionError("the votes have no column of voters: name one")
        self.scored = score_votes(battles, fit)
        self.cluster = cluster_codes(self.scored, battles, (column,))
        self.voters = cluster_names(self.scored, battles, column, self.cluster)
        self.sizes = np.bincount(self.cluster, minlength=len(self.voters))
        self.scores = self.scored.by_group(self.cluster, len(self.voters))
        corrections = cluster_corrections(self.scored, self.cluster, len(self.voters), self.inverse)
        for code, root in corrections.items():  # (I - H_g H^-)^-1: a whole Newton step
            self.scores[code] = root @ root @ self.scores[code]
        self.design = self.scored.design
        self.total = self.scored.votes

    def changes(self, leader: int, challenger: int) -> tuple[Floats, Codes]:
        change = -self.scores @ (self.inverse[leader] - self.inverse[challenger])
        return change, np.ones(len(change), dtype=np.intp)

    def max_effect(self) -> float:
        return np.inf

    def without(self, order: Codes, removed: int) -> Floats:
        kept = np.ones(len(self.voters))
        kept[order[:removed]] = 0
        return self.scored.total(self.scored.weight * kept[self.cluster])

    def votes(self, leader: int, challenger: int, removed: int) -> int:
        return int(self.sizes[self.order(leader, challenger)[:removed]].sum())

    def names(self, leader: int, challenger: int, removed: int) -> tuple[str, ...]:
        return tuple(self.voters[code] for code in self.order(leader, challenger)[:removed])


def smallest_that_flips(lead_of: Lead, *, now: float, guess: int, maximum: int) -> int | None:
    """Find the smallest number of units at which the challenger leads.

    The root is bracketed and found by interpolation, with a bisection at regular intervals.

    Args:
        lead_of: lead of the challenger at a number of units, in strengths; None, no ratings, means
            too many units.
        now: its lead at 0 units.
        guess: number to try first.
        maximum: largest number to try.

    Returns:
        None if the challenger does not lead at any number up to `maximum`.
    """
    low, low_lead, high, high_lead, step = 0, now, maximum + 1, np.nan, 0
    number = max(1, min(guess, maximum))
    while high - low > 1:
        lead = lead_of(number)
        step += 1
        if lead is not None and lead > MIN_LEAD:
            high, high_lead = number, lead
        elif lead is None and np.isnan(high_lead):
            high = number
        else:
            low, low_lead = number, low_lead if lead is None else lead
        bracketed = not np.isnan(high_lead)
        if not bracketed and low == 0 and lead is None:
            number = high // 2
        elif step % _BISECTION_INTERVAL == 0 and (bracketed or lead is None):
            number = (low + high) // 2
        else:
            other, other_lead = (high, high_lead) if bracketed else (0, now)
            slope = (other_lead - low_lead) / (other - low) if other != low else 0.0
            number = 2 * low + 1
            if slope > 0:
                number = low + int(np.ceil((MIN_LEAD - low_lead) / slope))
            number += 0 if bracketed else 1 + number // _OVERSHOOT
        number = min(max(number, low + 1), high - 1)
    return None if np.isnan(high_lead) else high
