"""Overdispersion of votes over time: votes of one voter are dependent, within and across periods.

Within a period the votes of one voter share a taste, but the likelihood counts each as independent
and takes the tastes of the voters of one period for a drift. Its information is too large by the
factor

    phi = sum_t tr(H^- M_t) / sum_t tr(H^- H_t)

with H_t the information of a period's votes, H their sum, and M_t the sum of squared scores by
voter (first-order correction, Rao and Scott 1981); the log-likelihood is divided by phi
(quasi-likelihood, Wedderburn 1974). Scores are first centred in their period, s_g - a_g sum(s) with
a_g the voter's share of its weight, and M_t is divided by 1 - sum(a_g^2): a true drift moves all
voters of a period and leaves phi unchanged.

Voters who come back bring the same taste to other periods, where it is not a drift either. The
sandwich covariance of a constant rating, from scores along the path, is then larger than phi H^-;
their ratio is the variance inflation of the bands.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ratings.arrays import Codes, Floats
from ratings.dynamic.dynamic_model import DynamicModel
from ratings.inference.clusters import cluster_codes, cluster_sandwich
from ratings.inference.uncertainty import squared_counts
from ratings.inference.vote_scores import VoteScores, score_votes
from ratings.votes.columns import Outcome

_BLOCK_NUMBERS = 1 << 24  # scores held in memory at once
_ROUNDING = 1e-9  # variances below it are rounding errors of 0


class VarianceInflation(NamedTuple):
    """Variance from voters who come back, relative to the overdispersed model's.

    Attributes:
        factor: ratio of each model's variances, 1 or more, shape (m,).
        df: degrees of freedom of the variance, shape (m,).
    """

    factor: Floats
    df: Floats


@dataclass(frozen=True, eq=False)
class PeriodVotes:
    """The votes of a dynamic model, with the period and the voter of each.

    Attributes:
        model: their likelihood.
        scores: score of each vote at constant strengths.
        period: period of each vote, shape (votes,).
        cluster: voter code of each vote, shape (votes,); None if every vote is independent.
    """

    model: DynamicModel
    scores: VoteScores
    period: Codes
    cluster: Codes | None

    @classmethod
    def of(cls, model: DynamicModel, columns: tuple[str, ...]) -> "PeriodVotes":
        """The votes of a model, with voters from these columns; () if votes are independent."""
        battles = model.battles
        scores = score_votes(battles, model.fit)
        cluster = cluster_codes(scores, battles, columns).astype(np.intp) if columns else None
        of_row = np.zeros(len(battles.frame), dtype=np.intp)
        of_row[battles.rows] = model.periods.of_vote
        scaled = scores._replace(weight=scores.weight * model.weight_scale)
        return cls(model, scaled, scores.of_rows(of_row), cluster)

    def dispersion(self) -> float:
        """Compute phi, by which the log-likelihood is divided."""
        by_vote = self._dispersion_by_vote()
        if self.cluster is None or not self.scores.votes:
            return by_vote
        model, votes = self.model, self.scores
        size, periods = model.size, len(model.designs)
        constant = np.tile(model.fit.params[:size], (periods, 1))
        information = model.score_and_information(constant)[2]
        total = information.sum(axis=0)
        metric = np.linalg.inv(total + np.trace(total) / size**2)  # scores sum to 0 over models
        voters = int(self.cluster.max()) + 1
        keys, group = np.unique(self.period * voters + self.cluster, return_inverse=True)
        period = keys // voters
        weight = np.bincount(group, votes.weight)
        share = weight / np.bincount(period, weight, minlength=periods)[period]
        correction = 1 - np.bincount(period, share**2, minlength=periods)
        several = correction > _ROUNDING  # periods with more than one voter
        expected = float(np.einsum("ij,tji->t", metric, information)[several].sum())
        if not expected > 0:
            return by_vote
        centre = votes.by_group(self.period, periods)[:, :size]
        order = np.argsort(group, kind="stable")
        observed = np.zeros(periods)
        block_size = max(1, _BLOCK_NUMBERS // model.fit.design.n_params)
        for start in range(0, len(keys), block_size):
            block = slice(start, min(start + block_size, len(keys)))
            first, last = np.searchsorted(group, [block.start, block.stop], sorter=order)
            rows = order[first:last]
            sums = votes.select(rows).by_group(group[rows] - start, block.stop - start)
            score = sums[:, :size] - share[block, None] * centre[period[block]]
            squared = ((score @ metric) * score).sum(axis=1)
            observed += np.bincount(period[block], squared, minlength=periods)
        # Votes of one voter less alike than those of different voters are due to chance.
        return max(by_vote, float((observed[several] / correction[several]).sum()) / expected)

    def _dispersion_by_vote(self) -> float:
        """Phi of independent votes: 1 unless they are weighted or ties count as half wins."""
        battles, fit = self.model.battles, self.model.fit
        design = fit.design
        halves = design.rules.ties == "half" and design.counts[Outcome.TIE].any()
        if battles.unequal_weight is None and not halves:
            return 1.0
        meat = squared_counts(battles, fit).squared_scores(fit.params)
        information = design.information(fit.params)
        inverse = design.invert(information)
        ratio = float((inverse * meat).sum() / (inverse * information).sum())
        phi = ratio * self.model.weight_scale
        return phi if phi > _ROUNDING else 1.0

    def variance_inflation(self, path: Floats, dispersion: float) -> VarianceInflation:
        """Compare the clustered variance along a path with the overdispersed model's.

        Args:
            path: strengths by period, shape (T, m).
            dispersion: phi.
        """
        fit = self.model.fit
        design = fit.design.scaled(self.model.weight_scale)
        size = design.size
        if self.cluster is None or not self.scores.votes:
            return VarianceInflation(np.ones(size), np.full(size, np.inf))
        inverse = design.invert(design.information(fit.params))
        contrast = np.eye(size, design.n_params)
        contrast[:, :size] -= 1 / size
        sandwich = cluster_sandwich(self._scores_along(path), self.cluster, inverse, contrast)
        to_ratings = contrast @ inverse
        clustered = ((to_ratings @ sandwich.meat) * to_ratings).sum(axis=1)
        modelled = dispersion * (to_ratings * contrast).sum(axis=1)
        ratio = np.divide(clustered, modelled, out=np.ones(size), where=modelled > 0)
        return VarianceInflation(np.maximum(ratio, 1.0), sandwich.df)

    def _scores_along(self, path: Floats) -> VoteScores:
        """The same votes, each scored at the strengths of its period."""
        votes, extras = self.scores, self.model.fit.params[self.model.size :]
        design, pairs = votes.design, len(votes.design.left)
        score = [design.evaluate(np.concatenate([strengths, extras])).score for strengths in path]
        tiled = replace(
            design,
            left=np.tile(design.left, len(path)),
            right=np.tile(design.right, len(path)),
            counts=np.zeros((len(design.counts), pairs * len(path))),
        )
        return votes._replace(
            pair=votes.pair.astype(np.intp) + self.period * pairs,
            design=tiled,
            score=np.concatenate(score, axis=2),
        )
