"""Fragility of the first place: how few votes, or voters, decide which model leads.

Removing a vote changes the estimate by about -H^- s, with H the information and s the vote's score
(the infinitesimal jackknife); removing a voter with much of the information, by -(H - H_g)^- s_g.
Ordered by their effect on the lead of the first model over a challenger, the first votes are the
most influential ones (Broderick, Giordano and Meager 2020; for leaderboards Huang, Shen, Wei and
Broderick 2025). The order is only a proposal: every number reported is of a refit in which the
first place did change, and did not with one vote (or voter) fewer. Another order may need fewer.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from ratings.diagnostics.removal import (
    MIN_LEAD,
    Removal,
    SingleVotes,
    WholeVoters,
    smallest_that_flips,
)
from ratings.model.bradley_terry import ELO_PER_STRENGTH, BradleyTerry, check_same_votes
from ratings.model.design import Design
from ratings.model.refit import prior_of, refit
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import find_cluster_column

_CHALLENGERS = 3  # tried by refits: those that need least to first order
_MAX_ADDED = 1 << 40


@dataclass(frozen=True)
class Fragility:
    """The fewest votes, or voters, found whose removal puts another model first.

    Attributes:
        status: "ok"; "alone" if fewer than two models are rated; "tied" if two models share the
            highest rating, so that any vote decides; "votes run out" if removing votes leaves a
            model without a rating, or the two level, before the first place changes, so that only
            `added` measures its fragility; "firm" if the first still leads without any of the votes
            in its favour and all models stay rated.
        first: the model that leads; None if no model is rated.
        challenger: the model that would lead instead, or shares the first place.
        votes: number of votes to remove; None unless the status is "ok".
        share: of the votes among rated models.
        added: number of votes for the challenger against the first that would also change the first
            place; None if no number does, or there is no challenger.
        total: votes among rated models that the tie rules use.
        by: column of the voters that are removed with all of their votes; None: single votes.
        voters: their names, the most influential first; empty without `by`.
    """

    status: str
    first: str | None
    challenger: str | None = None
    votes: int | None = None
    share: float | None = None
    added: int | None = None
    total: int = 0
    by: str | None = None
    voters: tuple[str, ...] = ()


def votes_to_flip(battles: Battles, fit: BradleyTerry, *, by: str | None = None) -> Fragility:
    """Find the smallest number of votes, or voters, whose removal changes the first place.

    Args:
        battles: the votes.
        fit: their ratings.
        by: column of voters, such as "voter"; None removes single votes.

    Raises:
        OptionError: no such column, or a fit of other votes.
    """
    rated = _rated(battles, fit)
    column = find_cluster_column(battles.frame, by)
    if len(rated) < 2:
        return Fragility("alone", rated[0] if rated else None, by=column)
    strengths = fit.params[: len(rated)]
    leader, second = (int(code) for code in np.argsort(-strengths, kind="stable")[:2])
    removal: Removal
    removal = SingleVotes(battles, fit) if column is None else WholeVoters(battles, fit, column)
    weight = float(fit.design.counts.sum()) / removal.total if removal.total else 1.0

    def result(status: str, challenger: int, fewest: int | None = None) -> Fragility:
        votes = None if fewest is None else removal.votes(leader, challenger, fewest)
        return Fragility(
            status,
            first=rated[leader],
            challenger=rated[challenger],
            votes=votes,
            share=None if votes is None else votes / removal.total,
            added=_fewest_added(fit, leader, challenger, weight),
            total=removal.total,
            by=column,
            voters=() if fewest is None else removal.names(leader, challenger, fewest),
        )

    if strengths[leader] - strengths[second] <= MIN_LEAD:
        return result("tied", second)
    best: tuple[int, int] | None = None
    candidates = removal.likely_challengers(leader, _CHALLENGERS)
    for estimate, candidate in candidates:
        maximum = None if best is None else best[0] - 1
        fewest = removal.fewest(leader, candidate, estimate, maximum)
        if fewest is not None:
            best = fewest, candidate
    if best is not None:
        return result("ok", best[1], best[0])
    status = "votes run out" if removal.ran_out else "firm"
    results = [result(status, candidate) for _, candidate in candidates]
    return min(results, key=lambda each: np.inf if each.added is None else each.added)


def influence(battles: Battles, fit: BradleyTerry, *, by: str = "voter") -> pd.DataFrame:
    """Influence of each voter: the effect of removing it, by one Newton step.

    Args:
        battles: the votes.
        fit: their ratings.
        by: column of voters.

    Returns:
        By voter, the most influential first: `votes`; `lead`, the change of the first model's lead
        over the second; `largest`, the largest change of any rating; `model`, the model with that
        change. In Elo points.

    Raises:
        OptionError: no such column, or a fit of other votes.
    """
    rated = _rated(battles, fit)
    if len(rated) < 2:
        columns = ["votes", "lead", "largest", "model"]
        return pd.DataFrame(columns=columns, index=pd.Index([], name=by))
    voters = WholeVoters(battles, fit, by)
    first, second = np.argsort(-fit.params[: len(rated)], kind="stable")[:2]
    changes = -ELO_PER_STRENGTH * voters.scores @ voters.inverse[:, : len(rated)]
    model = np.abs(changes).argmax(axis=1)
    largest = changes[np.arange(len(model)), model]
    table = pd.DataFrame(
        {
            "votes": voters.sizes,
            "lead": changes[:, first] - changes[:, second],
            "largest": largest,
            "model": np.array(rated, dtype=object)[model],
        },
        index=pd.Index(voters.voters, name=by),
    )
    return table.iloc[np.argsort(-np.abs(largest), kind="stable")]


def _rated(battles: Battles, fit: BradleyTerry) -> list[str]:
    """Names of the rated models, after checking that the fit is of these votes."""
    check_same_votes(battles, fit)
    return list(fit.ratings.index[fit.ratings.notna()])


def _fewest_added(fit: BradleyTerry, leader: int, challenger: int, weight: float) -> int | None:
    """The fewest votes of a weight for the challenger against the leader that put it first."""
    design, prior = fit.design, prior_of(fit)
    left, right = np.append(design.left, challenger), np.append(design.right, leader)
    extras = tuple(
        extra if extra.column is None else extra._replace(column=np.append(extra.column, 0.0))
        for extra in design.extras
    )

    start = fit.params

    def lead(votes: int) -> float | None:
        nonlocal start
        counts = np.column_stack([design.counts, np.array([votes * weight, 0.0, 0.0, 0.0])])
        extended = Design(design.size, left, right, counts, design.rules, extras)
        params = refit(extended, prior_sd=prior.sd, start=start)
        if params is None:
            return None
        start = params
        return float(params[challenger] - params[leader])

    direction = np.zeros(design.n_params)
    direction[challenger], direction[leader] = 1, -1
    now = float(start[challenger] - start[leader])
    shift = design.invert(design.information(start) + prior.precision) @ direction
    # A vote changes the log odds in proportion to its score, which falls to 1/2 at equality.
    each = weight * float(direction @ shift) * (expit(-now) + 0.5) / 2
    guess = int(np.ceil(-now / each))
    return smallest_that_flips(lead, now=now, guess=guess, maximum=_MAX_ADDED)
