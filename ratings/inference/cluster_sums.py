"""Clustered intervals from sums over clusters, kept up to date as votes are added.

A vote on the pair k of models i and j, i before j, has under ties="half" the score x_k (y - p_k),
with x_k = e_i - e_j, y = 1, 1/2 or 0 for a win of i, a tie or a loss, and p_k the probability that
i wins. With N_gk the votes of cluster g on pair k and Y_gk the sum of their y, the cluster's score
is s_g = X' (Y_g - N_g p), elementwise in pairs, so that the middle of the sandwich is

    sum over g of s_g s_g' = X' (A - B P - P B' + P C P) X

with P = diag(p) and the sums A = sum Y_g Y_g', B = sum Y_g N_g' and C = sum N_g N_g', which do not
depend on the ratings: a new vote changes only what involves its own cluster. Computing intervals
then takes time in proportion to the square of the number of pairs, whatever the number of votes.

Two parts need the clusters themselves. Clusters with much of the information, whose scores are
corrected (`clusters`), are kept as votes. The degrees of freedom need the fourth powers of the
clusters' contributions, which are kept for the ratings of the last build: `sandwich` raises
`OutdatedSums` once the ratings have moved so far that an interval could change by `TOLERANCE`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from ratings.arrays import AnyCodes, Codes, Floats, Mask
from ratings.distributions import student_quantile
from ratings.errors import OptionError
from ratings.inference.clusters import (
    MIN_LEVERAGE,
    NORMAL_KURTOSIS,
    Sandwich,
    cluster_corrections,
)
from ratings.inference.vote_scores import score_votes
from ratings.model.bradley_terry import ELO_PER_STRENGTH, BradleyTerry
from ratings.votes.battles import Battles

if TYPE_CHECKING:
    from scipy.sparse import csr_array

TOLERANCE = 2e-5  # Elo points
_LARGE_SHARE = 0.5  # clusters from this share of the leverage on are kept as votes
_BLOCK = 1 << 12  # clusters summed at once
_MAX_PAIRS = 1300  # three matrices of pairs by pairs: 40 MB
_HALF = np.array([1.0, 0.0, 0.5, 0.5])  # y by outcome, for the left side


_OUTDATED = "the sums over clusters no longer give these votes' intervals: build them again"


class OutdatedSums(OptionError):
    """Sums over clusters that must be built again from the votes."""


@dataclass(frozen=True, eq=False)
class ClusterVotes:
    """Votes with their clusters.

    Attributes:
        left: code of the left model, shape (votes,).
        right: code of the right model.
        outcome: `Outcome` of each vote.
        cluster: code of the cluster, from 0.
    """

    left: AnyCodes
    right: AnyCodes
    outcome: AnyCodes
    cluster: AnyCodes

    def select(self, chosen: Mask | Codes) -> "ClusterVotes":
        """A subset of the votes."""
        return ClusterVotes(
            self.left[chosen], self.right[chosen], self.outcome[chosen], self.cluster[chosen]
        )

    def followed_by(self, others: "ClusterVotes") -> "ClusterVotes":
        """These votes, then others."""
        return ClusterVotes(
            np.concatenate([self.left, others.left]),
            np.concatenate([self.right, others.right]),
            np.concatenate([self.outcome, others.outcome]),
            np.concatenate([self.cluster, others.cluster]),
        )


class ClusterSums:
    """Sums over clusters of votes, under ties="half" and both_bad="tie".

    Args:
        models: the names, in the order of the codes.
        votes: all votes; each model that has any must be rated by `fit`.
        fit: their ratings.
        column: name of what clusters are, such as "voter".

    Raises:
        OptionError: other rules, too many models, or votes on models without a rating.
    """

    def __init__(
        self, models: tuple[str, ...], votes: ClusterVotes, fit: BradleyTerry, *, column: str
    ) -> None:
        rules = fit.design.rules
        pairs = len(models) * (len(models) - 1) // 2
        if (rules.ties, rules.both_bad) != ("half", "tie") or fit.design.extras:
            raise OptionError("sums over clusters need ties='half', both_bad='tie' and no effects")
        if pairs > _MAX_PAIRS:
            raise OptionError(f"{len(models)} models have too many pairs for sums over clusters")
        self.models, self.column = models, column
        self._low, self._high = np.triu_indices(len(models), 1)
        self._pair_of = np.zeros((len(models),) * 2, dtype=np.intp)
        self._pair_of[self._low, self._high] = self._pair_of[self._high, self._low] = np.arange(
            pairs
        )
        self._check_rated(votes, fit)
        self.counts = np.bincount(votes.cluster).astype(np.float64)
        inverse = fit.design.invert(fit.design.information(fit.params))
        bound = self.counts * inverse.diagonal().max(initial=0.0)
        self._is_large = bound > _LARGE_SHARE * MIN_LEVERAGE
        in_large = self._is_large[votes.cluster]
        self.large = votes.select(np.flatnonzero(in_large))
        self._strengths = self._all_strengths(fit)
        self._to_ratings = self._rating_map(fit, inverse)
        self.yy, self.yn, self.nn = (np.zeros((pairs, pairs)) for _ in range(3))
        self.second, self.fourth = np.zeros(len(models)), np.zeros(len(models))
        small = votes if not in_large.any() else votes.select(np.flatnonzero(~in_large))
        order = np.argsort(small.cluster, kind="stable")
        sizes = self.counts * ~self._is_large
        ends = np.cumsum(sizes).astype(np.intp)
        for start in range(0, len(sizes), _BLOCK):
            stop = min(start + _BLOCK, len(sizes))
            first = int(ends[start - 1]) if start else 0
            part = small.select(order[first : int(ends[stop - 1])])
            self._add_block(part, part.cluster - start, stop - start)

    @property
    def clusters(self) -> int:
        """Number of clusters that have votes."""
        return int((self.counts > 0).sum())

    def add(self, before: ClusterVotes, new: ClusterVotes) -> None:
        """Add votes.

        Args:
            before: all earlier votes of the clusters that the new votes are of; those of other
                clusters are not used.
            new: the new votes.
        """
        before = before.select(np.flatnonzero(np.isin(before.cluster, new.cluster)))
        size = int(new.cluster.max(initial=-1)) + 1
        if size > len(self.counts):
            more = size - len(self.counts)
            self.counts = np.concatenate([self.counts, np.zeros(more)])
            self._is_large = np.concatenate([self._is_large, np.zeros(more, dtype=bool)])
        self.counts += np.bincount(new.cluster, minlength=len(self.counts))
        large = self._is_large[new.cluster]
        if large.any():
            self.large = self.large.followed_by(new.select(large))
            new = new.select(~large)
            before = before.select(~self._is_large[before.cluster])
        known, codes = np.unique(new.cluster, return_inverse=True)
        earlier = np.searchsorted(known, before.cluster)
        n_before, y_before = self._tables(before, earlier, len(known))
        n_new, y_new = self._tables(new, codes, len(known))
        n_after, y_after = n_before + n_new, y_before + y_new
        for total, change in (
            (self.nn, n_new.T @ n_after + n_before.T @ n_new),
            (self.yn, y_new.T @ n_after + y_before.T @ n_new),
            (self.yy, y_new.T @ y_after + y_before.T @ y_new),
        ):
            entries = change.tocoo()
            np.add.at(total, (entries.coords[0], entries.coords[1]), entries.data)
        self._add_squares(n_after, y_after, 1.0)
        self._add_squares(n_before, y_before, -1.0)

    def replace(self, before: ClusterVotes, after: ClusterVotes) -> None:
        """Replace all votes of some clusters, because some of them no longer count, or do again.

        Args:
            before: all votes of these clusters so far.
            after: all their votes from now on.
        """
        size = 1 + max(int(votes.cluster.max(initial=-1)) for votes in (before, after))
        if size > len(self.counts):
            more = size - len(self.counts)
            self.counts = np.concatenate([self.counts, np.zeros(more)])
            self._is_large = np.concatenate([self._is_large, np.zeros(more, dtype=bool)])
        self.counts -= np.bincount(before.cluster, minlength=len(self.counts))
        self.counts += np.bincount(after.cluster, minlength=len(self.counts))
        if self._is_large[before.cluster].any() or self._is_large[after.cluster].any():
            is_replaced = np.zeros(len(self.counts), dtype=bool)
            is_replaced[before.cluster] = is_replaced[after.cluster] = True
            kept = self.large.select(~is_replaced[self.large.cluster])
            self.large = kept.followed_by(after.select(self._is_large[after.cluster]))
        for votes, sign in ((before, -1.0), (after, 1.0)):
            small = votes.select(~self._is_large[votes.cluster])
            if not len(small.cluster):
                continue
            known, codes = np.unique(small.cluster, return_inverse=True)
            n, y = self._tables(small, codes, len(known))
            for total, change in ((self.nn, n.T @ n), (self.yn, y.T @ n), (self.yy, y.T @ y)):
                entries = change.tocoo()
                np.add.at(total, (entries.coords[0], entries.coords[1]), sign * entries.data)
            self._add_squares(n, y, sign)

    def _add_squares(self, n: "csr_array", y: "csr_array", sign: float) -> None:
        squares = self._contributions(n, y) ** 2
        self.second += sign * squares.sum(axis=0)
        self.fourth += sign * (squares**2).sum(axis=0)

    def sandwich(self, fit: BradleyTerry, inverse: Floats, contrast: Floats) -> Sandwich:
        """The middle of the sandwich, as `cluster_sandwich` computes it from all votes.

        Args:
            fit: ratings of all votes that were added.
            inverse: pseudo-inverse of the information, shape (n_params, n_params).
            contrast: linear map from parameters to ratings, shape (m, n_params).

        Raises:
            OutdatedSums: the ratings moved too far, a cluster became large, other models are rated,
                or there are fewer than two clusters.
        """
        rated = np.flatnonzero(fit.ratings.notna().to_numpy())
        bound = self.counts * inverse.diagonal().max(initial=0.0)
        if (bound[~self._is_large] > MIN_LEVERAGE).any() or fit.design.extras or self.clusters < 2:
            raise OutdatedSums(_OUTDATED)
        if not np.isin(np.flatnonzero(self.nn.diagonal() > 0), self._pairs_among(rated)).all():
            raise OutdatedSums(_OUTDATED)
        strengths = self._all_strengths(fit)
        moved = strengths - self._strengths
        moved = moved[rated] - moved[rated].mean()
        chance = expit(strengths[self._low] - strengths[self._high])
        x = self._design_matrix()
        # The sum of (y - chance n)(y - chance n)' over clusters, but for its antisymmetric part.
        covered = (self.nn * chance[:, None] - 2 * self.yn) * chance + self.yy
        half = x.T @ (x.T @ covered).T
        meat = (half + half.T) / 2
        meat = meat[np.ix_(rated, rated)]
        to_ratings = inverse @ contrast.T
        second, fourth = self.second[rated].copy(), self.fourth[rated].copy()
        if len(self.large.cluster):
            scores = self._large_scores(fit, inverse)
            meat = meat + scores.T @ scores
            squares = (scores @ to_ratings) ** 2
            second, fourth = second + squares.sum(axis=0), fourth + (squares**2).sum(axis=0)
        clusters = self.clusters
        df = np.full(len(contrast), np.inf)
        np.divide(NORMAL_KURTOSIS * second**2, fourth, out=df, where=fourth > 0)
        df = np.clip(df, 1.0, max(clusters - 1, 1))
        meat = meat * clusters / max(clusters - 1, 1)
        if self._could_change(df, meat, to_ratings, float(np.abs(moved).max(initial=0.0))):
            raise OutdatedSums(_OUTDATED)
        return Sandwich(meat, df)

    def _could_change(self, df: Floats, meat: Floats, to_ratings: Floats, moved: float) -> bool:
        """Whether degrees of freedom off by the movement of the ratings could change an interval.

        A contribution changes relatively by about the movement, so the degrees by a few times it.
        """
        error = np.sqrt(np.maximum(np.einsum("ij,ik,kj->j", to_ratings, meat, to_ratings), 0))
        width = ELO_PER_STRENGTH * error
        finite = np.isfinite(df)
        if not finite.any():
            return False
        lower = df[finite] * (1 - np.minimum(4 * moved, 0.5))
        change = student_quantile(0.975, lower) - student_quantile(0.975, df[finite])
        return bool((width[finite] * change > TOLERANCE).any())

    def _check_rated(self, votes: ClusterVotes, fit: BradleyTerry) -> None:
        used = np.zeros(len(self.models), dtype=bool)
        used[votes.left] = used[votes.right] = True
        if (used & fit.ratings.isna().to_numpy()).any():
            raise OptionError("sums over clusters need a rating of every model with votes")

    def _all_strengths(self, fit: BradleyTerry) -> Floats:
        """Strength of every model; 0 without a rating."""
        strengths = np.zeros(len(self.models))
        strengths[fit.ratings.notna().to_numpy()] = fit.params[: fit.design.size]
        return strengths

    def _rating_map(self, fit: BradleyTerry, inverse: Floats) -> Floats:
        """From scores of all models to ratings about their mean, shape (models, models)."""
        rated = np.flatnonzero(fit.ratings.notna().to_numpy())
        size = len(rated)
        mapped = np.zeros((len(self.models),) * 2)
        centred = inverse[:size, :size] @ (np.eye(size) - 1 / max(size, 1))
        mapped[np.ix_(rated, rated)] = centred
        return mapped

    def _pairs_among(self, rated: Codes) -> Codes:
        inside = np.zeros(len(self.models), dtype=bool)
        inside[rated] = True
        return np.flatnonzero(inside[self._low] & inside[self._high])

    def _design_matrix(self) -> "csr_array":
        """x_k of every pair, shape (pairs, models)."""
        from scipy.sparse import csr_array  # loads slowly, and most ratings need no sums

        pairs = np.arange(len(self._low))
        ones = np.ones(len(pairs))
        entries = np.concatenate([ones, -ones])
        rows, columns = np.tile(pairs, 2), np.concatenate([self._low, self._high])
        return csr_array((entries, (rows, columns)), shape=(len(pairs), len(self.models)))

    def _tables(
        self, votes: ClusterVotes, cluster: AnyCodes, clusters: int
    ) -> "tuple[csr_array, csr_array]":
        """Votes N and sums of y, Y, by cluster and pair, shape (clusters, pairs) each."""
        from scipy.sparse import csr_array

        pair = self._pair_of[votes.left, votes.right]
        y = _HALF[votes.outcome]
        y = np.where(votes.left > votes.right, 1 - y, y)
        shape = (clusters, len(self._low))
        n_table = csr_array((np.ones(len(pair)), (cluster, pair)), shape=shape)
        y_table = csr_array((y, (cluster, pair)), shape=shape)
        n_table.sum_duplicates()
        y_table.sum_duplicates()
        return n_table, y_table

    def _contributions(self, n: "csr_array", y: "csr_array") -> Floats:
        """Contributions of clusters to the ratings of the last build, shape (clusters, models)."""
        strengths = self._strengths
        chance = expit(strengths[self._low] - strengths[self._high])
        x_to_ratings = self._design_matrix() @ self._to_ratings
        contributions: Floats = y @ x_to_ratings - n @ (chance[:, None] * x_to_ratings)
        return contributions

    def _add_block(self, votes: ClusterVotes, cluster: AnyCodes, clusters: int) -> None:
        n, y = self._tables(votes, cluster, clusters)
        dense = n.nnz > 0.05 * n.shape[0] * n.shape[1]
        a, b = (n.toarray(), y.toarray()) if dense else (n, y)
        self.nn += a.T @ a
        self.yn += b.T @ a
        self.yy += b.T @ b
        squares = self._contributions(n, y) ** 2
        self.second += squares.sum(axis=0)
        self.fourth += (squares**2).sum(axis=0)

    def _large_scores(self, fit: BradleyTerry, inverse: Floats) -> Floats:
        """Corrected scores of the large clusters, shape (clusters, n_params)."""
        battles = Battles.from_codes(
            self.models, self.large.left, self.large.right, self.large.outcome
        )
        votes = score_votes(battles, fit)
        codes = np.unique(self.large.cluster, return_inverse=True)[1]
        number = int(codes.max()) + 1
        scores = votes.by_group(codes, number)
        # At least two clusters exist, whether large or not, or nothing would be corrected.
        corrections = cluster_corrections(votes, codes, max(number, self.clusters), inverse)
        for which, correction in corrections.items():
            scores[which] = correction @ scores[which]
        return scores
