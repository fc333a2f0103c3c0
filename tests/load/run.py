"""Voters and readers at an arena of this machine, in numbers: `make load`.

Makes an arena in a temporary folder, serves it on the loopback, and lets Locust bring voters, who
load the clips of each battle, and readers of its leaderboard. Prints how long requests took, and
ends with status 1 if one failed.

Run: PYTHONPATH=tests/support python tests/load/run.py [--voters N] [--readers N] [--seconds S] ...
"""

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filed_arena import DEMO_BYTES, make_filed_arena
from rich.console import Console
from rich.table import Table

from many_votes import add_votes
from playable import served
from postgres_server import postgres_server
from small_arena import TRACK

ARRIVE_S = 15.0  # in which voters arrive, unless they are many; measured is what follows
ARRIVALS = 15.0  # voters a second at most: each loads the page and the clips of two battles
START_S = 10.0  # for the server's other processes, before voters arrive
SETTLE_S = 5.0  # after they have arrived, before the measurement
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
SHOWN = ("vote", "battle", "clip", "page", "open a page", "leaderboard", "leaderboard's page")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voters", type=int, default=200)
    parser.add_argument("--readers", type=int, default=0, help="half the API's, half the page's")
    parser.add_argument("--seconds", type=float, default=30, help="measured, at most 600")
    parser.add_argument("--period", type=float, default=10, help="seconds between a voter's votes")
    parser.add_argument("--sessions", type=float, default=0.1, help="share with a page's WebSocket")
    parser.add_argument("--clip-bytes", type=int, default=DEMO_BYTES)
    parser.add_argument("--votes", type=int, default=20_000, help="stored before")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--pin", action="store_true", help="server on core 0, load on core 1")
    parser.add_argument("--p95-ms", type=float, help="status 1 if votes' p95 is above this")
    options = parser.parse_args()
    options.seconds = min(options.seconds, 600)
    return options


@contextmanager
def database_url(name: str) -> Iterator[dict[str, str]]:
    if name == "sqlite":
        yield {}
        return
    with postgres_server(durable=True) as server:
        yield {"database_url": server.url(server.create_database())}


def pinned(process: psutil.Process, core: int) -> None:
    """Keep a process and the ones it starts, and all their threads, on one core."""
    for each in [process, *process.children(recursive=True)]:
        for thread in each.threads():
            os.sched_setaffinity(thread.id, {core})


def server_process() -> psutil.Process:
    """The `arena serve` that this process started."""
    return next(
        child for child in psutil.Process().children() if "serve" in " ".join(child.cmdline())
    )


def cpu_s(process: psutil.Process) -> float:
    times = [each.cpu_times() for each in [process, *process.children(recursive=True)]]
    return sum(each.user + each.system for each in times)


def run_locust(
    address: str, options: argparse.Namespace, folder: Path
) -> tuple[list[dict[str, str]], float, int]:
    """Return Locust's table, the server's CPU seconds per second meanwhile, and the exit status."""
    users = options.voters + options.readers
    arrive_s = max(ARRIVE_S, users / ARRIVALS)
    command = [
        *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"),
        *("--host", address, "--users", str(users)),
        *("--spawn-rate", str(users / arrive_s), "--reset-stats"),
        *("--run-time", f"{arrive_s + SETTLE_S + options.seconds:.0f}s", "--stop-timeout", "20"),
        *("--csv", str(folder / "load"), "--exit-code-on-error", "1", "--loglevel", "WARNING"),
    ]
    environment = os.environ | {
        "LOAD_TRACK": TRACK,
        "LOAD_VOTERS": str(options.voters),
        "LOAD_READERS": str(options.readers),
        "LOAD_PERIOD_S": str(options.period),
        "LOAD_SESSIONS": str(options.sessions),
    }
    log = (folder / "locust.log").open("w")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    if options.pin:
        os.sched_setaffinity(process.pid, {1})
    server = server_process()
    time.sleep(arrive_s + SETTLE_S)
    before, started = cpu_s(server), time.monotonic()
    time.sleep(options.seconds - 1)
    share = (cpu_s(server) - before) / (time.monotonic() - started)
    status = process.wait(timeout=120)
    with (folder / "load_stats.csv").open() as file:
        return list(csv.DictReader(file)), share, status


def print_table(rows: list[dict[str, str]], share: float, options: argparse.Namespace) -> None:
    title = (
        f"{options.voters} voters, a vote each {options.period:g} s; {options.readers} readers; "
        f"{options.seconds:g} s; {options.workers} process(es), {options.database}"
    )
    table = Table(title=title)
    for heading in ("request", "count", "a second", "p50", "p95", "p99", "max", "failed"):
        table.add_column(heading, justify="right" if heading != "request" else "left")
    for row in sorted(
        (row for row in rows if row["Name"] in SHOWN), key=lambda row: SHOWN.index(row["Name"])
    ):
        table.add_row(
            *(row["Name"], row["Request Count"], f"{float(row['Requests/s']):.1f}"),
            *(_shown_ms(row[name]) for name in ("50%", "95%", "99%", "Max Response Time")),
            row["Failure Count"],
        )
    console = Console()
    console.print(table)
    console.print(f"The server used {share:.2f} cores.")


def _shown_ms(milliseconds: str) -> str:
    """A time of Locust's table, which has "N/A" for requests that nobody finished."""
    return "none" if milliseconds == "N/A" else f"{float(milliseconds):.0f} ms"


def main() -> None:
    options = parse_options()
    with database_url(options.database) as settings, tempfile.TemporaryDirectory() as name:
        home = Path(name)
        arena = make_filed_arena(home, clip_bytes=options.clip_bytes, **settings)
        add_votes(arena.database, votes=options.votes)
        arena.database.dispose()
        environment = {"ARENA_RATE_LIMIT": "off"}
        if settings:
            environment["ARENA_DATABASE_URL"] = settings["database_url"]
        with served(home, workers=options.workers, **environment) as address:
            time.sleep(START_S)
            if options.pin:
                pinned(server_process(), 0)
            rows, share, status = run_locust(address, options, home)
        if status:
            for file in ("load_failures.csv", "locust.log"):
                shutil.copyfileobj((home / file).open(), sys.stderr)
    print_table(rows, share, options)
    (vote,) = (row for row in rows if row["Name"] == "vote")
    if status or float(vote["Failure Count"]):
        sys.exit("Requests failed.")
    if options.p95_ms is not None and float(vote["95%"]) > options.p95_ms:
        sys.exit(f"Votes' p95 is {vote['95%']} ms, above {options.p95_ms:g} ms.")


if __name__ == "__main__":
    main()
