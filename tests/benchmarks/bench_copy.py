"""How long a copy of an arena's database takes, and how much memory.

Run: PYTHONPATH=tests/support python tests/benchmarks/bench_copy.py [VOTES]
"""

import resource
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from rich.console import Console

from arena import database
from arena.database import Database
from arena.database_copy import copy_database
from many_votes import fill_large_arena
from postgres_server import postgres_server


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    votes = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    out = Console()
    with tempfile.TemporaryDirectory() as folder, postgres_server(durable=True) as server:
        urls = {
            "SQLite": f"sqlite:///{Path(folder) / 'arena.sqlite'}",
            "PostgreSQL": server.url(server.create_database()),
            "SQLite again": f"sqlite:///{Path(folder) / 'again.sqlite'}",
        }
        opened = {name: Database(url) for name, url in urls.items()}
        database.upgrade(opened["SQLite"])
        fill_large_arena(opened["SQLite"], votes=votes)
        names = list(opened)
        for source, target in pairwise(names):
            before, started = peak_mib(), time.monotonic()
            copied = copy_database(opened[source], opened[target], on_rows=lambda _rows: None)
            seconds, rows = time.monotonic() - started, sum(each.rows for each in copied)
            out.print(
                f"{source} to {target}: {rows:,} rows ({votes:,} votes) in {seconds:.0f} s, "
                f"{rows / seconds:,.0f} rows a second; peak memory {before:.0f} MiB before, "
                f"{peak_mib():.0f} MiB after"
            )


if __name__ == "__main__":
    main()
