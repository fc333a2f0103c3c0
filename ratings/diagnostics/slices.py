"""Compares the ratings of a part of the votes with those of the rest, model by model.

The part may be the votes on prompts that were held out: whoever knows the clips of the other
prompts by heart gains nothing on these, so ratings that part show it. Both fits have their own
votes and share their voters, so the variance of a difference comes from the sums, over each voter,
of the contributions to both ratings (the sandwich of `inference.clusters` for two fits at once).
Models are tested two-sided with Holm's step-down (1979) over all of them. Ratings are relative to
the mean of the models that both parts rate.

Models also differ if the prompts of the part suit them better: that says nothing about voters.
Draw the prompts of the part at random, and many of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ratings.arrays import AnyCodes, Codes, Floats, Mask
from ratings.distributions import student_quantile, student_tail
from ratings.errors import OptionError
from ratings.inference.clusters import NORMAL_KURTOSIS, cluster_corrections
from ratings.inference.vote_scores import VoteScores, score_votes
from ratings.model.bradley_terry import ELO_PER_STRENGTH, BradleyTerry, bradley_terry
from ratings.schema import AUTOMATIC
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import find_cluster_column
from ratings.votes.columns import factorize

_MAX_NUMBERS = 1 << 24  # held in memory at once
SLICE_COLUMNS = (
    *("model", "votes", "votes_rest", "rating", "rating_rest", "difference"),
    *("lower", "upper", "p", "p_holm", "departs"),
)


@dataclass(frozen=True, eq=False)
class SliceComparison:
    """The ratings of a part of the votes against those of the rest.

    Attributes:
        models: a row for each model that both parts rate, in alphabetical order: `model`; `votes`
            and `votes_rest` on it; `rating` and `rating_rest`, Elo points above the mean of these
            models; `difference` of the two with `lower` and `upper`, for each model by itself; `p`,
            two-sided; `p_holm`, corrected for all models; `departs`: whether `p_holm` is below
            1 - `confidence`. An estimate without a variance has NaN.
        votes: in the part.
        votes_rest: in the rest.
        confidence: that no model departs if no true rating does, and of each interval.
        cluster: column of voters; None: every vote is independent.
        ties: how ties counted.
    """

    models: pd.DataFrame
    votes: int
    votes_rest: int
    confidence: float
    cluster: str | None
    ties: str

    @property
    def departing(self) -> list[str]:
        """The models whose ratings differ by more than chance."""
        return [str(name) for name in self.models.loc[self.models["departs"], "model"]]


def compare_slices(
    battles: Battles,
    inside: Mask,
    *,
    ties: str = "half",
    both_bad: str = "tie",
    cluster: str | None = AUTOMATIC,
    confidence: float = 0.95,
) -> SliceComparison:
    """Compare the ratings of some votes with those of the others.

    Args:
        battles: all votes.
        inside: which of them are in the part, shape (votes,).
        ties: a rule of `TIE_RULES`.
        both_bad: "tie" or "drop".
        cluster: column of voters; "auto": the voter column, if there is one; None: every vote is
            independent.
        confidence: see `SliceComparison`.

    Raises:
        OptionError: an unknown option, or `inside` of another length.
    """
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, not {confidence:g}")
    inside = np.asarray(inside, dtype=bool)
    if len(inside) != len(battles):
        raise OptionError(f"inside has {len(inside)} values for {len(battles)} votes")
    column = find_cluster_column(battles.frame, cluster)
    groups, size = _clusters(battles, column)
    parts = [
        _Part.fit(battles, rows, groups[rows], ties=ties, both_bad=both_bad)
        for rows in (np.flatnonzero(inside), np.flatnonzero(~inside))
    ]
    common = sorted(set(parts[0].rated) & set(parts[1].rated))
    table = _table(parts, common, size, confidence) if len(common) > 1 else _no_models()
    return SliceComparison(
        models=table,
        votes=int(inside.sum()),
        votes_rest=int((~inside).sum()),
        confidence=confidence,
        cluster=column,
        ties=ties,
    )


def _no_models() -> pd.DataFrame:
    table = pd.DataFrame({name: pd.Series(dtype="float64") for name in SLICE_COLUMNS})
    return table.astype({"model": "object", "departs": "bool"})


def _clusters(battles: Battles, column: str | None) -> tuple[Codes, int]:
    """The voter of each vote, from 0; a vote without one is a voter by itself."""
    rows = battles.rows
    if column is None:
        return np.arange(len(rows)), len(rows)
    codes, values = factorize(battles.frame[column])
    chosen = codes[rows].astype(np.intp)
    empty = chosen < 0
    chosen[empty] = len(values) + np.arange(empty.sum())
    # Only voters with votes are clusters.
    found, codes = np.unique(chosen, return_inverse=True)
    return codes.astype(np.intp), len(found)


@dataclass(frozen=True, eq=False)
class _Part:
    """The fit of a part of the votes."""

    battles: Battles
    fitted: BradleyTerry
    scores: VoteScores
    groups: AnyCodes  # of the votes in `scores`

    @classmethod
    def fit(
        cls, battles: Battles, rows: Codes, groups: Codes, *, ties: str, both_bad: str
    ) -> "_Part":
        part = battles.select(rows)
        fitted = bradley_terry(part, ties, both_bad=both_bad)
        scores = score_votes(part, fitted)
        kept = groups if scores.rows is None else groups[np.searchsorted(part.rows, scores.rows)]
        return cls(part, fitted, scores, kept)

    @property
    def rated(self) -> list[str]:
        ratings = self.fitted.ratings
        return [str(name) for name in ratings.index[ratings.notna()]]

    def contrast(self, common: list[str]) -> Floats:
        """Linear map from parameters to strengths above the mean of these models."""
        design = self.fitted.design
        at = [self.rated.index(name) for name in common]
        rows = np.zeros((len(common), design.n_params))
        rows[np.arange(len(common)), at] = 1
        rows[:, at] -= 1 / len(common)
        return rows

    def estimates(self, common: list[str]) -> Floats:
        return self.contrast(common) @ self.fitted.params

    def votes_on(self, common: list[str]) -> list[int]:
        counts = self.battles.counts.sum(axis=0)
        on = dict(zip(self.battles.models, counts.sum(axis=0) + counts.sum(axis=1), strict=True))
        return [int(on[name]) for name in common]

    def contributions(self, common: list[str], size: int, batch: int) -> Iterator[Floats]:
        """What each voter contributed to the estimates, in batches of voters."""
        design = self.fitted.design
        inverse = design.invert(design.information(self.fitted.params))
        to_ratings = inverse @ self.contrast(common).T
        # Corrections are by the codes of this part's own voters.
        found, codes = np.unique(self.groups, return_inverse=True)
        corrections = cluster_corrections(self.scores, codes, len(found), inverse)
        large = {int(found[code]): matrix for code, matrix in corrections.items()}
        order = np.argsort(self.groups, kind="stable")
        for start in range(0, size, batch):
            stop = min(start + batch, size)
            bounds = np.searchsorted(self.groups, [start, stop], sorter=order)
            chosen = order[bounds[0] : bounds[1]]
            part, group = self.scores.select(chosen), self.groups[chosen] - start
            scores = part.by_group(group, stop - start)
            for which, correction in large.items():
                if start <= which < stop:
                    scores[which - start] = correction @ scores[which - start]
            yield scores @ to_ratings


def _table(parts: list[_Part], common: list[str], size: int, confidence: float) -> pd.DataFrame:
    held, rest = (ELO_PER_STRENGTH * part.estimates(common) for part in parts)
    second, fourth = np.zeros(len(common)), np.zeros(len(common))
    widest = max(part.fitted.design.n_params for part in parts)
    batch = max(1, _MAX_NUMBERS // widest)
    contributions = (part.contributions(common, size, batch) for part in parts)
    for ours, theirs in zip(*contributions, strict=True):
        squares = np.square(ours - theirs)
        second += squares.sum(axis=0)
        fourth += np.square(squares).sum(axis=0)
    df = np.full(len(common), np.inf)
    np.divide(NORMAL_KURTOSIS * second**2, fourth, out=df, where=fourth > 0)
    df = np.clip(df, 1.0, max(size - 1, 1))
    error = ELO_PER_STRENGTH * np.sqrt(second * size / max(size - 1, 1))
    error[error == 0] = np.nan
    difference = held - rest
    half = np.asarray(student_quantile(0.5 + confidence / 2, df)) * error
    p = np.asarray(2 * student_tail(np.abs(difference) / error, df))
    p_holm = holm(p)
    return pd.DataFrame(
        {
            "model": pd.Series(common, dtype="object"),
            "votes": parts[0].votes_on(common),
            "votes_rest": parts[1].votes_on(common),
            "rating": held,
            "rating_rest": rest,
            "difference": difference,
            "lower": difference - half,
            "upper": difference + half,
            "p": p,
            "p_holm": p_holm,
            "departs": p_holm < 1 - confidence,
        }
    )


def holm(p: Floats) -> Floats:
    """Return p-values corrected by Holm's step-down; NaN stays, and is not counted."""
    corrected = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * (len(order) - np.arange(len(order)))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected
