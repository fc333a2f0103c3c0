"""Published names and numbers: the rules, columns of votes, those of a leaderboard.

Loads nothing, so that a command line or a settings file can be checked without loading numpy.
"""

from typing import Any

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
# Optional columns of votes, by the names that releases give them.
VOTER, PROMPT = "voter", "prompt"
COLUMN_ALIASES = {VOTER: "evaluation_session_id", PROMPT: "prompt_id"}  # their names in a release
OTHER_VOTERS = ("user_id", "user", "judge")  # in published sets; used where there is no better one
_WORDS = {column: word for word, column in COLUMN_ALIASES.items()}
ID = "id"  # of a vote
TIMES = ("timestamp", "tstamp")
CLIPS = ("clip_a", "clip_b")
DECIDED = "decided_ms"
DRAWN = "probability"  # with which the sampler drew the pair
AUTOMATIC = "auto"  # clusters by the voter column, if there is one; a period by the votes' span

STATUSES = ("ok", "preliminary", "disconnected", "undefeated", "winless")

_DECIMALS, _DIGITS = 6, 6
_SMALL = 1e-3  # six decimals would leave fewer than four significant digits, or none


def column_word(name: str) -> str:
    """What to call a column in a sentence: "voter" rather than "evaluation_session_id"."""
    return _WORDS.get(name, name)


def format_number(value: Any) -> str:
    """A published number: six decimals, or six significant digits below 0.001 (p-values)."""
    small = value and abs(value) < _SMALL
    return f"{value:.{_DIGITS}g}" if small else f"{value:.{_DECIMALS}f}"
