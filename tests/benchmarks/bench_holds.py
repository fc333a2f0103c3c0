"""What the background job that tests voters costs in a large arena.

Run: PYTHONPATH=tests/support python tests/benchmarks/bench_holds.py [VOTES] [VOTERS]

The first round reads all votes. Rounds then test the voters a part at a time until everybody was
tested; after that, a round follows NEW votes by voters of before, as in an arena that is voted in.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from arena import database
from arena.audit.screening import VoterScreen
from arena.context import utc_now
from arena.database import Database
from many_votes import add_votes, fill_large_arena

NEW, ROUNDS = 100, 5
FIRST_ROUNDS = 12  # of those after a start, from which the rest is extrapolated


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(screen: VoterScreen) -> tuple[float, float]:
    started, cpu = time.perf_counter(), time.thread_time()
    screen.run(now=utc_now())
    return time.perf_counter() - started, time.thread_time() - cpu


def main() -> None:
    votes = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    voters = int(sys.argv[2]) if len(sys.argv) > 2 else votes // 30
    out = Console()
    with tempfile.TemporaryDirectory() as folder:
        opened = Database(f"sqlite:///{Path(folder) / 'arena.sqlite'}")
        database.upgrade(opened)
        fill_large_arena(opened, votes=votes, models=12, prompts=200, voters=voters)
        before = memory_mb()
        screen = VoterScreen(opened, seed=1)
        seconds, cpu = timed(screen)
        out.print(f"{votes:,} votes, {voters:,} voters, SQLite")
        out.print(f"first round, which reads all votes: {seconds:.1f} s, {cpu:.1f} s of CPU")
        spent = []
        while screen.is_behind and len(spent) < FIRST_ROUNDS:
            spent.append(timed(screen)[1])
        if spent:
            out.print(f"rounds that test the others: {np.median(spent):.2f} s of CPU each")
        states = screen._tracks.values()
        waiting = sum(int((state.tested == 0).sum()) for state in states)
        out.print(f"not tested after {1 + len(spent)} rounds: {waiting:,} voters")
        for state in states:  # as if they had been, to see the rounds after that
            state.tested[:] = np.bincount(
                screen._reader.arrays.pools[next(iter(screen._reader.arrays.pools))].votes["voter"],
                minlength=len(state.tested),
            )
        after = []
        for _ in range(ROUNDS):
            add_votes(opened, votes=NEW, known_voters=True)
            after.append(timed(screen)[1])
        out.print(f"a round after {NEW} new votes: {np.median(after):.2f} s of CPU")
        out.print(f"memory: {before:.0f} MB before, {memory_mb():.0f} MB at the most")


if __name__ == "__main__":
    main()
