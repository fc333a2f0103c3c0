"""How long seals and proofs take with millions of votes behind, and what votes notice of it.

Run: PYTHONPATH=tests/support python tests/benchmarks/bench_seals.py [BEHIND] [NEW]

The tree behind has BEHIND leaves of random hashes, stored as the arena stores them; the NEW votes
are real. Votes are cast one after the other in another thread, as fast as they are answered.
"""

import base64
import json
import secrets
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from sealed_arena import signer_of
from sqlalchemy import func, insert, select, text

from arena import database
from arena.audit import proofs, seals
from arena.audit.keys import new_signer
from arena.audit.merkle import HASH_BYTES, WIDTH, Tree, full_root, root_from_inclusion, split_hashes
from arena.context import utc_now
from arena.database import Database
from arena.models import Seal, SealTile, Vote
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
    signer, now = new_signer(), utc_now()
    entries = {"commitment": [], "claim": [], "registration": [], "standings": []}
    draft = seals._Draft([], [], size, [], entries, seals._sealed_holds(None))
    draft.root, draft.hashes = root, [b""] * size
    seal = seals._sign(draft, None, signer_of(opened) or signer, now=now)
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


def main() -> None:
    behind = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    new = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    out = Console()
    with tempfile.TemporaryDirectory() as folder:
        opened = Database(f"sqlite:///{Path(folder) / 'arena.sqlite'}")
        database.upgrade(opened)
        fill_large_arena(opened, votes=new, models=12, prompts=200)
        with opened.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            connection.exec_driver_sql("BEGIN")
            connection.execute(text(f"UPDATE vote SET id = id + {behind}"))  # noqa: S608
            connection.commit()
        put_tree_behind(opened, behind)
        signer = signer_of(opened)

        stop, alone = threading.Event(), list[float]()
        thread = threading.Thread(target=cast, args=(opened, stop, alone))
        thread.start()
        time.sleep(4)
        stop.set()
        thread.join()

        stop, beside = threading.Event(), list[float]()
        thread = threading.Thread(target=cast, args=(opened, stop, beside))
        thread.start()
        started, spent = time.perf_counter(), time.thread_time()
        made = seals.make_seals(opened, signer, now=utc_now(), pause=seals.brief_pause)
        took, spent = time.perf_counter() - started, time.thread_time() - spent
        stop.set()
        thread.join()
        started = time.perf_counter()
        seals.make_seals(opened, signer, now=utc_now())
        rest = time.perf_counter() - started
        with opened.reading() as session:
            sealed = session.scalar(select(func.max(Seal.size))) or 0
            ids = list(session.scalars(select(Vote.id).order_by(func.random()).limit(SAMPLES)))
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
        out.print(f"{behind:,} votes behind, SQLite; {sealed:,} sealed at the end")
        out.print(
            f"sealing {made[0].size - behind:,} votes while votes are cast: {took:.2f} s, "
            f"{spent:.2f} s of CPU"
        )
        out.print(f"sealing the rest, alone: {rest:.2f} s")
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
