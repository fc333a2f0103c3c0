"""Ratings from blind pairwise votes: Bradley-Terry on the Elo scale, with confidence intervals.

Depends on numpy, scipy and pandas, and on no other package of this repository. The layers, lowest
first; each imports only from those above it in this list:

    arrays, distributions, errors, schema   array types, quantiles, exceptions, published names
    votes/           read, check and encode a table of votes
    model/           Bradley-Terry with its tie models, sequential Elo
    inference/       confidence intervals, ranks
    leaderboard_rows counts, ratings, statuses and order of the rows
    leaderboard      votes -> leaderboard; start reading here
    diagnostics/ screening/ dynamic/ planning/   further analyses of votes and ratings
    cli/             `python -m ratings`

The public names below are imported on first use, so that `import ratings` is fast and a
leaderboard loads only what it needs.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ratings.diagnostics.agreement import krippendorff_alpha
    from ratings.diagnostics.fragility import Fragility, influence, votes_to_flip
    from ratings.diagnostics.goodness import GoodnessOfFit, goodness_of_fit
    from ratings.diagnostics.held_out import HeldOut, held_out
    from ratings.diagnostics.reliability import Reliability, reliability, retest_agreement
    from ratings.diagnostics.slices import SliceComparison, compare_slices
    from ratings.dynamic.over_time import OverTime, over_time
    from ratings.errors import OptionError, RatingsError, VotesError
    from ratings.inference.anytime import FirstPlace, first_place
    from ratings.inference.cluster_sums import ClusterSums, ClusterVotes, OutdatedSums
    from ratings.inference.proportions import Estimate
    from ratings.inference.ranks import probability_above
    from ratings.inference.uncertainty import Intervals, intervals
    from ratings.leaderboard import (
        Leaderboard,
        LeaderboardGroups,
        LeaderboardOptions,
        compute_leaderboard,
        compute_leaderboards,
        leaderboard,
        leaderboard_by,
    )
    from ratings.model.bradley_terry import BradleyTerry, bradley_terry
    from ratings.model.elo import elo
    from ratings.planning.planning import Plan, plan
    from ratings.planning.sampling import (
        PairProbabilities,
        inverse_probability_weights,
        pair_probabilities,
    )
    from ratings.planning.simulation import simulate_power
    from ratings.schema import BOTH_BAD_RULES, COLUMNS, TIE_RULES
    from ratings.screening.anomalies import Screening, screen_voters
    from ratings.votes.battles import Battles
    from ratings.votes.reading import read_votes

_NAMES_BY_MODULE = {
    "diagnostics.agreement": ("krippendorff_alpha",),
    "diagnostics.fragility": ("Fragility", "influence", "votes_to_flip"),
    "diagnostics.goodness": ("GoodnessOfFit", "goodness_of_fit"),
    "diagnostics.held_out": ("HeldOut", "held_out"),
    "diagnostics.reliability": ("Reliability", "reliability", "retest_agreement"),
    "diagnostics.slices": ("SliceComparison", "compare_slices"),
    "dynamic.over_time": ("OverTime", "over_time"),
    "errors": ("OptionError", "RatingsError", "VotesError"),
    "inference.anytime": ("FirstPlace", "first_place"),
    "inference.cluster_sums": ("ClusterSums", "ClusterVotes", "OutdatedSums"),
    "inference.proportions": ("Estimate",),
    "inference.ranks": ("probability_above",),
    "inference.uncertainty": ("Intervals", "intervals"),
    "leaderboard": (
        "Leaderboard",
        "LeaderboardGroups",
        "LeaderboardOptions",
        "compute_leaderboard",
        "compute_leaderboards",
        "leaderboard",
        "leaderboard_by",
    ),
    "model.bradley_terry": ("BradleyTerry", "bradley_terry"),
    "model.elo": ("elo",),
    "planning.planning": ("Plan", "plan"),
    "planning.sampling": (
        "PairProbabilities",
        "inverse_probability_weights",
        "pair_probabilities",
    ),
    "planning.simulation": ("simulate_power",),
    "schema": ("BOTH_BAD_RULES", "COLUMNS", "TIE_RULES"),
    "screening.anomalies": ("Screening", "screen_voters"),
    "votes.battles": ("Battles",),
    "votes.reading": ("read_votes",),
}
_MODULE_OF = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}

__all__ = [
    "BOTH_BAD_RULES",
    "COLUMNS",
    "TIE_RULES",
    "Battles",
    "BradleyTerry",
    "ClusterSums",
    "ClusterVotes",
    "Estimate",
    "FirstPlace",
    "Fragility",
    "GoodnessOfFit",
    "HeldOut",
    "Intervals",
    "Leaderboard",
    "LeaderboardGroups",
    "LeaderboardOptions",
    "OptionError",
    "OutdatedSums",
    "OverTime",
    "PairProbabilities",
    "Plan",
    "RatingsError",
    "Reliability",
    "Screening",
    "SliceComparison",
    "VotesError",
    "bradley_terry",
    "compare_slices",
    "compute_leaderboard",
    "compute_leaderboards",
    "elo",
    "first_place",
    "goodness_of_fit",
    "held_out",
    "influence",
    "intervals",
    "inverse_probability_weights",
    "krippendorff_alpha",
    "leaderboard",
    "leaderboard_by",
    "over_time",
    "pair_probabilities",
    "plan",
    "probability_above",
    "read_votes",
    "reliability",
    "retest_agreement",
    "screen_voters",
    "simulate_power",
    "votes_to_flip",
]


class _Package(ModuleType):
    """This package; a submodule never replaces the public function of the same name.

    Importing a submodule sets it as an attribute of its package. Without this class, whether
    `ratings.leaderboard` is the function would depend on the order of imports.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _MODULE_OF and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
