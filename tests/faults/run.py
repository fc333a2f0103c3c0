"""Faults of real processes, one round after another: is every promise kept? (`make faults`)

Prints each promise with what was measured, and ends with status 1 if one was violated.

Run: PYTHONPATH=tests/support:tests/benchmarks python tests/faults/run.py [--kills N] [--away S]
     [ROUND ...]
"""

import argparse
import sys
import time
import traceback
from collections.abc import Callable

import client_rounds
import server_rounds
import store_rounds
from rich.console import Console
from rich.table import Table
from under_load import Finding

from postgres_server import MISSING, find_binaries

KILLS, AWAY_S = 50, 30.0


def rounds_of(options: argparse.Namespace) -> dict[str, Callable[[], list[Finding]]]:
    """Every round by its name."""
    return {
        "killed-sqlite": lambda: store_rounds.killed("sqlite", options.kills),
        "killed-postgresql": lambda: store_rounds.killed("postgresql", options.kills),
        "database-away-postgresql": lambda: store_rounds.away(options.away),
        "locked": store_rounds.locked,
        "full-database": store_rounds.full_database,
        "full-media": store_rounds.full_media,
        "clock-back": store_rounds.clock_back,
        "slow-readers": client_rounds.slow_readers,
        "half-open": client_rounds.half_open,
        "retired": server_rounds.retired,
        "two-servers-postgresql": server_rounds.two_servers,
        "below-a-path-postgresql": server_rounds.below_a_path,
    }


def run_round(play: Callable[[], list[Finding]]) -> list[Finding]:
    """Run a round; one that cannot be finished keeps no promise."""
    try:
        return play()
    except Exception as error:
        traceback.print_exc()
        return [Finding("the round ends", f"{type(error).__name__}: {error}", kept=False)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=KILLS, help=f"of each database ({KILLS})")
    parser.add_argument("--away", type=float, default=AWAY_S, help=f"seconds ({AWAY_S:g})")
    parser.add_argument("rounds", nargs="*", metavar="ROUND", help="by default all")
    options = parser.parse_args()
    rounds, out = rounds_of(options), Console()
    if unknown := [name for name in options.rounds if name not in rounds]:
        parser.error(f"no round is named {unknown[0]}; there are {', '.join(rounds)}")
    table = Table(title="Faults", show_lines=True)
    for heading in ("round", "promise", "measured", "kept"):
        table.add_column(heading, overflow="fold")
    violated = 0
    for name in options.rounds or rounds:
        if name.endswith("postgresql") and find_binaries() is None:
            table.add_row(name, MISSING, "", "not run")
            continue
        started = time.monotonic()
        for finding in run_round(rounds[name]):
            violated += not finding.kept
            row = (finding.promise, finding.measured, "yes" if finding.kept else "NO")
            table.add_row(name, *row)
            out.print(name, *row, sep=" | ")
        out.print(f"{name}: {time.monotonic() - started:.0f} s")
    out.print(table)
    if violated:
        sys.exit(f"{violated} promises were not kept.")


if __name__ == "__main__":
    main()
