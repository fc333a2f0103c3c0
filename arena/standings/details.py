"""What a leaderboard shows beside ratings, ranks and counts: how far its numbers can be trusted.

Each cell is computed by `ratings` from the leaderboard's votes. One that cannot be computed is
null, and `reasons` says why; it never prevents the leaderboard. Cells name models by the numbers of
their entrants, because a codename may be claimed later.
"""

import logging
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

import ratings
from arena.standings.rated_votes import RatedVotes
from arena.standings.vote_arrays import FIRST_LEFT, FIRST_UNKNOWN
from ratings.inference.proportions import Estimate, estimate_proportion
from ratings.inference.ranks import probability_above
from ratings.votes.columns import Outcome

CONFIDENCE = 0.95
POWER = 0.8
ROUNDS = 200  # of the bootstrap of the goodness of fit: p-values from 0.005
SEED = 0
NO_PAIR = "fewer than two models are rated"
NO_VOTES = "there are no votes for a side"
NO_REPEATS = "no pair of clips has been shown to a voter twice on purpose yet"
NO_HELD_OUT = "no vote is on a held-out prompt"
ALL_HELD_OUT = "all votes are on held-out prompts"
MIN_HELD_OUT = 50  # votes on a model
FEW_HELD_OUT = f"no rated model has {MIN_HELD_OUT} votes on held-out prompts yet"
# The leaderboard is looked at all the time, so an alarm needs more than the usual evidence.
HELD_OUT_CONFIDENCE = 0.99
HELD_OUT_COLUMNS = (*("rating", "rating_rest", "difference", "lower", "upper", "p", "p_holm"),)
NO_FIRST = "no vote says which clip was played first"

log = logging.getLogger(__name__)


# What each cell is, where it comes from, and how: shown with it.
def compute_details(votes: RatedVotes, *, ties: str) -> dict[str, Any]:
    """Compute the cells of a leaderboard.

    Args:
        votes: of the leaderboard.
        ties: the track's rule.

    Returns:
        JSON-compatible values: a cell for each of `boards.SOURCES`, null where `reasons` says why.
    """
    cells = _Cells(votes, ties)
    values: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for name, compute in cells.all().items():
        try:
            values[name] = compute()
        except _Missing as missing:
            values[name], reasons[name] = None, str(missing)
        except ratings.RatingsError as error:
            values[name], reasons[name] = None, str(error)
        except Exception as error:  # never a reason to show no leaderboard
            log.exception("The cell %s of a leaderboard cannot be computed", name)
            values[name], reasons[name] = None, f"it cannot be computed ({type(error).__name__})"
    return {**_finite(values), "reasons": reasons}


class _Missing(Exception):
    """Why a cell has no value."""


class _Cells:
    """The cells of one leaderboard; the fit is shared."""

    def __init__(self, votes: RatedVotes, ties: str) -> None:
        self.votes, self.battles, self.ties = votes, votes.battles, ties
        self.id_of = dict(zip(self.battles.models, votes.entrant_ids, strict=True))
        self._fitted: tuple[ratings.BradleyTerry, ratings.Intervals] | None = None

    def all(self) -> dict[str, Callable[[], Any]]:
        return {
            "first_place": self.first_place,
            "first_known": self.first_known,
            "above_next": self.above_next,
            "left_side": self.left_side,
            "left_advantage": self.left_advantage,
            "first_played": self.first_played,
            "repeats": lambda: self._repeats()[0],
            "repeats_beyond_chance": lambda: self._repeats()[1],
            "held_out": self.held_out,
            "fit": self.fit,
            "plan": self.plan,
        }

    def _fit(self) -> tuple[ratings.BradleyTerry, ratings.Intervals]:
        if self._fitted is None:
            fit = ratings.bradley_terry(self.battles, self.ties)
            self._fitted = fit, ratings.intervals(self.battles, fit, confidence=CONFIDENCE)
        if self._fitted[0].ratings.notna().sum() < 2:
            raise _Missing(NO_PAIR)
        return self._fitted

    def _id(self, name: str | None) -> int | None:
        return None if name is None else self.id_of[name]

    def first_place(self) -> dict[str, Any]:
        found = ratings.votes_to_flip(self.battles, self._fit()[0])
        return {
            "model": self._id(found.first),
            "challenger": self._id(found.challenger),
            "status": found.status,
            "removed_votes": found.votes,
            "removed_share": found.share,
            "added_votes": found.added,
            "votes": found.total,
        }

    def first_known(self) -> dict[str, Any]:
        fit, around = self._fit()
        found = ratings.first_place(self.battles, fit, around, confidence=CONFIDENCE)
        return {
            **{"model": self._id(found.first), "challenger": self._id(found.challenger)},
            **{"status": found.status, "known": found.status == "known"},
            **{"gap": found.gap, "gap_lower": found.gap_lower, "p": found.p},
            **{"e_value": found.e_value, "models": found.models, "votes": found.votes},
            **{"confidence": found.confidence, "scale": found.scale},
        }

    def above_next(self) -> list[dict[str, Any]]:
        fit, around = self._fit()
        above = probability_above(fit, around)
        order = fit.ratings.dropna().sort_values(ascending=False, kind="stable").index
        return [
            {
                "model": self._id(str(name)),
                "next": self._id(str(lower)),
                "probability": float(above.loc[name, lower]),
            }
            for name, lower in pairwise(order)
        ]

    def left_side(self) -> dict[str, Any]:
        decided = self._decided()
        if not len(decided):
            raise _Missing(NO_VOTES)
        left = self.battles.outcome[decided] == Outcome.A
        return _estimate(estimate_proportion(left, self._voter()[decided], CONFIDENCE))

    def left_advantage(self) -> dict[str, Any]:
        fit = ratings.bradley_terry(self.battles, self.ties, side=True)
        effects = ratings.intervals(self.battles, fit, confidence=CONFIDENCE).effects
        if "side" not in effects.index:
            raise _Missing(NO_PAIR)
        columns = effects[["estimate", "lower", "upper"]].loc[["side"]]
        value, lower, upper = (float(number) for number in columns.to_numpy()[0])
        return {"value": value, "lower": lower, "upper": upper, "votes": len(self.battles)}

    def first_played(self) -> dict[str, Any]:
        decided = self._decided()
        known = decided[self.votes.first[decided] != FIRST_UNKNOWN]
        if not len(known):
            raise _Missing(NO_FIRST)
        left_first = self.votes.first[known] == FIRST_LEFT
        left_won = self.battles.outcome[known] == Outcome.A
        hits = left_first == left_won
        return _estimate(estimate_proportion(hits, self._voter()[known], CONFIDENCE))

    def _decided(self) -> Any:
        """Rows of the votes for a side."""
        return np.flatnonzero(self.battles.outcome < Outcome.TIE)

    def _voter(self) -> Any:
        return self.battles.frame["voter"].cat.codes.to_numpy()

    def _repeats(self) -> tuple[dict[str, Any], dict[str, Any]]:
        repeats = self.votes.repeats
        if not len(repeats["answer"]):
            raise _Missing(NO_REPEATS)
        answers = np.stack([repeats["answer"], repeats["again"]], axis=1).astype(np.intp)
        share, beyond = ratings.retest_agreement(answers, repeats["voter"], CONFIDENCE)
        return _estimate(share), _estimate(beyond)

    def held_out(self) -> dict[str, Any]:
        inside = self.votes.held_out
        if inside is None or not inside.any():
            raise _Missing(NO_HELD_OUT)
        if inside.all():
            raise _Missing(ALL_HELD_OUT)
        found = ratings.compare_slices(
            self.battles, inside, ties=self.ties, confidence=HELD_OUT_CONFIDENCE
        )
        # The few votes of a young slice say nothing yet, and their variance is not known well.
        rows = found.models[found.models["votes"] >= MIN_HELD_OUT]
        if not len(rows):
            raise _Missing(FEW_HELD_OUT)
        return {
            **{"votes": found.votes, "votes_rest": found.votes_rest},
            **{"confidence": found.confidence, "departing": int(rows["departs"].sum())},
            "models": [
                {
                    "model": self._id(row["model"]),
                    **{name: int(row[name]) for name in ("votes", "votes_rest")},
                    **{name: float(row[name]) for name in HELD_OUT_COLUMNS},
                    "departs": bool(row["departs"]),
                }
                for row in rows.to_dict("records")
            ],
        }

    def fit(self) -> dict[str, Any]:
        self._fit()
        found = ratings.goodness_of_fit(self.battles, rounds=ROUNDS, seed=SEED)
        if not len(found.pairs):
            raise _Missing(NO_PAIR)
        poor = found.pairs[found.pairs["q"] < 1 - CONFIDENCE]
        return {
            **{"p": found.p, "deviance": found.deviance, "df": found.df},
            **{"dispersion": found.dispersion, "votes": int(found.pairs["votes"].sum())},
            **{"triads": found.triads, "circular": found.circular, "zeta": found.zeta},
            **{"p_circular": found.p_circular, "rounds": found.rounds, "pairs": len(found.pairs)},
            "poor_pairs": [
                {
                    **{"model": self._id(row["model"]), "other": self._id(row["other"])},
                    **{name: int(row[name]) for name in ("votes", "wins")},
                    **{name: float(row[name]) for name in ("expected", "q")},
                }
                for row in poor.head(10).to_dict("records")
            ],
        }

    def plan(self) -> dict[str, Any]:
        return self.plan_document(POWER)

    def plan_document(self, power: float) -> dict[str, Any]:
        fit, around = self._fit()
        planned = ratings.plan(self.battles, fit, around, power=power)
        return {
            **{"power": planned.power, "confidence": planned.confidence, "votes": planned.votes},
            **{"first": self._id(planned.first), "first_known": planned.first_known},
            "first_votes": planned.first_votes,
            "neighbours": [
                {
                    **{"model": self._id(row["model"]), "next": self._id(row["below"])},
                    **{name: _plain(row[name]) for name in PLAN_COLUMNS},
                }
                for row in planned.neighbours.to_dict("records")
            ],
        }


PLAN_COLUMNS = (
    *("gap", "gap_lower", "gap_upper", "probability_above", "told_apart", "doubled_power"),
    *("more_votes", "more_votes_wide", "more_votes_narrow", "direct_votes"),
    *("assurance", "assured_votes"),
)


def compute_plan(votes: RatedVotes, *, ties: str, power: float) -> dict[str, Any] | None:
    """Plan how many more votes tell neighbours apart, with models by the numbers of entrants.

    Returns:
        The cell `plan` for this power; None if fewer than two models are rated.

    Raises:
        OptionError: a power that is not from 0.5 to below 1.
    """
    try:
        document = _Cells(votes, ties).plan_document(power)
    except _Missing:
        return None
    found: dict[str, Any] = _finite(document)
    return found


def _estimate(estimate: Estimate) -> dict[str, Any]:
    value, lower, upper, votes = estimate
    return {"value": value, "lower": lower, "upper": upper, "votes": votes}


def _plain(value: Any) -> Any:
    if value is pd.NA or value is None:
        return None
    return value.item() if isinstance(value, np.generic) else value


def _finite(value: Any) -> Any:
    """Replace numbers that JSON does not have by null."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
