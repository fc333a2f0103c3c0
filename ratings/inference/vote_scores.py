"""The score of every single vote: the gradient of its log-likelihood, looked up by its pair.

There may be many millions of votes, so codes are small integers and sums run over chunks that fit
the CPU cache: writing several long arrays would take longer than the sums themselves.
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

_CHUNK = 1 << 17


class VoteScores(NamedTuple):
    """Votes among rated models, with a table of scores by pair and answer.

    Attributes:
        rows: row in the frame of each vote that the fit used; None: all rows in order.
        left: code among the rated models, shape (votes,).
        right: code of the right model.
        pair: index of the vote's pair in `design`.
        outcome: the answer, as counted under the rules.
        weight: shape (votes,).
        design: the pairs of these votes; its counts are not used.
        params: the fit's parameters.
        score: derivatives of log-probabilities by answer, predictor and pair, shape (4, 3, pairs).
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
        """Number of votes."""
        return len(self.left)

    def of_rows(self, values: AnyCodes) -> AnyCodes:
        """The entries for these votes of an array with one entry per row of the frame."""
        return values if self.rows is None else values[self.rows]

    def select(self, votes: Codes) -> "VoteScores":
        """A subset of the votes."""
        return self._replace(
            rows=votes if self.rows is None else self.rows[votes],
            left=self.left[votes],
            right=self.right[votes],
            pair=self.pair[votes],
            outcome=self.outcome[votes],
            weight=self.weight[votes],
        )

    def total(self, weight: Floats | None = None) -> Floats:
        """Sums of weights, by default the votes' weights, by answer and pair, shape (4, pairs)."""
        weight = self.weight if weight is None else weight
        pairs = len(self.design.left)
        sums = np.zeros(OUTCOMES * pairs)
        for part in chunks(self.votes):
            index = self.outcome[part].astype(np.intp) * pairs + self.pair[part]
            sums += np.bincount(index, weight[part], minlength=len(sums))
        return sums.reshape(OUTCOMES, pairs)

    def by_group(self, group: AnyCodes, groups: int) -> Floats:
        """Sums of the votes' scores by group, shape (groups, n_params)."""
        design = self.design
        pairs, n_params = len(design.left), design.n_params
        table = np.zeros(groups * n_params)
        predictors = {LOG_ODDS} | {extra.acts_on for extra in design.extras}
        flat = {
            number: np.ascontiguousarray(self.score[:, number]).ravel() for number in predictors
        }
        for part in chunks(self.votes):
            pair, weight = self.pair[part], self.weight[part]
            index = self.outcome[part].astype(np.intp) * pairs + pair
            by = {number: scores[index] * weight for number, scores in flat.items()}
            half_bad = by[NEITHER] / 2 if NEITHER in by else 0.0
            row = group[part].astype(np.intp) * n_params
            np.add.at(table, row + self.left[part], by[LOG_ODDS] - half_bad)
            np.subtract.at(table, row + self.right[part], by[LOG_ODDS] + half_bad)
            for column, extra in enumerate(design.extras, start=design.size):
                score = by[extra.acts_on]
                np.add.at(
                    table,
                    row + column,
                    score if extra.column is None else score * extra.column[pair],
                )
        return table.reshape(groups, n_params)


def chunks(votes: int) -> Iterator[slice]:
    """Slices of the votes that fit the CPU cache."""
    for start in range(0, votes, _CHUNK):
        yield slice(start, start + _CHUNK)


def score_votes(battles: Battles, fit: BradleyTerry) -> VoteScores:
    """The score of every vote that the fit used."""
    design, rules = fit.design, fit.design.rules
    rated = fit.ratings.notna().to_numpy()
    code = np.full(len(rated), -1, dtype=code_type(design.size))
    code[rated] = np.arange(design.size)
    left, right = battles.map_left(code), battles.map_right(code)
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
        no_counts = np.zeros((OUTCOMES, size * size))
        pairs = np.repeat(codes, size), np.tile(codes, size)
        design = Design(size, *pairs, no_counts, rules, design.extras)
    score = np.concatenate([block.evaluate(fit.params).score for block in design.blocks()], axis=2)
    counted = rules.counted_as(np.arange(OUTCOMES)).astype(np.int8)[outcome]
    return VoteScores(rows, left, right, pair, counted, weight, design, fit.params, score)
