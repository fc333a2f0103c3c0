"""Screening of voters: tests of every voter, with the false discovery rate controlled over voters.

The tests are in `voter_tests` and `voter_habits`. A voter's p is the smallest p-value of its tests
times their number (Bonferroni), so that a voter caught by four tests counts once. Voters are
flagged whose q-value (Benjamini and Hochberg 1995) is at most the rate: no more than that share of
the flagged voters are expected to be honest. Which tests are reported as the reason is decided at
the level that remains after selecting voters (Benjamini and Bogomolov 2014). A flag is a reason to
look, not a proof: a fan of a maker and someone paid by it give the same answers.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from ratings.arrays import Codes, Floats, Mask
from ratings.errors import OptionError
from ratings.inference.clusters import cluster_codes, cluster_names
from ratings.inference.proportions import false_discovery_rates
from ratings.inference.vote_scores import score_votes
from ratings.model.bradley_terry import ELO_PER_STRENGTH, BradleyTerry, check_same_votes
from ratings.schema import AUTOMATIC, CLIPS, DECIDED, DRAWN, TIMES
from ratings.screening.voter_habits import repetition, speed, tie_rate
from ratings.screening.voter_tests import (
    Choices,
    disagreement,
    favouritism,
    leave_one_out_log_odds,
    side_bias,
    taste_variance,
)
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import find_cluster_column
from ratings.votes.columns import Outcome, factorize
from ratings.votes.periods import Periods

TESTS = ("disagreement", "side_bias", "favouritism", "tie_rate", "speed", "repetition")
_MAX_PERIODS = 50
_MIN_PERIOD_VOTES = 250  # votes of a period where only the order of rows gives the time
_ROUNDS = 3  # of estimating honest habits again without the flagged voters


@dataclass(frozen=True, eq=False)
class Screening:
    """Voters, the tests of each, and which voters are flagged.

    Attributes:
        voters: by voter, the most anomalous first: `votes`; a p-value for each test, NaN where it
            could not be made; `model`, the most favoured or disfavoured one; `p` of all tests
            together; `q`; `flagged`; `reason`, the tests that flagged the voter.
        by: the column of voters.
        rate: allowed share of false alarms among the flagged voters.
        tests: the tests that were made.
        min_votes: voters with fewer votes are not tested.
        taste_sd: standard deviation of honest voters' tastes for a model, Elo points.
        side_sd: of honest voters' biases towards a side, Elo points.
        tie_sd: of honest voters' shares of ties and "both bad".
        speed_sd: of the natural logarithms of honest voters' median times.
    """

    voters: pd.DataFrame
    by: str | None
    rate: float
    tests: tuple[str, ...]
    min_votes: int
    taste_sd: float
    side_sd: float
    tie_sd: float
    speed_sd: float

    @property
    def flagged(self) -> tuple[Any, ...]:
        """Names of the flagged voters, the most anomalous first."""
        return tuple(self.voters.index[self.voters["flagged"]])

    def without_flagged(self, battles: Battles) -> Battles:
        """The same votes without those of flagged voters, for robust ratings."""
        if self.by is None or not self.voters["flagged"].any():
            return battles
        voter = battles.frame[self.by].astype(object)
        kept = ~(voter.notna() & voter.isin(self.flagged))
        return Battles.from_frame(battles.frame[kept.to_numpy()], models=battles.models)


def screen_voters(
    battles: Battles,
    fit: BradleyTerry,
    *,
    by: str = AUTOMATIC,
    rate: float = 0.05,
    tests: Collection[str] = TESTS,
    min_votes: int = 5,
) -> Screening:
    """Test every voter, or every group of voters, for anomalous votes.

    Args:
        battles: the votes. "speed" needs a column `decided_ms`. "repetition" looks at models and
            pairs of models, and at clips where there are columns `clip_a` and `clip_b`; it uses the
            sampler's `probability` where there is such a column, and takes rows to be in the order
            of time if there is no `timestamp`.
        fit: their ratings, without covariates.
        by: column of voters, or of groups such as networks; "auto" uses the column of voters if
            there is one.
        rate: allowed share of false alarms among the flagged voters.
        tests: names from `TESTS`: too little agreement with the ratings, a preference for one side,
            for one model, too many ties and "both bad", too short times, and the same model, pair
            or clips shown too often.
        min_votes: voters with fewer votes are neither tested nor counted as tested.

    Raises:
        OptionError: an unknown test or column, a rate not between 0 and 1, a fit of other votes or
            a fit with covariates.
        VotesError: a time that cannot be read.
    """
    unknown = sorted(set(tests) - set(TESTS))
    if unknown:
        raise OptionError(f"unknown test {', '.join(unknown)}: choose from {', '.join(TESTS)}")
    if not 0 < rate < 1:
        raise OptionError(f"rate must lie between 0 and 1, not {rate:g}")
    check_same_votes(battles, fit)
    if fit.covariates:
        raise OptionError("screening needs ratings without covariates: fit them without")
    column = find_cluster_column(battles.frame, by)
    selected = tuple(test for test in TESTS if test in tests)
    screen = _Screen(battles, fit, () if column is None else (column,), min_votes)
    honest = np.ones(len(screen.names), dtype=bool)
    for _ in range(_ROUNDS):
        table, deviations = screen.test(selected, honest, rate)
        flagged = table["flagged"].to_numpy()
        if (honest == ~flagged).all():
            break
        honest = ~flagged
    order = np.lexsort([-table["votes"].to_numpy(), table["q"].to_numpy()])
    return Screening(
        voters=table.iloc[order],
        by=column,
        rate=rate,
        tests=selected,
        min_votes=min_votes,
        **deviations,
    )


class _Screen:
    """The votes of one table, prepared to be tested repeatedly."""

    def __init__(
        self, battles: Battles, fit: BradleyTerry, columns: tuple[str, ...], min_votes: int
    ) -> None:
        self.battles, self.models = battles, fit.ratings.index[fit.ratings.notna()]
        scored = score_votes(battles, fit)
        if not columns:
            scored = scored.select(np.zeros(0, dtype=np.intp))
        cluster = cluster_codes(scored, battles, columns)
        self.names = np.zeros(0, dtype=object)
        if columns:
            self.names = cluster_names(scored, battles, columns[0], cluster)
        self.votes = np.bincount(cluster, minlength=len(self.names))
        log_odds = leave_one_out_log_odds(scored, fit, cluster, len(self.names))
        chance = expit(log_odds)
        model_information = np.zeros(len(self.models))
        for side in (scored.left, scored.right):
            np.add.at(model_information, side, chance * (1 - chance))
        # Voters with few votes stay in the table, without a test.
        tested = (self.votes >= min_votes)[cluster]
        self.voter = cluster[tested].astype(np.intp)
        self.scored = scored.select(np.flatnonzero(tested))
        decided = self.scored.outcome < Outcome.TIE
        self.choices = Choices(
            voter=self.voter[decided],
            voters=len(self.names),
            left=self.scored.left[decided].astype(np.intp),
            right=self.scored.right[decided].astype(np.intp),
            models=len(self.models),
            won=(self.scored.outcome[decided] == Outcome.A).astype(float),
            log_odds=log_odds[tested][decided],
            model_information=model_information,
        )
        self.undecided = ~decided

    def test(
        self, tests: tuple[str, ...], honest: Mask, rate: float
    ) -> tuple[pd.DataFrame, dict[str, float]]:
        """Test every voter.

        Args:
            tests: names of the tests.
            honest: voters to learn honest habits from, shape (voters,).
            rate: allowed share of false alarms among the flagged voters.

        Returns:
            The table of `Screening.voters`, and the standard deviations of honest voters.
        """
        choices = self.choices.calibrated(honest)
        taste = taste_variance(choices, honest)
        side = ties = times = 0.0
        favoured = np.full(len(self.names), -1)
        p: dict[str, Floats] = {}
        for name in tests:
            if name == "disagreement":
                p[name] = disagreement(choices, taste)
            elif name == "side_bias":
                p[name], side = side_bias(choices, honest, taste)
            elif name == "favouritism":
                p[name], favoured = favouritism(choices, taste)
            elif name == "tie_rate":
                p[name], ties = self._tie_rate(honest)
            elif name == "speed":
                p[name], times = speed(self.voter, self._numbers(DECIDED), honest)
            elif name == "repetition":
                p[name] = self._repetition(honest)
        table = pd.DataFrame(p, index=pd.Index(self.names, name="voter"), columns=list(tests))
        table.insert(0, "votes", self.votes)
        table["model"] = np.array([*self.models, ""], dtype=object)[favoured]
        return flag_voters(table, tests, rate), {
            "taste_sd": float(ELO_PER_STRENGTH * np.sqrt(taste)),
            "side_sd": float(ELO_PER_STRENGTH * np.sqrt(side)),
            "tie_sd": float(np.sqrt(ties)),
            "speed_sd": float(np.sqrt(times)),
        }

    def _tie_rate(self, honest: Mask) -> tuple[Floats, float]:
        if Outcome.TIE not in self.scored.design.rules.used:
            return np.full(len(self.names), np.nan), 0.0
        return tie_rate(self.voter, self.undecided, honest)

    def _repetition(self, honest: Mask) -> Floats:
        """Smallest p-value for models, pairs and clips, times the number of these kinds."""
        left, right = self.scored.left.astype(np.intp), self.scored.right.astype(np.intp)
        period, unknown = self._periods, np.full(len(left), np.nan)
        pair = _unordered_pair(left, right, len(self.models))
        both_sides = np.concatenate([left, right])
        p = [
            repetition(
                np.tile(self.voter, 2), both_sides, np.tile(period, 2), honest, np.tile(unknown, 2)
            ),
            repetition(self.voter, pair, period, honest, self._numbers(DRAWN)),
        ]
        if set(CLIPS) <= set(self.battles.frame.columns):
            rows = self._rows
            both_clips = pd.concat([self.battles.frame[name].iloc[rows] for name in CLIPS])
            codes, values = factorize(both_clips.astype(object))
            codes = codes.astype(np.intp) + 1  # a missing clip is 0
            clips = _unordered_pair(codes[: len(rows)], codes[len(rows) :], len(values) + 1)
            p.append(repetition(self.voter, clips, period, honest, unknown))
        smallest: Floats = np.minimum(1, np.min(p, axis=0) * len(p))
        return smallest

    @cached_property
    def _periods(self) -> Codes:
        """Period code of each tested vote; what the sampler shows may change between periods."""
        if any(name in self.battles.frame for name in TIMES):
            of_vote = Periods.of(self.battles, None, AUTOMATIC).of_vote
        else:
            votes = len(self.battles)
            periods = min(_MAX_PERIODS, 1 + votes // _MIN_PERIOD_VOTES)
            of_vote = np.arange(votes) * periods // max(votes, 1)
        of_row = np.zeros(len(self.battles.frame), dtype=np.intp)
        of_row[self.battles.rows] = of_vote
        return of_row[self._rows]

    @cached_property
    def _rows(self) -> Codes:
        """Row of the frame of each tested vote."""
        rows: Codes = self.scored.of_rows(np.arange(len(self.battles.frame)))
        return rows

    def _numbers(self, name: str) -> Floats:
        """Values of a numeric column for the tested votes; NaN where missing."""
        if name not in self.battles.frame:
            return np.full(len(self.voter), np.nan)
        column = self.battles.frame[name].iloc[self._rows]
        values: Floats = pd.to_numeric(column, errors="coerce").to_numpy(
            dtype=float, na_value=np.nan
        )
        return values


def flag_voters(table: pd.DataFrame, tests: tuple[str, ...], rate: float) -> pd.DataFrame:
    """Add the columns `p`, `q`, `flagged` and `reason` to a table of p-values.

    Args:
        table: a row for each voter, with a column of p-values for each test.
        tests: names of these columns.
        rate: allowed share of false alarms among the flagged voters.
    """
    p = table[list(tests)].to_numpy(dtype=float)
    made = (~np.isnan(p)).sum(axis=1)
    smallest = np.nan_to_num(p, nan=1.0).min(axis=1, initial=1.0)
    table["p"] = np.where(made > 0, np.minimum(1, smallest * made), np.nan)
    table["q"] = false_discovery_rates(table["p"].to_numpy(dtype=float))
    table["flagged"] = flagged = (table["q"] <= rate).to_numpy(dtype=bool)
    level = rate * flagged.sum() / max(int((made > 0).sum()), 1)
    significant = flagged[:, None] & (p * made[:, None] <= level * (1 + 1e-9))
    table["reason"] = [
        ", ".join(test for test, included in zip(tests, row, strict=True) if included)
        for row in significant
    ]
    return table


def _unordered_pair(first: Codes, second: Codes, size: int) -> Codes:
    """One code for each pair of codes below `size`, whichever comes first."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    return np.asarray(pd.factorize(low * size + high)[0], dtype=np.intp)
