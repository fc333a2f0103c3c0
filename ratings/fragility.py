"""What would change the first place: how few votes, or voters, decide who leads.

Leaving a vote out moves the estimate by about -H^- s, with H the information and s the vote's score
(the infinitesimal jackknife). Votes in the order of what they do to the lead of the first over a
challenger are the few that matter most (Broderick, Giordano and Meager 2020; for leaderboards
Huang, Shen, Wei and Broderick 2025). That order only proposes: every number given here is of a
refit in which the first place did change, and in which one vote (or voter) fewer did not change it.
Another order may need still fewer.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.battles import Battles
from ratings.bradley_terry import ELO_PER_STRENGTH, BradleyTerry
from ratings.clusters import cluster_codes, cluster_names, score_votes, sum_scores
from ratings.columns import find_cluster_columns
from ratings.design import Design, fold_cells
from ratings.errors import OptionError
from ratings.refit import prior_of, refit

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Flip = Callable[[int], bool | None]

_RIVALS = 3  # challengers that are tried: those for whom least is needed by the first estimate
_MOST_ADDED = 1 << 40
_LEADS = 1e-9  # strengths: less is rounding


@dataclass(frozen=True)
class Fragility:
    """The fewest votes, or voters, found without which another model is first.

    Attributes:
        status: "ok"; "alone" where fewer than two models are rated; "firm" where leaving out as
            many as leave everyone rated changes nothing.
        first: the model that leads; None if nobody is rated.
        challenger: the one that would lead instead.
        votes: how many votes to leave out.
        share: of the votes among rated models.
        added: how many votes for the challenger against the first would change it too.
        by: column of the voters that are left out with all of their votes; None: single votes.
        voters: their names, the most important first; empty without `by`.
    """

    status: str
    first: str | None
    challenger: str | None = None
    votes: int | None = None
    share: float | None = None
    added: int | None = None
    by: str | None = None
    voters: tuple[str, ...] = ()


def votes_to_flip(battles: Battles, fit: BradleyTerry, *, by: str | None = None) -> Fragility:
    """The smallest number of votes found that would change the first place.

    Args:
        battles: the votes.
        fit: their ratings.
        by: column of voters, such as "voter"; None: single votes.

    Raises:
        OptionError: no such column, or a fit of other models.
    """
    rated = _rated(battles, fit)
    if len(rated) < 2:
        return Fragility("alone", rated[0] if rated else None, by=by)
    order = np.argsort(-fit.point[: len(rated)], kind="stable")
    leader = int(order[0])
    parts: _Parts = _Votes(battles, fit) if by is None else _Voters(battles, fit, by)
    estimates = sorted((parts.estimate(leader, int(rival)), int(rival)) for rival in order[1:])
    found = [
        (fewest, rival)
        for estimate, rival in estimates[:_RIVALS]
        if (fewest := parts.fewest(leader, rival, estimate)) is not None
    ]
    if not found:
        return Fragility("firm", rated[leader], by=by)
    votes, rival = min((parts.votes(leader, rival, fewest), rival) for fewest, rival in found)
    fewest = {rival: fewest for fewest, rival in found}[rival]
    return Fragility(
        "ok",
        first=rated[leader],
        challenger=rated[rival],
        votes=votes,
        share=votes / parts.total,
        added=_fewest_added(fit, leader, rival),
        by=by,
        voters=parts.names(leader, rival, fewest),
    )


def influence(battles: Battles, fit: BradleyTerry, *, by: str = "voter") -> pd.DataFrame:
    """What leaving out each voter would change, to first order, the most influential first.

    Args:
        battles: the votes.
        fit: their ratings.
        by: column of voters.

    Returns:
        By voter: `votes`; `lead`, the change of the first model's lead over the second; `largest`,
        the largest change of any rating; `model`, whose. In Elo points.

    Raises:
        OptionError: no such column, or a fit of other models.
    """
    rated = _rated(battles, fit)
    if len(rated) < 2:
        columns = ["votes", "lead", "largest", "model"]
        return pd.DataFrame(columns=columns, index=pd.Index([], name=by))
    voters = _Voters(battles, fit, by)
    first, second = np.argsort(-fit.point[: len(rated)], kind="stable")[:2]
    changes = -ELO_PER_STRENGTH * voters.scores @ voters.inverse[:, : len(rated)]
    most = np.abs(changes).argmax(axis=1)
    largest = changes[np.arange(len(most)), most]
    found = pd.DataFrame(
        {
            "votes": voters.sizes,
            "lead": changes[:, first] - changes[:, second],
            "largest": largest,
            "model": np.array(rated, dtype=object)[most],
        },
        index=pd.Index(voters.voters, name=by),
    )
    return found.iloc[np.argsort(-np.abs(largest), kind="stable")]


def _rated(battles: Battles, fit: BradleyTerry) -> list[str]:
    if tuple(fit.ratings.index) != battles.models:
        raise OptionError("the fit is of other models than these votes")
    return list(fit.ratings.index[fit.ratings.notna()])


class _Parts(ABC):
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
            return None if point is None else bool(point[rival] - point[leader] > _LEADS)

        return _bisect(flips, guess=int(min(estimate, most)), most=most)


class _Votes(_Parts):
    """Single votes; those of one cell with one answer are alike."""

    def __init__(self, battles: Battles, fit: BradleyTerry) -> None:
        super().__init__(fit)
        self.design, self.weight = fit.design, fit.design.counts
        if fit.covariates:
            scored = score_votes(battles, fit)
            self.count = scored.total(np.ones(len(scored.rows)))
        else:
            rated = fit.ratings.notna().to_numpy()
            tally = self.design.rules.apply(battles.counts)[:, rated][:, :, rated]
            self.count = fold_cells(tally, sides=fit.side)[2]
        self.score = np.concatenate(
            [block.at(fit.point).score for block in self.design.blocks()], axis=2
        )
        self.total = int(self.count.sum())

    def changes(self, leader: int, rival: int) -> tuple[Floats, Codes]:
        along = self.design.along(self.inverse[leader] - self.inverse[rival])
        change = -np.einsum("okc,kc->oc", self.score, along)
        mean = np.divide(self.weight, self.count, out=0 * self.weight, where=self.count > 0)
        return (change * mean).ravel(), self.count.astype(np.intp).ravel()

    def without(self, order: Codes, parts: int) -> Floats:
        alike = self.count.ravel()[order]
        taken = np.clip(parts - (np.cumsum(alike) - alike), 0, alike)
        kept = np.ones(self.count.size)
        kept[order] -= taken / np.maximum(alike, 1)
        return self.weight * kept.reshape(self.weight.shape)

    def votes(self, leader: int, rival: int, parts: int) -> int:
        return parts


class _Voters(_Parts):
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
        self.scores = sum_scores(self.scored, slice(None), self.cluster, len(self.voters))
        self.design = self.scored.design
        self.total = len(self.scored.rows)

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


def _fewest_added(fit: BradleyTerry, leader: int, rival: int) -> int | None:
    """Votes for the rival against the leader until it leads."""
    design, prior = fit.design, prior_of(fit)
    left, right = np.append(design.left, rival), np.append(design.right, leader)
    extras = tuple(
        extra if extra.column is None else extra._replace(column=np.append(extra.column, 0.0))
        for extra in design.extras
    )

    def flips(votes: int) -> bool | None:
        counts = np.column_stack([design.counts, np.array([votes, 0.0, 0.0, 0.0])])
        more = Design(design.size, left, right, counts, design.rules, extras)
        point = refit(more, prior_sd=prior.sd, start=fit.point)
        return None if point is None else bool(point[rival] - point[leader] > _LEADS)

    variance = 4 / max(float(design.counts.sum()) / design.size, 1.0)
    lead = float(fit.point[leader] - fit.point[rival])
    return _bisect(flips, guess=int(lead / variance) + 1, most=_MOST_ADDED)


def _bisect(flips: Flip, *, guess: int, most: int) -> int | None:
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
