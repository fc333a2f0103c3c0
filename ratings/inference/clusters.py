"""Sums of scores by cluster: what is left of the votes when those of one voter are not independent.

The covariance of an estimate clustered by G values is H^- (sum over g of s_g s_g') H^-, with s_g
the sum of a cluster's scores (Liang and Zeger 1986). Residuals are smaller than errors, most of all
those of a cluster that holds much of the information, so each s_g is first multiplied by
(I - H_g H^-)^(-1/2), with H_g the cluster's own information (CR2: Bell and McCaffrey 2002;
Pustejovsky and Tipton 2018). And when a few clusters carry the variance, it is itself uncertain: an
interval then takes Student's t with the degrees of freedom of `Sandwich.df`.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.arrays import AnyCodes, Codes, Floats
from ratings.inference.vote_scores import VoteScores, pieces
from ratings.model.outcomes import OUTCOMES
from ratings.votes.battles import Battles
from ratings.votes.columns import factorize

_BLOCK_NUMBERS = 1 << 24  # scores held at once
_CLUSTERS_AT_ONCE = 1 << 13
_LEAST_LEVERAGE = 0.02  # below this share of one parameter's information a correction is under 1%
_MOST_CORRECTED = 1000
_LEAST_LEFT = 1e-2  # of a direction's information outside the cluster
_NORMAL_KURTOSIS = 3.0


class Sandwich(NamedTuple):
    """The squared scores of clusters, and how far few of them carry the variance.

    Attributes:
        meat: sum of squared scores by parameter, shape (n_params, n_params).
        df: degrees of freedom of each model's variance, shape (m,): 3 (sum of q_g^2)^2 / sum
            of q_g^4 for the clusters' contributions q_g to the rating, at most the number of
            clusters less 1. For normal contributions of equal variance that is about their number
            (Satterthwaite's rule, with moments for variances).
    """

    meat: Floats
    df: Floats


def cluster_codes(votes: VoteScores, battles: Battles, columns: tuple[str, ...]) -> AnyCodes:
    """Which cluster each vote is in, from 0; a vote with an empty cell is one of its own.

    With several columns a cluster is one combination of their values.
    """
    cluster: AnyCodes = np.zeros(votes.votes, dtype=np.intp)
    alone = np.zeros(votes.votes, dtype=bool)
    for name in columns:
        codes, values = factorize(battles.frame[name])
        codes = votes.of_rows(codes)
        empty = codes < 0
        if empty.any():
            alone |= empty
            codes = np.where(empty, 0, codes)
        if len(columns) == 1:
            cluster = codes
        else:
            together = cluster * len(values) + codes
            cluster = np.asarray(pd.factorize(together)[0], dtype=np.intp)
    size = int(cluster.max(initial=-1)) + 1
    used = count_votes_by(cluster if not alone.any() else cluster[~alone], size) > 0
    if not used.all():
        cluster = (np.cumsum(used) - 1)[cluster]
    if alone.any():
        cluster = cluster.astype(np.intp)
        cluster[alone] = used.sum() + np.arange(alone.sum())
    return cluster


def count_votes_by(group: AnyCodes, groups: int, weight: Floats | None = None) -> Floats:
    """Votes, or sums of weights, by group, shape (groups,)."""
    total = np.zeros(groups)
    for part in pieces(len(group)):
        np.add.at(total, group[part], 1.0 if weight is None else weight[part])
    return total


def cluster_names(
    votes: VoteScores, battles: Battles, column: str, cluster: AnyCodes
) -> NDArray[np.object_]:
    """What the clusters of one column are called; "" where a vote has no value."""
    names = np.full(int(cluster.max(initial=-1)) + 1, "", dtype=object)
    if not len(names):
        return names
    first = np.full(len(names), -1)
    rows = votes.of_rows(np.arange(len(battles.frame)))
    first[cluster[::-1]] = rows[::-1]
    found = battles.frame[column].iloc[first].astype(object)
    names[:] = found.where(found.notna(), "").to_numpy()
    return names


def cluster_sandwich(
    votes: VoteScores, cluster: AnyCodes, inverse: Floats, contrast: Floats
) -> Sandwich:
    """Squared scores of clusters, corrected for the few and the large among them.

    Args:
        votes: as `score_votes` gives them.
        cluster: codes from 0, shape (votes,).
        inverse: pseudo-inverse of the information, shape (n_params, n_params).
        contrast: from parameters to ratings, shape (m, n_params).
    """
    design = votes.design
    clusters = int(cluster.max(initial=-1)) + 1
    to_ratings = inverse @ contrast.T
    large = cluster_corrections(votes, cluster, clusters, inverse)
    meat = np.zeros((design.n_params,) * 2)
    second, fourth = np.zeros(len(contrast)), np.zeros(len(contrast))
    held = max(1, _BLOCK_NUMBERS // design.n_params)
    order = np.argsort(cluster, kind="stable") if clusters > held else None
    for start in range(0, clusters, held):
        stop = min(start + held, clusters)
        part, own = votes, cluster
        if order is not None:
            bounds = np.searchsorted(cluster, [start, stop], sorter=order)
            chosen = order[bounds[0] : bounds[1]]
            part, own = votes.select(chosen), cluster[chosen] - start
        scores = part.by_group(own, stop - start)
        for which, correction in large.items():
            if start <= which < stop:
                scores[which - start] = correction @ scores[which - start]
        for few in np.array_split(scores, max(1, len(scores) // _CLUSTERS_AT_ONCE)):
            meat += few.T @ few
            moved = few @ to_ratings
            np.square(moved, out=moved)
            second += moved.sum(axis=0)
            np.square(moved, out=moved)
            fourth += moved.sum(axis=0)
    df = np.full(len(contrast), np.inf)
    np.divide(_NORMAL_KURTOSIS * second**2, fourth, out=df, where=fourth > 0)
    # The scores sum to 0, so that one cluster has nothing to vary against.
    df = np.clip(df, 1.0, max(clusters - 1, 1))
    return Sandwich(meat * clusters / max(clusters - 1, 1), df)


def cluster_corrections(
    votes: VoteScores, cluster: AnyCodes, clusters: int, inverse: Floats
) -> dict[int, Floats]:
    """(I - H_g H^-)^(-1/2) of the clusters that hold much information, by cluster."""
    share = count_votes_by(cluster, clusters, votes.weight)
    # A vote's information is at most 1/4 of its weight in each direction: a bound on leverage.
    reach = inverse.diagonal()
    if clusters < 2 or share.max() * reach.max() <= _LEAST_LEVERAGE:
        return {}
    bound = np.bincount(
        cluster, votes.weight * (reach[votes.left] + reach[votes.right]) / 2, minlength=clusters
    )
    likely = np.flatnonzero((bound > _LEAST_LEVERAGE) & (share > 0))
    likely = likely[np.argsort(-bound[likely], kind="stable")][:_MOST_CORRECTED]
    if not len(likely):
        return {}
    values, vectors = np.linalg.eigh(inverse)
    seen = values > values[-1] * 1e-12
    root = vectors[:, seen] * np.sqrt(values[seen])
    back = vectors[:, seen] / np.sqrt(values[seen])
    of_likely = np.full(clusters, -1)
    of_likely[likely] = np.arange(len(likely))
    wanted = np.flatnonzero(of_likely[cluster] >= 0)
    wanted = wanted[np.argsort(of_likely[cluster[wanted]], kind="stable")]
    ends = np.cumsum(np.bincount(of_likely[cluster[wanted]], minlength=len(likely)))
    corrections = {}
    for which, start, end in zip(likely, [0, *ends[:-1]], ends, strict=True):
        information = _information(votes, wanted[start:end])
        held, axes = np.linalg.eigh(root.T @ information @ root)
        if held[-1] < _LEAST_LEVERAGE:
            continue
        grown = 1 / np.sqrt(np.maximum(1 - held, _LEAST_LEFT))
        corrections[int(which)] = back @ (axes * grown) @ axes.T @ root.T
    return corrections


def _information(votes: VoteScores, chosen: Codes) -> Floats:
    """Information of some votes alone, shape (n_params, n_params)."""
    pairs, codes = np.unique(votes.pair[chosen], return_inverse=True)
    counts: Floats = np.bincount(
        votes.outcome[chosen].astype(np.intp) * len(pairs) + codes,
        votes.weight[chosen],
        minlength=OUTCOMES * len(pairs),
    ).astype(np.float64)
    return votes.design.select(pairs, counts.reshape(OUTCOMES, len(pairs))).information(
        votes.params
    )
