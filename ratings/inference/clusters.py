"""Sums of scores by cluster, for votes that are not independent, such as those of one voter.

The covariance of an estimate clustered by G values is H^- (sum over g of s_g s_g') H^-, with s_g
the sum of a cluster's scores (Liang and Zeger 1986). Residuals are smaller than errors, most of all
in clusters with much of the information, so each s_g is first multiplied by (I - H_g H^-)^(-1/2),
with H_g the information of the cluster (CR2: Bell and McCaffrey 2002; Pustejovsky and Tipton 2018).
If few clusters carry the variance, it is itself uncertain: intervals then use Student's t with the
degrees of freedom `Sandwich.df`.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.arrays import AnyCodes, Codes, Floats
from ratings.inference.vote_scores import VoteScores, chunks
from ratings.model.outcomes import OUTCOMES
from ratings.votes.battles import Battles
from ratings.votes.columns import factorize

_MAX_SCORES = 1 << 24  # numbers held in memory at once
_CLUSTER_BATCH = 1 << 13
MIN_LEVERAGE = 0.02  # below this share of one parameter's information a correction is under 1%
_MAX_CORRECTED = 1000
_MAX_PAIRS = 1 << 12  # for which information is summed over all pairs
_MIN_OUTSIDE = 1e-2  # share of a direction's information outside the cluster
NORMAL_KURTOSIS = 3.0


class Sandwich(NamedTuple):
    """The middle of the sandwich, and its degrees of freedom.

    Attributes:
        meat: sum of the outer products of the clusters' scores, shape (n_params, n_params).
        df: degrees of freedom of each model's variance, shape (m,): 3 (sum of q_g^2)^2 / sum
            of q_g^4 for the clusters' contributions q_g to the rating, at most the number of
            clusters less 1. For normal contributions of equal variance that is about their number
            (Satterthwaite's rule, with moments for variances).
    """

    meat: Floats
    df: Floats


def cluster_codes(votes: VoteScores, battles: Battles, columns: tuple[str, ...]) -> AnyCodes:
    """The cluster of each vote, from 0; a vote with an empty cell is a cluster by itself.

    With several columns a cluster is a combination of their values.
    """
    cluster: AnyCodes = np.zeros(votes.votes, dtype=np.intp)
    singleton = np.zeros(votes.votes, dtype=bool)
    for name in columns:
        codes, values = factorize(battles.frame[name])
        codes = votes.of_rows(codes)
        empty = codes < 0
        if empty.any():
            singleton |= empty
            codes = np.where(empty, 0, codes)
        if len(columns) == 1:
            cluster = codes
        else:
            combined = cluster * len(values) + codes
            cluster = np.asarray(pd.factorize(combined)[0], dtype=np.intp)
    size = int(cluster.max(initial=-1)) + 1
    used = count_votes_by(cluster if not singleton.any() else cluster[~singleton], size) > 0
    if not used.all():
        cluster = (np.cumsum(used) - 1)[cluster]
    if singleton.any():
        cluster = cluster.astype(np.intp)
        cluster[singleton] = used.sum() + np.arange(singleton.sum())
    return cluster


def count_votes_by(group: AnyCodes, groups: int, weight: Floats | None = None) -> Floats:
    """Votes, or sums of weights, by group, shape (groups,)."""
    total = np.zeros(groups)
    for part in chunks(len(group)):
        np.add.at(total, group[part], 1.0 if weight is None else weight[part])
    return total


def cluster_names(
    votes: VoteScores, battles: Battles, column: str, cluster: AnyCodes
) -> NDArray[np.object_]:
    """The values of the column for each cluster; "" for votes without a value."""
    names = np.full(int(cluster.max(initial=-1)) + 1, "", dtype=object)
    if not len(names):
        return names
    first = np.full(len(names), -1)
    rows = votes.of_rows(np.arange(len(battles.frame)))
    first[cluster[::-1]] = rows[::-1]
    values = battles.frame[column].iloc[first].astype(object)
    names[:] = values.where(values.notna(), "").to_numpy()
    return names


def cluster_sandwich(
    votes: VoteScores, cluster: AnyCodes, inverse: Floats, contrast: Floats
) -> Sandwich:
    """Outer products of the clusters' scores, corrected for few and large clusters.

    Args:
        votes: from `score_votes`.
        cluster: codes from 0, shape (votes,).
        inverse: pseudo-inverse of the information, shape (n_params, n_params).
        contrast: linear map from parameters to ratings, shape (m, n_params).
    """
    design = votes.design
    clusters = int(cluster.max(initial=-1)) + 1
    to_ratings = inverse @ contrast.T
    large = cluster_corrections(votes, cluster, clusters, inverse)
    meat = np.zeros((design.n_params,) * 2)
    second, fourth = np.zeros(len(contrast)), np.zeros(len(contrast))
    batch = max(1, _MAX_SCORES // design.n_params)
    order = np.argsort(cluster, kind="stable") if clusters > batch else None
    for start in range(0, clusters, batch):
        stop = min(start + batch, clusters)
        part, codes = votes, cluster
        if order is not None:
            bounds = np.searchsorted(cluster, [start, stop], sorter=order)
            chosen = order[bounds[0] : bounds[1]]
            part, codes = votes.select(chosen), cluster[chosen] - start
        scores = part.by_group(codes, stop - start)
        for which, correction in large.items():
            if start <= which < stop:
                scores[which - start] = correction @ scores[which - start]
        for block in np.array_split(scores, max(1, len(scores) // _CLUSTER_BATCH)):
            meat += block.T @ block
            contributions = block @ to_ratings
            np.square(contributions, out=contributions)
            second += contributions.sum(axis=0)
            np.square(contributions, out=contributions)
            fourth += contributions.sum(axis=0)
    df = np.full(len(contrast), np.inf)
    np.divide(NORMAL_KURTOSIS * second**2, fourth, out=df, where=fourth > 0)
    # The scores sum to 0, so a single cluster has no degrees of freedom.
    df = np.clip(df, 1.0, max(clusters - 1, 1))
    return Sandwich(meat * clusters / max(clusters - 1, 1), df)


def cluster_corrections(
    votes: VoteScores, cluster: AnyCodes, clusters: int, inverse: Floats
) -> dict[int, Floats]:
    """(I - H_g H^-)^(-1/2) of the clusters with much of the information, by cluster."""
    weight = count_votes_by(cluster, clusters, votes.weight)
    # A vote's information is at most 1/4 of its weight in any direction, which bounds leverage.
    variance = inverse.diagonal()
    if clusters < 2 or weight.max() * variance.max() <= MIN_LEVERAGE:
        return {}
    bound = np.bincount(
        cluster,
        votes.weight * (variance[votes.left] + variance[votes.right]) / 2,
        minlength=clusters,
    )
    candidates = np.flatnonzero((bound > MIN_LEVERAGE) & (weight > 0))
    candidates = candidates[np.argsort(-bound[candidates], kind="stable")][:_MAX_CORRECTED]
    if not len(candidates):
        return {}
    values, vectors = np.linalg.eigh(inverse)
    nonzero = values > values[-1] * 1e-12
    root = vectors[:, nonzero] * np.sqrt(values[nonzero])
    back = vectors[:, nonzero] / np.sqrt(values[nonzero])
    code_of = np.full(clusters, -1)
    code_of[candidates] = np.arange(len(candidates))
    members = np.flatnonzero(code_of[cluster] >= 0)
    members = members[np.argsort(code_of[cluster[members]], kind="stable")]
    ends = np.cumsum(np.bincount(code_of[cluster[members]], minlength=len(candidates)))
    corrections = {}
    information_of = _Information(votes)
    for which, start, end in zip(candidates, [0, *ends[:-1]], ends, strict=True):
        information = information_of(members[start:end])
        if (information * inverse).sum() < MIN_LEVERAGE:  # the sum of all eigenvalues
            continue
        leverage, axes = np.linalg.eigh(root.T @ information @ root)
        if leverage[-1] < MIN_LEVERAGE:
            continue
        scale = 1 / np.sqrt(np.maximum(1 - leverage, _MIN_OUTSIDE))
        corrections[int(which)] = back @ (axes * scale) @ axes.T @ root.T
    return corrections


class _Information:
    """Information of some votes only, shape (n_params, n_params).

    Args:
        votes: from `score_votes`.
    """

    def __init__(self, votes: VoteScores) -> None:
        self._votes = votes
        self._curvature: Floats | None = None
        if len(votes.design.left) <= _MAX_PAIRS:
            local = votes.design.evaluate(votes.params)
            if len(local.curvature) == 1:  # the same for all answers to a pair
                self._curvature = local.curvature[0]

    def __call__(self, chosen: Codes) -> Floats:
        votes = self._votes
        if self._curvature is not None:
            weight = np.bincount(
                votes.pair[chosen], votes.weight[chosen], minlength=len(votes.design.left)
            )
            return votes.design.to_matrix(self._curvature * weight)
        pairs, codes = np.unique(votes.pair[chosen], return_inverse=True)
        counts: Floats = np.bincount(
            votes.outcome[chosen].astype(np.intp) * len(pairs) + codes,
            votes.weight[chosen],
            minlength=OUTCOMES * len(pairs),
        ).astype(np.float64)
        return votes.design.select(pairs, counts.reshape(OUTCOMES, len(pairs))).information(
            votes.params
        )
