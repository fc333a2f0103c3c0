"""Ratings from blind pairwise votes: Bradley-Terry on the Elo scale, with honest intervals.

Knows tables of votes and nothing else; needs numpy, scipy and pandas.
"""

from ratings.agreement import krippendorff_alpha
from ratings.anomalies import Screening, screen_voters
from ratings.battles import Battles
from ratings.bradley_terry import BradleyTerry, bradley_terry
from ratings.elo import elo
from ratings.errors import OptionError, RatingsError, VotesError
from ratings.fragility import Fragility, influence, votes_to_flip
from ratings.goodness import GoodnessOfFit, goodness_of_fit
from ratings.held_out import HeldOut, held_out
from ratings.leaderboard import COLUMNS, leaderboard, leaderboard_by
from ratings.over_time import OverTime, over_time
from ratings.planning import Plan, plan
from ratings.ranks import probability_above
from ratings.reading import read_votes
from ratings.reliability import Reliability, reliability
from ratings.sampling import PairProbabilities, inverse_probability_weights, pair_probabilities
from ratings.shares import Estimate
from ratings.simulation import simulate_power
from ratings.uncertainty import Intervals, intervals

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
