"""Ratings from blind pairwise votes: Bradley-Terry on the Elo scale, with honest intervals.

Knows tables of votes and nothing else; needs numpy, scipy and pandas.
"""

from ratings.diagnostics.agreement import krippendorff_alpha
from ratings.diagnostics.fragility import Fragility, influence, votes_to_flip
from ratings.diagnostics.goodness import GoodnessOfFit, goodness_of_fit
from ratings.diagnostics.held_out import HeldOut, held_out
from ratings.diagnostics.reliability import Reliability, reliability
from ratings.dynamic.over_time import OverTime, over_time
from ratings.errors import OptionError, RatingsError, VotesError
from ratings.inference.proportions import Estimate
from ratings.inference.ranks import probability_above
from ratings.inference.uncertainty import Intervals, intervals
from ratings.leaderboard import COLUMNS, leaderboard, leaderboard_by
from ratings.model.bradley_terry import BradleyTerry, bradley_terry
from ratings.model.elo import elo
from ratings.planning.planning import Plan, plan
from ratings.planning.sampling import (
    PairProbabilities,
    inverse_probability_weights,
    pair_probabilities,
)
from ratings.planning.simulation import simulate_power
from ratings.screening.anomalies import Screening, screen_voters
from ratings.votes.battles import Battles
from ratings.votes.reading import read_votes

__all__ = [
    "COLUMNS",
    "Battles",
    "BradleyTerry",
    "Estimate",
    "Fragility",
    "GoodnessOfFit",
    "HeldOut",
    "Intervals",
    "OptionError",
    "OverTime",
    "PairProbabilities",
    "Plan",
    "RatingsError",
    "Reliability",
    "Screening",
    "VotesError",
    "bradley_terry",
    "elo",
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
    "screen_voters",
    "simulate_power",
    "votes_to_flip",
]
