"""What would change the first place: how few votes, or voters, decide who leads.

Leaving a vote out moves the estimate by about -H^- s, with H the information and s the vote's score
(the infinitesimal jackknife); leaving out a voter with much of it, by -(H - H_g)^- s_g. In the
order of what they do to the lead of the first over a challenger, the first votes are the few that
matter most (Broderick, Giordano and Meager 2020; for leaderboards Huang, Shen, Wei and Broderick
2025). That order only proposes: every number given here is of a refit in which the first place did
change, and in which one vote (or voter) fewer did not change it. Another order may need fewer.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from ratings.diagnostics.removal import LEADS, Parts, SingleVotes, WholeVoters, smallest_that_flips
from ratings.model.bradley_terry import ELO_PER_STRENGTH, BradleyTerry, check_same_votes
from ratings.model.design import Design
from ratings.model.refit import prior_of, refit
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import find_cluster_column

_RIVALS = 3  # challengers that are tried: those for whom least is needed by the first estimate
_MOST_ADDED = 1 << 40


@dataclass(frozen=True)
class Fragility:
    """The fewest votes, or voters, found without which another model is first.

    Attributes:
        status: "ok"; "alone" where fewer than two models are rated; "tied" where two models share
            the highest rating, so that any vote decides; "votes run out" where leaving them out
            leaves a model without a rating, or the two level, before it changes who is first, so
            that only `added` tells how sure the first place is; "firm" where leaving out all that
            speaks for the first leaves everyone rated and it still leads.
        first: the model that leads; None if nobody is rated.
        challenger: the one that would lead instead, or shares the first place.
        votes: how many votes to leave out; None without the status "ok".
        share: of the votes among rated models.
        added: how many votes for the challenger against the first would change it too; None where
            no number does, or nobody challenges.
        total: votes among rated models that the tie rules use.
        by: column of the voters that are left out with all of their votes; None: single votes.
        voters: their names, the most important first; empty without `by`.
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
    """The smallest number of votes found that would change the first place.

    Args:
        battles: the votes.
        fit: their ratings.
        by: column of voters, such as "voter"; None: single votes.

    Raises:
        OptionError: no such column, or a fit of other votes.
    """
    rated = _rated(battles, fit)
    column = find_cluster_column(battles.frame, by)
    if len(rated) < 2:
        return Fragility("alone", rated[0] if rated else None, by=column)
    strengths = fit.params[: len(rated)]
    leader, second = (int(place) for place in np.argsort(-strengths, kind="stable")[:2])
    parts: Parts
    parts = SingleVotes(battles, fit) if column is None else WholeVoters(battles, fit, column)
    weight = float(fit.design.counts.sum()) / parts.total if parts.total else 1.0

    def found(status: str, rival: int, fewest: int | None = None) -> Fragility:
        votes = None if fewest is None else parts.votes(leader, rival, fewest)
        return Fragility(
            status,
            first=rated[leader],
            challenger=rated[rival],
            votes=votes,
            share=None if votes is None else votes / parts.total,
            added=_fewest_added(fit, leader, rival, weight),
            total=parts.total,
            by=column,
            voters=() if fewest is None else parts.names(leader, rival, fewest),
        )

    if strengths[leader] - strengths[second] <= LEADS:
        return found("tied", second)
    best: tuple[int, int] | None = None
    rivals = parts.most_likely(leader, _RIVALS)
    for estimate, candidate in rivals:
        most = None if best is None else best[0] - 1
        fewest = parts.fewest(leader, candidate, estimate, most)
        if fewest is not None:
            best = fewest, candidate
    if best is not None:
        return found("ok", best[1], best[0])
    status = "votes run out" if parts.ran_out else "firm"
    each = [found(status, candidate) for _, candidate in rivals]
    return min(each, key=lambda one: np.inf if one.added is None else one.added)


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
        OptionError: no such column, or a fit of other votes.
    """
    rated = _rated(battles, fit)
    if len(rated) < 2:
        columns = ["votes", "lead", "largest", "model"]
        return pd.DataFrame(columns=columns, index=pd.Index([], name=by))
    voters = WholeVoters(battles, fit, by)
    first, second = np.argsort(-fit.params[: len(rated)], kind="stable")[:2]
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
    check_same_votes(battles, fit)
    return list(fit.ratings.index[fit.ratings.notna()])


def _fewest_added(fit: BradleyTerry, leader: int, rival: int, weight: float) -> int | None:
    """Votes of this weight for the rival against the leader until it leads."""
    design, prior = fit.design, prior_of(fit)
    left, right = np.append(design.left, rival), np.append(design.right, leader)
    extras = tuple(
        extra if extra.column is None else extra._replace(column=np.append(extra.column, 0.0))
        for extra in design.extras
    )

    start = fit.params

    def ahead(votes: int) -> float | None:
        nonlocal start
        counts = np.column_stack([design.counts, np.array([votes * weight, 0.0, 0.0, 0.0])])
        more = Design(design.size, left, right, counts, design.rules, extras)
        point = refit(more, prior_sd=prior.sd, start=start)
        if point is None:
            return None
        start = point
        return float(point[rival] - point[leader])

    direction = np.zeros(design.n_params)
    direction[rival], direction[leader] = 1, -1
    now = float(start[rival] - start[leader])
    moved = design.invert(design.information(start) + prior.precision) @ direction
    # A vote moves the gap by its score, which falls to 1/2 on the way.
    each = weight * float(direction @ moved) * (expit(-now) + 0.5) / 2
    return smallest_that_flips(ahead, now=now, guess=int(np.ceil(-now / each)), most=_MOST_ADDED)
