"""Who votes strangely: tests of every voter, with the false alarms of all of them controlled.

The tests are in `ratings.voter_tests`. Over all voters and tests together, those are flagged whose
q-value (Benjamini and Hochberg 1995) is at most the rate: of the flagged, no more than that share
are expected to be honest. A flag is a reason to look, not a proof: a maker's fan and a maker's
agent answer alike.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.battles import Battles
from ratings.bradley_terry import ELO_PER_STRENGTH, BradleyTerry
from ratings.clusters import cluster_codes, cluster_corrections, cluster_names
from ratings.columns import Outcome, factorize, find_cluster_columns
from ratings.errors import OptionError
from ratings.multiplicity import false_discovery_rates
from ratings.outcomes import GAP
from ratings.refit import prior_of
from ratings.vote_scores import VoteScores, score_votes
from ratings.voter_tests import (
    Choices,
    disagreement,
    favouritism,
    haste,
    indecision,
    one_sidedness,
    repetition,
    taste_variance,
)

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

TESTS = ("disagrees", "one-sided", "favours", "undecided", "fast", "repeats")
DECIDED = "decided_ms"
CLIPS = ("clip_a", "clip_b")
_NOBODY = np.zeros(0, dtype=object)
_ROUNDS = 3  # tastes are learnt anew without those who were flagged


@dataclass(frozen=True, eq=False)
class Screening:
    """Voters, what their votes say about them, and who is flagged.

    Attributes:
        voters: by voter: `votes`; a p-value for each test, NaN where it could not be made; `model`,
            the one most favoured or disfavoured; `q`, the least q-value; `flagged`; `reason`, the
            tests that flagged it.
        by: the column of voters.
        rate: share of false alarms among the flagged that was allowed.
        tests: which were made.
        least_votes: voters with fewer are not tested.
        taste_sd: standard deviation of voters' honest tastes for a model, Elo points.
        tie_sd: of voters' shares of ties and "both bad".
        speed_sd: of voters' paces, in standard deviations of the logarithm of a vote's time.
    """

    voters: pd.DataFrame
    by: str | None
    rate: float
    tests: tuple[str, ...]
    least_votes: int
    taste_sd: float
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
        kept = ~voter.where(voter.notna(), "").isin(self.flagged)
        return Battles.from_frame(battles.frame[kept.to_numpy()], models=battles.models)


def screen_voters(
    battles: Battles,
    fit: BradleyTerry,
    *,
    by: str = "voter",
    rate: float = 0.05,
    tests: Collection[str] = TESTS,
    least_votes: int = 5,
) -> Screening:
    """Test every voter, or every group of voters.

    Args:
        battles: the votes. `decided_ms` is needed for "fast"; `clip_a` and `clip_b` make "repeats"
            look at clips instead of models.
        fit: their ratings, without covariates.
        by: column of voters, or of groups such as networks.
        rate: allowed share of false alarms among the flagged.
        tests: which to make, of `TESTS`: too little agreement with the ratings, one side, one
            model, ties and "both bad", speed, the same pair again and again.
        least_votes: voters with fewer votes are not tested, and are not counted as tests.

    Raises:
        OptionError: an unknown test or column, a rate not between 0 and 1, a fit of other models or
            with covariates.
    """
    unknown = sorted(set(tests) - set(TESTS))
    if unknown:
        raise OptionError(f"tests are {', '.join(TESTS)}; {', '.join(unknown)} is none")
    if not 0 < rate < 1:
        raise OptionError(f"rate must lie between 0 and 1, not {rate:g}")
    if tuple(fit.ratings.index) != battles.models:
        raise OptionError("the fit is of other models than these votes")
    if fit.covariates:
        raise OptionError("voters are screened against ratings without covariates")
    columns = find_cluster_columns(battles.frame, by)
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
        by=columns[0] if columns else None,
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
        gap = _gap_without_own(scored, fit, cluster, len(self.names))
        # Those with few votes stay in the table, without a test.
        enough = self.votes >= least_votes
        tested = enough[cluster]
        self.enough, self.voter, self.gap = enough, cluster[tested].astype(np.intp), gap[tested]
        self.scored = scored.select(np.flatnonzero(tested))
        chose = self.scored.outcome < Outcome.TIE
        self.choices = Choices(
            self.voter[chose],
            self.scored.left[chose].astype(np.intp),
            self.scored.right[chose].astype(np.intp),
            (self.scored.outcome[chose] == Outcome.A).astype(float),
            self.gap[chose],
        )
        self.undecided = ~chose

    def test(
        self, tests: tuple[str, ...], honest: NDArray[np.bool_], rate: float
    ) -> tuple[pd.DataFrame, dict[str, float]]:
        """p-values of every voter and what is flagged; deviations of honest voters."""
        voters, models = len(self.names), len(self.models)
        choices = self.choices
        taste = taste_variance(choices, models, honest[choices.voter])
        favoured = np.full(voters, -1)
        p: dict[str, Floats] = {}
        tie_variance = speed_variance = 0.0
        for name in tests:
            if name == "disagrees":
                p[name] = disagreement(choices, models, voters, taste)
            elif name == "one-sided":
                p[name] = one_sidedness(choices, models, voters, taste)
            elif name == "favours":
                p[name], favoured = favouritism(choices, models, voters, taste)
            elif name == "undecided":
                p[name], tie_variance = indecision(self.voter, self.undecided, honest)
            elif name == "fast":
                p[name], speed_variance = haste(self.voter, self._milliseconds(), honest)
            elif name == "repeats":
                p[name] = repetition(self.voter, self._pairs(), voters)
        table = pd.DataFrame(p, index=pd.Index(self.names, name="voter"), columns=list(tests))
        q = false_discovery_rates(table.to_numpy(dtype=float))
        hit = q <= rate
        named = np.array([*self.models, ""], dtype=object)[favoured]
        table.insert(0, "votes", self.votes)
        table["model"] = named
        table["q"] = pd.DataFrame(q).min(axis=1).to_numpy()
        table["flagged"] = np.asarray(hit.any(axis=1), dtype=bool)
        table["reason"] = [
            ", ".join(test for test, found in zip(tests, row, strict=True) if found) for row in hit
        ]
        return table, {
            "taste_sd": ELO_PER_STRENGTH * float(np.sqrt(taste)),
            "tie_sd": float(np.sqrt(tie_variance)),
            "speed_sd": float(np.sqrt(speed_variance)),
        }

    def _rows(self) -> Codes:
        """Places in the frame of the votes that are tested."""
        return self.scored.of_rows(np.arange(len(self.battles.frame)))

    def _milliseconds(self) -> Floats:
        if DECIDED not in self.battles.frame:
            return np.full(len(self.voter), np.nan)
        column = self.battles.frame[DECIDED].iloc[self._rows()]
        values: Floats = pd.to_numeric(column, errors="coerce").to_numpy(
            dtype=float, na_value=np.nan
        )
        return values

    def _pairs(self) -> Codes:
        """A code for every pair of clips, or of models, in no order of sides."""
        first, second = self.scored.left.astype(np.intp), self.scored.right.astype(np.intp)
        size = len(self.models)
        if set(CLIPS) <= set(self.battles.frame.columns):
            rows = self._rows()
            both = pd.concat([self.battles.frame[name].iloc[rows] for name in CLIPS])
            codes, values = factorize(both.astype(object))
            codes = codes.astype(np.intp) + 1
            first, second, size = codes[: len(rows)], codes[len(rows) :], len(values) + 1
        low, high = np.minimum(first, second), np.maximum(first, second)
        return np.asarray(pd.factorize(low * size + high)[0], dtype=np.intp)


def _gap_without_own(
    scored: VoteScores, fit: BradleyTerry, cluster: Codes, clusters: int
) -> Floats:
    """Left minus right of each vote from ratings without its voter's votes, shape (votes,).

    One Newton step from the fit: without voter g the strengths move by -(H - H_g)^- s_g.
    """
    design = scored.design
    gap = design.gap(fit.point)[scored.cell]
    if not clusters:
        return gap
    information = fit.design.information(fit.point) + prior_of(fit).precision
    inverse = fit.design.invert(information)
    scores = scored.by_group(cluster, clusters)
    for which, root in cluster_corrections(scored, cluster, clusters, inverse).items():
        scores[which] = root @ root @ scores[which]
    moved = scores @ inverse
    without: Floats = gap - (moved[cluster, scored.left] - moved[cluster, scored.right])
    for index, extra in enumerate(design.extras, start=design.size):
        if extra.acts_on == GAP:
            without = without - moved[cluster, index]
    return without
