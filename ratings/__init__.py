"""Ratings from blind pairwise votes: Bradley-Terry on the Elo scale, with honest intervals.

Knows tables of votes and nothing else; needs numpy, scipy and pandas.
"""

from ratings.battles import Battles
from ratings.bradley_terry import BradleyTerry, bradley_terry
from ratings.elo import elo
from ratings.errors import OptionError, RatingsError, VotesError
from ratings.leaderboard import COLUMNS, leaderboard, leaderboard_by
from ratings.reading import read_votes
from ratings.uncertainty import Intervals, intervals, probability_above

__all__ = [
    "COLUMNS",
    "Battles",
    "BradleyTerry",
    "Intervals",
    "OptionError",
    "RatingsError",
    "VotesError",
    "bradley_terry",
    "elo",
    "intervals",
    "leaderboard",
    "leaderboard_by",
    "probability_above",
    "read_votes",
]
