"""Who votes strangely: tests of every voter, with the false alarms of all of them controlled.

The tests are in `ratings.voter_tests` and `ratings.voter_habits`. A voter's p is the least of its
tests' times their number (Bonferroni), so that a voter caught by four tests counts once; those are
flagged whose q-value (Benjamini and Hochberg 1995) is at most the rate: of the flagged voters, no
more than that share are expected to be honest. Which tests tell on a flagged voter is decided at
the level that is left after choosing voters (Benjamini and Bogomolov 2014). A flag is a reason to
look, not a proof: a maker's fan and a maker's agent answer alike.
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
from ratings.screening.voter_habits import haste, indecision, repetition
from ratings.screening.voter_tests import (
    Choices,
    disagreement,
    favouritism,
    gap_without_own,
    one_sidedness,
    taste_variance,
)
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import AUTOMATIC as WHERE_TOLD
from ratings.votes.cluster_columns import find_cluster_column
from ratings.votes.columns import CLIPS, DECIDED, DRAWN, Outcome, factorize
from ratings.votes.periods import AUTOMATIC, TIMES, Periods

TESTS = ("disagrees", "one-sided", "favours", "undecided", "fast", "repeats")
_NOBODY = np.zeros(0, dtype=object)
_PERIODS = 50
_LEAST_TOGETHER = 250  # votes of a period, where rows alone tell the time
_ROUNDS = 3  # tastes are learnt anew without those who were flagged


@dataclass(frozen=True, eq=False)
class Screening:
    """Voters, what their votes say about them, and who is flagged.

    Attributes:
        voters: by voter: `votes`; a p-value for each test, NaN where it could not be made; `model`,
            the one most favoured or disfavoured; `p` of all tests together; `q`; `flagged`;
            `reason`, the tests that flagged it. The strangest first.
        by: the column of voters.
        rate: share of false alarms among the flagged that was allowed.
        tests: which were made.
        least_votes: voters with fewer are not tested.
        taste_sd: standard deviation of voters' honest tastes for a model, Elo points.
        side_sd: of their advantages for a side, Elo points.
        tie_sd: of their shares of ties and "both bad".
        speed_sd: of the natural logarithms of their median times.
    """

    voters: pd.DataFrame
    by: str | None
    rate: float
    tests: tuple[str, ...]
    least_votes: int
    taste_sd: float
    side_sd: float
    tie_sd: float
    speed_sd: float

    @property
    def flagged(self) -> tuple[Any, ...]:
        """The names of the flagged, the strangest first."""
        found = self.voters.index[self.voters["flagged"]]
        return tuple(found)

    def without_flagged(self, battles: Battles) -> Battles:
        """The same votes less those of the flagged: what robust ratings are made of."""
        if self.by is None or not self.voters["flagged"].any():
            return battles
        voter = battles.frame[self.by].astype(object)
        kept = ~(voter.notna() & voter.isin(self.flagged))
        return Battles.from_frame(battles.frame[kept.to_numpy()], models=battles.models)


def screen_voters(
    battles: Battles,
    fit: BradleyTerry,
    *,
    by: str = WHERE_TOLD,
    rate: float = 0.05,
    tests: Collection[str] = TESTS,
    least_votes: int = 5,
) -> Screening:
    """Test every voter, or every group of voters.

    Args:
        battles: the votes. `decided_ms` is needed for "fast"; "repeats" looks at models and pairs
            of models, with `clip_a` and `clip_b` at clips too, holds them against `probability`
            where it is there, and takes rows to be in the order of time without a `timestamp`.
        fit: their ratings, without covariates.
        by: column of voters, or of groups such as networks; "auto": voters, where a column tells
            them.
        rate: allowed share of false alarms among the flagged.
        tests: which to make, of `TESTS`: too little agreement with the ratings, one side, one
            model, ties and "both bad", speed, the same model or pair again and again.
        least_votes: voters with fewer votes are not tested, and are not counted as tests.

    Raises:
        OptionError: an unknown test or column, a rate not between 0 and 1, a fit of other votes or
            with covariates.
        VotesError: a time that cannot be read.
    """
    unknown = sorted(set(tests) - set(TESTS))
    if unknown:
        raise OptionError(f"tests are {', '.join(TESTS)}; {', '.join(unknown)} is none")
    if not 0 < rate < 1:
        raise OptionError(f"rate must lie between 0 and 1, not {rate:g}")
    check_same_votes(battles, fit)
    if fit.covariates:
        raise OptionError("voters are screened against ratings without covariates")
    column = find_cluster_column(battles.frame, by)
    columns = () if column is None else (column,)
    wanted = tuple(test for test in TESTS if test in tests)
    screen = _Screen(battles, fit, columns, least_votes)
    honest = np.ones(len(screen.names), dtype=bool)
    for _ in range(_ROUNDS):
        table, deviations = screen.test(wanted, honest, rate)
        flagged = table["flagged"].to_numpy()
        if (honest == ~flagged).all():
            break
        honest = ~flagged
    order = np.lexsort([-table["votes"].to_numpy(), table["q"].to_numpy()])
    return Screening(
        voters=table.iloc[order],
        by=column,
        rate=rate,
        tests=wanted,
        least_votes=least_votes,
        **deviations,
    )


class _Screen:
    """The votes of one table, ready to be tested more than once."""

    def __init__(
        self, battles: Battles, fit: BradleyTerry, columns: tuple[str, ...], least_votes: int
    ) -> None:
        self.battles, self.models = battles, fit.ratings.index[fit.ratings.notna()]
        scored = score_votes(battles, fit)
        if not columns:
            scored = scored.select(np.zeros(0, dtype=np.intp))
        cluster = cluster_codes(scored, battles, columns)
        self.names = cluster_names(scored, battles, columns[0], cluster) if columns else _NOBODY
        self.votes = np.bincount(cluster, minlength=len(self.names))
        gap = gap_without_own(scored, fit, cluster, len(self.names))
        chance = expit(gap)
        known = np.zeros(len(self.models))
        for side in (scored.left, scored.right):
            np.add.at(known, side, chance * (1 - chance))
        # Those with few votes stay in the table, without a test.
        tested = (self.votes >= least_votes)[cluster]
        self.voter = cluster[tested].astype(np.intp)
        self.scored = scored.select(np.flatnonzero(tested))
        chose = self.scored.outcome < Outcome.TIE
        self.choices = Choices(
            self.voter[chose],
            len(self.names),
            self.scored.left[chose].astype(np.intp),
            self.scored.right[chose].astype(np.intp),
            len(self.models),
            (self.scored.outcome[chose] == Outcome.A).astype(float),
            gap[tested][chose],
            known,
        )
        self.undecided = ~chose

    def test(
        self, tests: tuple[str, ...], honest: Mask, rate: float
    ) -> tuple[pd.DataFrame, dict[str, float]]:
        """p-values of every voter and what is flagged; deviations of honest voters."""
        choices = self.choices.calibrated(honest)
        taste = taste_variance(choices, honest)
        side = tie = speed = 0.0
        favoured = np.full(len(self.names), -1)
        p: dict[str, Floats] = {}
        for name in tests:
            if name == "disagrees":
                p[name] = disagreement(choices, taste)
            elif name == "one-sided":
                p[name], side = one_sidedness(choices, honest, taste)
            elif name == "favours":
                p[name], favoured = favouritism(choices, taste)
            elif name == "undecided":
                p[name], tie = self._indecision(honest)
            elif name == "fast":
                p[name], speed = haste(self.voter, self._numbers(DECIDED), honest)
            elif name == "repeats":
                p[name] = self._repetition(honest)
        table = pd.DataFrame(p, index=pd.Index(self.names, name="voter"), columns=list(tests))
        table.insert(0, "votes", self.votes)
        table["model"] = np.array([*self.models, ""], dtype=object)[favoured]
        return _flag(table, tests, rate), {
            "taste_sd": float(ELO_PER_STRENGTH * np.sqrt(taste)),
            "side_sd": float(ELO_PER_STRENGTH * np.sqrt(side)),
            "tie_sd": float(np.sqrt(tie)),
            "speed_sd": float(np.sqrt(speed)),
        }

    def _indecision(self, honest: Mask) -> tuple[Floats, float]:
        if Outcome.TIE not in self.scored.design.rules.used:
            return np.full(len(self.names), np.nan), 0.0
        return indecision(self.voter, self.undecided, honest)

    def _repetition(self, honest: Mask) -> Floats:
        """The least p for models, pairs of models and pairs of clips, times how many these are."""
        left, right = self.scored.left.astype(np.intp), self.scored.right.astype(np.intp)
        when, unknown = self._periods, np.full(len(left), np.nan)
        pair = _in_no_order(left, right, len(self.models))
        model = np.concatenate([left, right])
        twice = np.tile(self.voter, 2), np.tile(when, 2), np.tile(unknown, 2)
        found = [
            repetition(twice[0], model, twice[1], honest, twice[2]),
            repetition(self.voter, pair, when, honest, self._numbers(DRAWN)),
        ]
        if set(CLIPS) <= set(self.battles.frame.columns):
            rows = self._rows
            both = pd.concat([self.battles.frame[name].iloc[rows] for name in CLIPS])
            codes, values = factorize(both.astype(object))
            codes = codes.astype(np.intp) + 1
            clips = _in_no_order(codes[: len(rows)], codes[len(rows) :], len(values) + 1)
            found.append(repetition(self.voter, clips, when, honest, unknown))
        p: Floats = np.minimum(1, np.min(found, axis=0) * len(found))
        return p

    @cached_property
    def _periods(self) -> Codes:
        """Code of each tested vote's period: what is shown may change from one to the next."""
        if any(name in self.battles.frame for name in TIMES):
            of_vote = Periods.of(self.battles, None, AUTOMATIC).of_vote
        else:
            votes = len(self.battles)
            of_vote = (
                np.arange(votes) * min(_PERIODS, 1 + votes // _LEAST_TOGETHER) // max(votes, 1)
            )
        of_row = np.zeros(len(self.battles.frame), dtype=np.intp)
        of_row[self.battles.rows] = of_vote
        return of_row[self._rows]

    @cached_property
    def _rows(self) -> Codes:
        """Places in the frame of the tested votes."""
        rows: Codes = self.scored.of_rows(np.arange(len(self.battles.frame)))
        return rows

    def _numbers(self, name: str) -> Floats:
        """A column's value for each tested vote; NaN where there is none."""
        if name not in self.battles.frame:
            return np.full(len(self.voter), np.nan)
        column = self.battles.frame[name].iloc[self._rows]
        values: Floats = pd.to_numeric(column, errors="coerce").to_numpy(
            dtype=float, na_value=np.nan
        )
        return values


def _flag(table: pd.DataFrame, tests: tuple[str, ...], rate: float) -> pd.DataFrame:
    """The table with `p`, `q`, `flagged` and `reason`."""
    p = table[list(tests)].to_numpy(dtype=float)
    made = (~np.isnan(p)).sum(axis=1)
    least = np.nan_to_num(p, nan=1.0).min(axis=1, initial=1.0)
    table["p"] = np.where(made > 0, np.minimum(1, least * made), np.nan)
    table["q"] = false_discovery_rates(table["p"].to_numpy(dtype=float))
    table["flagged"] = flagged = (table["q"] <= rate).to_numpy(dtype=bool)
    level = rate * flagged.sum() / max(int((made > 0).sum()), 1)
    tells = flagged[:, None] & (p * made[:, None] <= level * (1 + 1e-9))
    table["reason"] = [
        ", ".join(test for test, told in zip(tests, row, strict=True) if told) for row in tells
    ]
    return table


def _in_no_order(first: Codes, second: Codes, size: int) -> Codes:
    """A code for every pair, whichever side its two are on."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    return np.asarray(pd.factorize(low * size + high)[0], dtype=np.intp)
