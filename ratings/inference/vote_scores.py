"""What every single vote says of the parameters of a fit: its score, by reference to its pair.

Kept small and passed over in pieces: there may be many millions of votes, and touching fresh memory
for each of several long arrays takes longer than the sums.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ratings.arrays import AnyCodes, Codes, Floats
from ratings.model.bradley_terry import BradleyTerry
from ratings.model.covariates import covariate_pairs
from ratings.model.design import Design
from ratings.model.outcomes import LOG_ODDS, NEITHER, OUTCOMES
from ratings.votes.battles import Battles
from ratings.votes.columns import Outcome, code_type

_AT_ONCE = 1 << 17


class VoteScores(NamedTuple):
    """Votes among rated models, and where each finds its score.

    Attributes:
        rows: places in the frame of the votes that the fit used; None: all rows are.
        left: code among the rated models, shape (votes,).
        right: likewise.
        pair: the vote's pair in `design`.
        outcome: the answer as the rules read it.
        weight: shape (votes,).
        design: pairs of these votes; its counts are not used.
        params: the fit's parameters.
        score: there, by answer, number and pair, shape (4, 3, pairs).
    """

    rows: Codes | None
    left: AnyCodes
    right: AnyCodes
    pair: AnyCodes
    outcome: AnyCodes
    weight: Floats
    design: Design
    params: Floats
    score: Floats

    @property
    def votes(self) -> int:
        """How many votes there are."""
        return len(self.left)

    def of_rows(self, values: AnyCodes) -> AnyCodes:
        """What belongs to these votes of an array with an entry for each row of the frame."""
        return values if self.rows is None else values[self.rows]

    def select(self, votes: Codes) -> "VoteScores":
        """Some of the votes."""
        return self._replace(
            rows=votes if self.rows is None else self.rows[votes],
            left=self.left[votes],
            right=self.right[votes],
            pair=self.pair[votes],
            outcome=self.outcome[votes],
            weight=self.weight[votes],
        )

    def total(self, weight: Floats | None = None) -> Floats:
        """Sums of the votes' weights (their own, or others) by answer and pair, (4, pairs)."""
        weight = self.weight if weight is None else weight
        pairs = len(self.design.left)
        sums = np.zeros(OUTCOMES * pairs)
        for part in pieces(self.votes):
            place = self.outcome[part].astype(np.intp) * pairs + self.pair[part]
            sums += np.bincount(place, weight[part], minlength=len(sums))
        return sums.reshape(OUTCOMES, pairs)

    def by_group(self, group: AnyCodes, groups: int) -> Floats:
        """Sums of the votes' scores by group, shape (groups, n_params)."""
        design = self.design
        pairs, n_params = len(design.left), design.n_params
        table = np.zeros(groups * n_params)
        numbers = {LOG_ODDS} | {extra.acts_on for extra in design.extras}
        flat = {number: np.ascontiguousarray(self.score[:, number]).ravel() for number in numbers}
        for part in pieces(self.votes):
            pair, weight = self.pair[part], self.weight[part]
            place = self.outcome[part].astype(np.intp) * pairs + pair
            by = {number: scores[place] * weight for number, scores in flat.items()}
            half_bad = by[NEITHER] / 2 if NEITHER in by else 0.0
            row = group[part].astype(np.intp) * n_params
            np.add.at(table, row + self.left[part], by[LOG_ODDS] - half_bad)
            np.subtract.at(table, row + self.right[part], by[LOG_ODDS] + half_bad)
            for index, extra in enumerate(design.extras, start=design.size):
                own = by[extra.acts_on]
                np.add.at(
                    table, row + index, own if extra.column is None else own * extra.column[pair]
                )
        return table.reshape(groups, n_params)


def pieces(votes: int) -> Iterator[slice]:
    """Parts of so many votes, each small enough for the cache."""
    for start in range(0, votes, _AT_ONCE):
        yield slice(start, start + _AT_ONCE)


def score_votes(battles: Battles, fit: BradleyTerry) -> VoteScores:
    """The score of every vote that the fit used."""
    design, rules = fit.design, fit.design.rules
    rated = fit.ratings.notna().to_numpy()
    place = np.full(len(rated), -1, dtype=code_type(design.size))
    place[rated] = np.arange(design.size)
    left, right = battles.map_left(place), battles.map_right(place)
    outcome = battles.map_answer(np.arange(OUTCOMES, dtype=np.int8))
    weight, rows = battles.weight, battles.selected
    used = np.isin(list(Outcome), rules.used)
    kept = (left >= 0) & (right >= 0)
    if not used.all():
        kept &= used[outcome]
    if not kept.all():
        chosen = np.flatnonzero(kept)
        left, right, outcome, weight = left[chosen], right[chosen], outcome[chosen], weight[chosen]
        rows = chosen if rows is None else rows[chosen]
    if fit.covariates:
        pair: AnyCodes = covariate_pairs(battles, rules, rated, fit.covariates).of_vote
    else:
        size = design.size
        pair = left.astype(code_type(size * size)) * size + right
        codes = np.arange(size)
        nothing = np.zeros((OUTCOMES, size * size))
        pairs = np.repeat(codes, size), np.tile(codes, size)
        design = Design(size, *pairs, nothing, rules, design.extras)
    score = np.concatenate([block.evaluate(fit.params).score for block in design.blocks()], axis=2)
    read = rules.read_as(np.arange(OUTCOMES)).astype(np.int8)[outcome]
    return VoteScores(rows, left, right, pair, read, weight, design, fit.params, score)
