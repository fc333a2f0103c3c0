"""American League baseball 1987, by home team and visitor (Agresti 2002, table 10.10)."""

TEAMS = ["Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore"]

# Wins and losses of the home team, in the order of the visitors.
AT_HOME = {
    "Milwaukee": ["", "4-3", "4-2", "4-3", "6-1", "4-2", "6-0"],
    "Detroit": ["3-3", "", "4-2", "4-3", "6-0", "6-1", "4-3"],
    "Toronto": ["2-5", "4-3", "", "2-4", "4-3", "4-2", "6-0"],
    "New York": ["3-3", "5-1", "2-5", "", "4-3", "4-2", "6-1"],
    "Boston": ["5-1", "2-5", "3-3", "4-2", "", "5-2", "6-0"],
    "Cleveland": ["2-5", "3-3", "3-4", "4-3", "4-2", "", "2-4"],
    "Baltimore": ["2-5", "1-5", "1-6", "2-4", "1-6", "3-4", ""],
}


def games() -> dict[tuple[str, str], tuple[int, int, int]]:
    """Home wins, home losses and ties of each pair, the home team first."""
    return {
        (home, visitor): (*map(int, score.split("-")), 0)
        for home, row in AT_HOME.items()
        for visitor, score in zip(TEAMS, row, strict=True)
        if score
    }
