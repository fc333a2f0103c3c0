"""How long seals and proofs take with millions of votes behind, and what votes notice of it.

Run: PYTHONPATH=tests/support python tests/benchmarks/bench_seals.py [BEHIND] [NEW]

The tree behind has BEHIND leaves of random hashes, stored as the arena stores them; the votes to
seal are real. NEW of them are sealed alone, and then NEW more while votes are cast one after the
other, as fast as they are answered. As in a served arena, a process of its own seals, below the
priority of the one that votes are cast in.
"""

import base64
import json
import multiprocessing
import os
import secrets
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from sealed_arena import signer_of
from sqlalchemy import func, insert, select, text

from arena import database
from arena.audit import proofs, seals
from arena.audit.keys import Signer
from arena.audit.merkle import HASH_BYTES, WIDTH, Tree, full_root, root_from_inclusion, split_hashes
from arena.context import utc_now
from arena.database import Database
from arena.models import Seal, SealTile, Vote
from arena.standings.leased_job import NICENESS
from arena.voting.limits import VotingRules
from many_votes import fill_large_arena
from small_arena import Booth

SAMPLES = 300


def put_tree_behind(opened: Database, size: int) -> None:
    """Store a seal over `size` votes that are not there, with its tiles."""
    hashes = secrets.token_bytes(HASH_BYTES * size)
    numbers = np.arange(1, size + 1, dtype=">i8")
    level, tiles = 0, []
    while hashes:
        width = HASH_BYTES * WIDTH
        parts = [hashes[at : at + width] for at in range(0, len(hashes), width)]
        for number, part in enumerate(parts):
            first = number * WIDTH
            tiles.append(
                {
                    **{"level": level, "number": number, "hashes": part},
                    "votes": numbers[first : first + WIDTH].tobytes() if level == 0 else None,
                    "first_vote": first + 1 if level == 0 else None,
                }
            )
        hashes = b"".join(full_root(split_hashes(part)) for part in parts if len(part) == width)
        level += 1
    by_key = {(tile["level"], tile["number"]): tile["hashes"] for tile in tiles}
    root = Tree(lambda level, number: by_key[level, number]).root(size)
    entries = {"commitment": [], "claim": [], "registration": [], "standings": []}
    draft = seals._Draft([], [], size, [], entries, seals._sealed_holds(None))
    draft.root, draft.hashes = root, [b""] * size
    seal = seals._sign(draft, None, signer_of(opened), now=utc_now())
    with opened.writing() as session:
        seals._store(session, seal, draft)
        for at in range(0, len(tiles), 1000):
            session.execute(insert(SealTile), tiles[at : at + 1000])


def cast(opened: Database, stop: threading.Event, seconds: list[float]) -> None:
    """Cast votes one after the other, a battle and a vote each, until `stop` is set."""
    while not stop.is_set():
        booth = Booth(opened, key=secrets.token_hex(16), rules=VotingRules(watch_time=False))
        booth.now = utc_now()
        for _ in range(10):
            battle = booth.ask()
            started = time.perf_counter()
            booth.cast(battle.token, "a")
            seconds.append(time.perf_counter() - started)


def percentiles(seconds: list[float]) -> str:
    ms = np.percentile(np.array(seconds) * 1e3, [50, 99])
    return f"p50 {ms[0]:.1f} ms, p99 {ms[1]:.1f} ms of {len(seconds):,} votes"


def seal(
    url: str, signer: Signer, up_to: int | None, begin: Any, results: Any, niceness: int
) -> None:
    """Seal once `begin` is set; put seconds, seconds of CPU and the last seal's size in results."""
    os.nice(niceness)
    opened = Database(url)
    begin.wait()
    started, spent = time.perf_counter(), time.process_time()
    made = seals.make_seals(opened, signer, now=utc_now(), up_to=up_to, pause=seals.brief_pause)
    took, spent = time.perf_counter() - started, time.process_time() - spent
    results.put((took, spent, made[-1].size))


def start_sealing(url: str, signer: Signer, *, up_to: int | None) -> tuple[Any, Any, Any]:
    """Return a process that is ready to seal, what lets it begin, and where its result comes."""
    context = multiprocessing.get_context("fork")  # a private key cannot be pickled
    begin, results = context.Event(), context.Queue()
    process = context.Process(target=seal, args=(url, signer, up_to, begin, results, NICENESS))
    process.start()
    return process, begin, results


def voting(opened: Database, stop: threading.Event, seconds: list[float]) -> threading.Thread:
    """Start casting votes in a thread."""
    thread = threading.Thread(target=cast, args=(opened, stop, seconds))
    thread.start()
    return thread


def main() -> None:
    behind = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    new = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    out = Console()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'arena.sqlite'}"
        opened = Database(url)
        database.upgrade(opened)
        fill_large_arena(opened, votes=2 * new, models=12, prompts=200)
        with opened.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            connection.exec_driver_sql("BEGIN")
            # From the last one on, so that no two have the same number meanwhile.
            connection.execute(text(f"UPDATE vote SET id = -id - {behind}"))  # noqa: S608
            connection.execute(text("UPDATE vote SET id = -id"))
            connection.commit()
        put_tree_behind(opened, behind)
        signer = signer_of(opened)
        seals.make_seals(opened, signer, now=utc_now(), up_to=behind)  # names the clips
        opened.dispose()  # before the process is forked

        process, begin, results = start_sealing(url, signer, up_to=behind + new)
        begin.set()
        took, spent, first = results.get()
        process.join()
        out.print(f"{behind:,} votes behind, SQLite")
        out.print(f"sealing {first - behind:,} votes alone: {took:.2f} s, {spent:.2f} s of CPU")

        process, begin, results = start_sealing(url, signer, up_to=None)
        stop, alone = threading.Event(), list[float]()
        thread = voting(opened, stop, alone)
        time.sleep(4)
        stop.set()
        thread.join()
        stop, beside = threading.Event(), list[float]()
        thread = voting(opened, stop, beside)
        begin.set()
        took, spent, second = results.get()
        stop.set()
        thread.join()
        process.join()
        out.print(
            f"sealing {second - first:,} votes while votes are cast: {took:.2f} s, "
            f"{spent:.2f} s of CPU"
        )
        with opened.reading() as session:
            last = session.scalar(select(func.max(Seal.watermark)))
            sealed = select(Vote.id).where(Vote.id <= last).order_by(func.random())
            ids = list(session.scalars(sealed.limit(SAMPLES)))
        ids += [1 + secrets.randbelow(behind) for _ in range(SAMPLES)]
        times, cpu, sizes, texts = [], [], [], []
        for vote_id in ids:
            with opened.reading() as session:
                session.connection()
                started, spent = time.perf_counter(), time.thread_time()
                found = proofs.find_inclusion(session, vote_id)
                times.append(time.perf_counter() - started)
                cpu.append(time.thread_time() - spent)
            assert found is not None
            path = found.path
            assert root_from_inclusion(found.leaf, found.index, found.size, path) == found.root
            sizes.append(HASH_BYTES * len(path))
            texts.append(len(json.dumps(base64.b64encode(b"".join(path)).decode())))
        out.print(f"votes without a seal: {percentiles(alone)}")
        out.print(f"votes beside sealing: {percentiles(beside)}")
        out.print(
            f"inclusion proof: median {statistics.median(times) * 1e3:.2f} ms, "
            f"95th percentile {np.percentile(times, 95) * 1e3:.2f} ms, "
            f"{statistics.median(cpu) * 1e3:.2f} ms of CPU; "
            f"{max(sizes)} bytes of hashes, {max(texts)} as text"
        )


if __name__ == "__main__":
    main()
