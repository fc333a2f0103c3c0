"""How long `arena verify` takes.

Run: PYTHONPATH=tests/support python tests/benchmarks/bench_verify.py [VOTES]
"""

import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from sealed_arena import signer_of

from arena import database
from arena.context import utc_now
from arena.database import Database
from arena.release import export_release
from arena.release.verify import verify_release
from many_votes import fill_large_arena

RUNS = 3


def main() -> None:
    votes = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    out = Console()
    with tempfile.TemporaryDirectory() as folder:
        opened = Database(f"sqlite:///{Path(folder) / 'arena.sqlite'}")
        database.upgrade(opened)
        fill_large_arena(opened, votes=votes, models=12, prompts=300)
        release = Path(folder) / "release"
        started, cpu = time.perf_counter(), time.process_time()
        export_release(opened, release, signer=signer_of(opened), now=utc_now())
        spent = time.perf_counter() - started, time.process_time() - cpu
        out.print(f"export of {votes:,} votes: {spent[0]:.1f} s, {spent[1]:.1f} s of CPU")
        for _ in range(RUNS):
            started, cpu = time.perf_counter(), time.process_time()
            report = verify_release(release)
            spent = time.perf_counter() - started, time.process_time() - cpu
            out.print(
                f"verify of {report.votes:,} votes in {report.seals} seals and "
                f"{report.leaderboards} leaderboards: {spent[0]:.1f} s, {spent[1]:.1f} s of CPU"
            )


if __name__ == "__main__":
    main()
