"""How far votes of one voter are alike, within a period and across periods.

Within a period the votes of one voter share a taste, but the likelihood counts each as news, and
takes the tastes of those who came in one period for a drift. Its curvature is too large by

    phi = sum_t tr(H^- M_t) / sum_t tr(H^- H_t)

with H_t the information of a period's votes, H their sum, and M_t the sum of squared scores by
voter (first-order correction, Rao and Scott 1981); the log-likelihood is divided by phi
(quasi-likelihood, Wedderburn 1974). Scores are first centred in their period, s_g - a_g sum(s) with
a_g the voter's share of its weight, and M_t is divided by 1 - sum(a_g^2): a true drift moves all
voters of a period and leaves phi alone.

Voters who come back bring the same taste to other periods, where it is no drift either. The
sandwich of a constant rating, from scores along the path, is then larger than phi H^-; bands are
wider by the root of that ratio.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ratings.arrays import Codes, Floats
from ratings.dynamic.dynamic_model import Course
from ratings.inference.clusters import cluster_codes, cluster_sandwich
from ratings.inference.uncertainty import squared_counts
from ratings.inference.vote_scores import VoteScores, score_votes
from ratings.votes.columns import Outcome

_AT_ONCE = 1 << 24  # scores held at once
_LEAST = 1e-9  # below it the votes have no spread at all, and what is left is rounding


class Widening(NamedTuple):
    """What is left of alike votes after the dispersion.

    Attributes:
        factor: of each model's standard error, shape (m,).
        df: degrees of freedom of its variance, shape (m,).
    """

    factor: Floats
    df: Floats


@dataclass(frozen=True, eq=False)
class PeriodVotes:
    """The votes that a course is fitted to, with the period and the voter of each.

    Attributes:
        course: its likelihood.
        scores: of each vote at constant strengths.
        period: of each vote, shape (votes,).
        cluster: code of each vote's voter, shape (votes,); None where every vote is independent.
    """

    course: Course
    scores: VoteScores
    period: Codes
    cluster: Codes | None

    @classmethod
    def of(cls, course: Course, columns: tuple[str, ...]) -> "PeriodVotes":
        """Of votes whose voters are told by these columns, or by none."""
        battles = course.battles
        scores = score_votes(battles, course.fit)
        cluster = cluster_codes(scores, battles, columns).astype(np.intp) if columns else None
        of_row = np.zeros(len(battles.frame), dtype=np.intp)
        of_row[battles.rows] = course.periods.of_vote
        scaled = scores._replace(weight=scores.weight * course.scale)
        return cls(course, scaled, scores.of_rows(of_row), cluster)

    def dispersion(self) -> float:
        """Phi: what the course's log-likelihood is to be divided by."""
        by_vote = self._by_vote()
        if self.cluster is None or not self.scores.votes:
            return by_vote
        course, votes = self.course, self.scores
        size, periods = course.size, len(course.designs)
        curvature = course.derive(np.tile(course.fit.params[:size], (periods, 1)))[2]
        total = curvature.sum(axis=0)
        metric = np.linalg.inv(total + np.trace(total) / size**2)  # scores sum to 0 over models
        clusters = int(self.cluster.max()) + 1
        key, group = np.unique(self.period * clusters + self.cluster, return_inverse=True)
        period = key // clusters
        weight = np.bincount(group, votes.weight)
        share = weight / np.bincount(period, weight, minlength=periods)[period]
        room = 1 - np.bincount(period, share**2, minlength=periods)
        several = room > _LEAST
        information = float(np.einsum("ij,tji->t", metric, curvature)[several].sum())
        if not information > 0:
            return by_vote
        centre = votes.by_group(self.period, periods)[:, :size]
        order = np.argsort(group, kind="stable")
        spread = np.zeros(periods)
        held = max(1, _AT_ONCE // course.fit.design.n_params)
        for start in range(0, len(key), held):
            part = slice(start, min(start + held, len(key)))
            first, last = np.searchsorted(group, [part.start, part.stop], sorter=order)
            chosen = order[first:last]
            own = votes.select(chosen).by_group(group[chosen] - start, part.stop - start)
            score = own[:, :size] - share[part, None] * centre[period[part]]
            squared = ((score @ metric) * score).sum(axis=1)
            spread += np.bincount(period[part], squared, minlength=periods)
        # Votes of a voter that are less alike than those of different voters are an accident.
        return max(by_vote, float((spread[several] / room[several]).sum()) / information)

    def _by_vote(self) -> float:
        """Phi of independent votes: 1 unless they are weighted or a tie is half a vote twice."""
        battles, fit = self.course.battles, self.course.fit
        design = fit.design
        halves = design.rules.ties == "half" and design.counts[Outcome.TIE].any()
        if battles.unequal_weight is None and not halves:
            return 1.0
        meat = squared_counts(battles, fit).squared_scores(fit.params)
        information = design.information(fit.params)
        inverse = design.invert(information)
        found = float((inverse * meat).sum() / (inverse * information).sum()) * self.course.scale
        return found if found > _LEAST else 1.0

    def widening(self, path: Floats, dispersion: float) -> Widening:
        """Of bands about this path, shape (periods, m), beyond the dispersion."""
        fit = self.course.fit
        design = fit.design.scaled(self.course.scale)
        size = design.size
        if self.cluster is None or not self.scores.votes:
            return Widening(np.ones(size), np.full(size, np.inf))
        inverse = design.invert(design.information(fit.params))
        about_mean = np.eye(size, design.n_params)
        about_mean[:, :size] -= 1 / size
        found = cluster_sandwich(self._along(path), self.cluster, inverse, about_mean)
        to_ratings = about_mean @ inverse
        clustered = ((to_ratings @ found.meat) * to_ratings).sum(axis=1)
        counted = dispersion * (to_ratings * about_mean).sum(axis=1)
        ratio = np.divide(clustered, counted, out=np.ones(size), where=counted > 0)
        return Widening(np.sqrt(np.maximum(ratio, 1.0)), found.df)

    def _along(self, path: Floats) -> VoteScores:
        """The same votes, each scored where the path is in its period."""
        votes, extras = self.scores, self.course.fit.params[self.course.size :]
        design, cells = votes.design, len(votes.design.left)
        score = [design.evaluate(np.concatenate([strengths, extras])).score for strengths in path]
        tiled = replace(
            design,
            left=np.tile(design.left, len(path)),
            right=np.tile(design.right, len(path)),
            counts=np.zeros((len(design.counts), cells * len(path))),
        )
        return votes._replace(
            pair=votes.pair.astype(np.intp) + self.period * cells,
            design=tiled,
            score=np.concatenate(score, axis=2),
        )
