"""Sums of scores by cluster: what is left of the votes when those of one voter are not independent.

The covariance of an estimate clustered by G values is H^- (sum over g of s_g s_g') H^-, with s_g
the sum of a cluster's scores (Liang and Zeger 1986). Residuals are smaller than errors, most of all
those of a cluster that holds much of the information, so each s_g is first multiplied by
(I - H_g H^-)^(-1/2), with H_g the cluster's own information (CR2: Bell and McCaffrey 2002;
Pustejovsky and Tipton 2018). And when a few clusters carry the variance, it is itself uncertain: an
interval then takes Student's t with the degrees of freedom of `Sandwich.freedom`.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.battles import Battles
from ratings.bradley_terry import BradleyTerry
from ratings.columns import factorize
from ratings.covariates import covariate_cells
from ratings.design import Design
from ratings.outcomes import GAP, NEITHER, OUTCOMES

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

_BLOCK_NUMBERS = 1 << 24  # scores held at once
_LEAST_LEVERAGE = 0.02  # below this share of one parameter's information a correction is under 1%
_MOST_CORRECTED = 1000
_LEAST_LEFT = 1e-2  # of a direction's information outside the cluster
_NORMAL_KURTOSIS = 3.0


class Sandwich(NamedTuple):
    """The squared scores of clusters, and how far few of them carry the variance.

    Attributes:
        meat: sum of squared scores by parameter, shape (width, width).
        freedom: degrees of freedom of each model's variance, shape (m,): 3 (sum of q_g^2)^2 / sum
            of q_g^4 for the clusters' contributions q_g to the rating. For equal normal
            contributions it is their number (Satterthwaite's rule, with moments for variances).
    """

    meat: Floats
    freedom: Floats


class VoteScores(NamedTuple):
    """Votes among rated models, and where each finds its score.

    Attributes:
        rows: places in `Battles.rows` of the votes that the fit used, shape (votes,).
        left: code among the rated models.
        right: likewise.
        cell: the vote's cell in `design`.
        outcome: the answer as the rules read it.
        weight: shape (votes,).
        design: cells of these votes; its counts are not used.
        point: the fit's parameters.
        score: there, by answer, number and cell, shape (4, 3, cells).
    """

    rows: Codes
    left: Codes
    right: Codes
    cell: Codes
    outcome: Codes
    weight: Floats
    design: Design
    point: Floats
    score: Floats

    def select(self, votes: Codes) -> "VoteScores":
        """Some of the votes."""
        return self._replace(
            rows=self.rows[votes],
            left=self.left[votes],
            right=self.right[votes],
            cell=self.cell[votes],
            outcome=self.outcome[votes],
            weight=self.weight[votes],
        )

    def total(self, weight: Floats) -> Floats:
        """Sums of the votes' weights by answer and cell, shape (4, cells)."""
        cells = len(self.design.left)
        place = self.outcome * cells + self.cell
        sums: Floats = np.bincount(place, weight, minlength=OUTCOMES * cells).astype(np.float64)
        return sums.reshape(OUTCOMES, cells)


def score_votes(battles: Battles, fit: BradleyTerry) -> VoteScores:
    """The score of every vote that the fit used, by reference to its cell."""
    rules = fit.design.rules
    rated = fit.ratings.notna().to_numpy()
    place = np.full(len(rated), -1)
    place[rated] = np.arange(rated.sum())
    left, right, outcome, weight = (
        place[battles.a],
        place[battles.b],
        battles.outcome,
        battles.weight,
    )
    kept = (left >= 0) & (right >= 0)
    if len(rules.used) < OUTCOMES:
        kept &= np.isin(outcome, rules.used)
    rows = np.flatnonzero(kept)
    if len(rows) < len(kept):
        left, right, outcome, weight = left[rows], right[rows], outcome[rows], weight[rows]
    design = fit.design
    if fit.covariates:
        cell = covariate_cells(battles, rules, rated, fit.covariates).of_vote
    else:
        size = design.size
        cell = left * size + right
        codes = np.arange(size)
        design = Design(
            size,
            np.repeat(codes, size),
            np.tile(codes, size),
            np.zeros((OUTCOMES, size * size)),
            rules,
            design.extras,
        )
    score = np.concatenate([block.at(fit.point).score for block in design.blocks()], axis=2)
    return VoteScores(
        rows, left, right, cell, rules.read_as(outcome), weight, design, fit.point, score
    )


def cluster_codes(votes: VoteScores, battles: Battles, columns: tuple[str, ...]) -> Codes:
    """Which cluster each vote is in, from 0; a vote with an empty cell is one of its own.

    With several columns a cluster is one combination of their values.
    """
    cluster = np.zeros(len(votes.rows), dtype=np.intp)
    alone = np.zeros(len(votes.rows), dtype=bool)
    for name in columns:
        codes, values = factorize(battles.frame[name])
        codes = codes[battles.rows[votes.rows]]
        alone |= codes < 0
        cluster = cluster * len(values) + np.where(codes < 0, 0, codes)
        if len(columns) > 1:
            cluster = np.asarray(pd.factorize(cluster)[0], dtype=np.intp)
    used = np.bincount(cluster[~alone], minlength=1) > 0
    cluster = (np.cumsum(used) - 1)[cluster]
    cluster[alone] = used.sum() + np.arange(alone.sum())
    return cluster


def cluster_names(
    votes: VoteScores, battles: Battles, column: str, cluster: Codes
) -> NDArray[np.object_]:
    """What the clusters of one column are called; "" where a vote has no value."""
    names = np.full(int(cluster.max(initial=-1)) + 1, "", dtype=object)
    if not len(names):
        return names
    first = np.full(len(names), -1)
    first[cluster[::-1]] = votes.rows[::-1]
    found = battles.frame[column].iloc[battles.rows[first]].astype(object)
    names[:] = found.where(found.notna(), "").to_numpy()
    return names


def cluster_sandwich(
    votes: VoteScores, cluster: Codes, inverse: Floats, contrast: Floats
) -> Sandwich:
    """Squared scores of clusters, corrected for the few and the large among them.

    Args:
        votes: as `score_votes` gives them.
        cluster: codes from 0, shape (votes,).
        inverse: pseudo-inverse of the information, shape (width, width).
        contrast: from parameters to ratings, shape (m, width).
    """
    design = votes.design
    clusters = int(cluster.max(initial=-1)) + 1
    to_ratings = inverse @ contrast.T
    large = cluster_corrections(votes, cluster, clusters, inverse)
    meat = np.zeros((design.width,) * 2)
    second, fourth = np.zeros(len(contrast)), np.zeros(len(contrast))
    held = max(1, _BLOCK_NUMBERS // design.width)
    order = np.argsort(cluster, kind="stable") if clusters > held else None
    for start in range(0, clusters, held):
        stop = min(start + held, clusters)
        chosen: Codes | slice = slice(None)
        if order is not None:
            bounds = np.searchsorted(cluster, [start, stop], sorter=order)
            chosen = order[bounds[0] : bounds[1]]
        scores = sum_scores(votes, chosen, cluster[chosen] - start, stop - start)
        for which, correction in large.items():
            if start <= which < stop:
                scores[which - start] = correction @ scores[which - start]
        meat += scores.T @ scores
        moved = scores @ to_ratings
        np.square(moved, out=moved)
        second += moved.sum(axis=0)
        np.square(moved, out=moved)
        fourth += moved.sum(axis=0)
    freedom = np.full(len(contrast), np.inf)
    np.divide(_NORMAL_KURTOSIS * second**2, fourth, out=freedom, where=fourth > 0)
    # The scores sum to 0, so that one cluster has nothing to vary against.
    return Sandwich(meat * clusters / max(clusters - 1, 1), np.maximum(freedom, 1.0))


def sum_scores(votes: VoteScores, chosen: Codes | slice, cluster: Codes, clusters: int) -> Floats:
    """Sum of scores by cluster and parameter, shape (clusters, width)."""
    design = votes.design
    left, right, cell = votes.left[chosen], votes.right[chosen], votes.cell[chosen]
    weight = votes.weight[chosen]
    place = votes.outcome[chosen] * len(design.left) + cell

    def local(number: int) -> Floats:
        table = np.ascontiguousarray(votes.score[:, number]).ravel()
        found: Floats = table[place] * weight
        return found

    numbers = {extra.acts_on for extra in design.extras}
    by = {number: local(number) for number in {GAP} | numbers}
    half_bad = by[NEITHER] / 2 if NEITHER in by else 0.0
    width = design.width
    row = cluster * width
    total: Floats = np.bincount(row + left, by[GAP] - half_bad, minlength=clusters * width).astype(
        np.float64, copy=False
    )
    total -= np.bincount(row + right, by[GAP] + half_bad, minlength=clusters * width)
    scores = total.reshape(clusters, width)
    for index, extra in enumerate(design.extras, start=design.size):
        own = by[extra.acts_on] if extra.column is None else by[extra.acts_on] * extra.column[cell]
        scores[:, index] = np.bincount(cluster, own, minlength=clusters)
    return scores


def cluster_corrections(
    votes: VoteScores, cluster: Codes, clusters: int, inverse: Floats
) -> dict[int, Floats]:
    """(I - H_g H^-)^(-1/2) of the clusters that hold much information, by cluster."""
    share = np.bincount(cluster, votes.weight, minlength=clusters)
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
    """Information of some votes alone, shape (width, width)."""
    cells, codes = np.unique(votes.cell[chosen], return_inverse=True)
    counts: Floats = np.bincount(
        votes.outcome[chosen] * len(cells) + codes,
        votes.weight[chosen],
        minlength=OUTCOMES * len(cells),
    ).astype(np.float64)
    return votes.design.select(cells, counts.reshape(OUTCOMES, len(cells))).information(votes.point)
