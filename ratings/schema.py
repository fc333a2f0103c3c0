"""Published names: the rules for ties and "both bad", the columns and statuses of a leaderboard.

Imports nothing, so that a command line or a settings file can be checked without loading numpy.
"""

METHODS = ("bt", "elo")
TIE_RULES = ("half", "davidson", "rao-kupper", "drop")
BOTH_BAD_RULES = ("tie", "drop", "own")

COLUMNS = (
    "rank",
    "rank_lower",
    "rank_upper",
    "model",
    "rating",
    "rating_lower",
    "rating_upper",
    "variance",
    "vote_count",
    "wins",
    "losses",
    "ties",
    "both_bad",
    "win_rate",
    "status",
)
STATUSES = ("ok", "preliminary", "disconnected", "undefeated", "winless")
