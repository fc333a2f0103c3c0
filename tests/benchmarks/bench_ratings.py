"""Ratings beside their peers in one process: time of each piece of work, memory above the table.

Run: python tests/benchmarks/bench_ratings.py [VOTES] [--fastchat FILE] [--repeats N]

Peers are taken if they are installed (`pip install evalica==0.4.2 arena-rank==0.1.1 numba`); of
FastChat the file `fastchat/serve/monitor/rating_systems.py` is enough. 50 models, 15% ties, 100,000
voters, strings in pandas columns. The least of at least N repeats counts; every peer does its own
work once before (compiling, importing).
"""

import argparse
import gc
import importlib.util
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import ratings
from ratings.votes.reading import read_columns

MODELS, VOTERS, TIES, ROUNDS = 50, 100_000, 0.15, 1000
LEAST_SECONDS = 1.0  # work of milliseconds is repeated until the caches are warm
COLUMNS = ["model_a", "model_b", "winner"]


def make_votes(votes: int) -> pd.DataFrame:
    """Votes of Davidson's model between models of normal strengths (standard deviation 100)."""
    random = np.random.default_rng(1)
    strengths = random.normal(0, 100, MODELS) * np.log(10) / 400
    a = random.integers(MODELS, size=votes)
    b = (a + random.integers(1, MODELS, size=votes)) % MODELS
    tied = random.random(votes) < TIES
    won = random.random(votes) < 1 / (1 + np.exp(strengths[b] - strengths[a]))
    names = np.array([f"model-{i:02}" for i in range(MODELS)])
    voters = np.array([f"voter-{i:06}" for i in range(VOTERS)])
    return pd.DataFrame(
        {
            "model_a": names[a],
            "model_b": names[b],
            "winner": np.where(tied, "tie", np.where(won, "model_a", "model_b")),
            "voter": voters[random.integers(VOTERS, size=votes)],
        }
    )


def ours(frame: pd.DataFrame) -> pd.Series:
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles)
    ratings.intervals(battles, fit)
    return fit.ratings


def evalica_inputs(frame: pd.DataFrame) -> tuple[Any, ...]:
    import evalica

    words = {
        "model_a": evalica.Winner.X,
        "model_b": evalica.Winner.Y,
        "tie": evalica.Winner.Draw,
    }
    return frame["model_a"], frame["model_b"], frame["winner"].map(words)


def by_evalica(frame: pd.DataFrame, **options: Any) -> pd.Series:
    import evalica

    scores = evalica.bradley_terry(*evalica_inputs(frame), **options).scores
    logs = np.log(scores) * 400 / np.log(10)
    return logs - logs.mean() + 1000


def elo_by_evalica(frame: pd.DataFrame) -> pd.Series:
    import evalica

    return evalica.elo(*evalica_inputs(frame)).scores


def by_arena_rank(frame: pd.DataFrame) -> pd.Series:
    from arena_rank.models.bradley_terry import BradleyTerry
    from arena_rank.utils.data_utils import PairDataset

    dataset = PairDataset.from_pandas(frame)
    model = BradleyTerry(n_competitors=len(dataset.competitors))
    found = model.compute_ratings_and_cis(dataset)
    rated = pd.Series(np.asarray(found["ratings"]), index=list(found["competitors"]))
    return rated - rated.mean() + 1000


def load(path: str) -> Any:
    spec = importlib.util.spec_from_file_location("rating_systems", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["rating_systems"] = module  # its pool of processes looks it up by name
    spec.loader.exec_module(module)
    return module


def time_of(work: Callable[[], Any], repeats: int) -> float:
    work()
    gc.collect()
    took: list[float] = []
    while len(took) < repeats or sum(took) < LEAST_SECONDS:
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return min(took)


def time_of_refit(frame: pd.DataFrame, repeats: int = 500) -> float:
    """Median seconds of a fit to all votes and one more, begun from the fit without it."""
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles)
    counts = battles.counts.copy()
    counts[0, 0, 1] += 1
    more = ratings.Battles.from_counts(battles.models, counts)
    took = []
    for _ in range(repeats):
        started = time.perf_counter()
        ratings.bradley_terry(more, start=fit)
        took.append(time.perf_counter() - started)
    return float(np.median(took))


def peak_of(work: Callable[[pd.DataFrame], Any], frame: pd.DataFrame) -> float:
    """MB of resident memory above the loaded table, in a process of its own."""

    def measure(sender: Any) -> None:
        small = frame.iloc[:2000].copy()
        work(small)  # imports and compiled code are no memory of the work
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
        work(frame)
        status = Path("/proc/self/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
        sender.send((peak - before) / 1e6)

    receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=measure, args=(sender,))
    process.start()
    found = receiver.recv()
    process.join()
    return found


def show(name: str, took: float, base: float | None = None) -> None:
    ratio = "" if base is None else f"{took / base:8.1f}x"
    sys.stdout.write(f"{name:<52}{took * 1000:>12.1f} ms {ratio}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("votes", nargs="?", type=int, default=5_000_000)
    parser.add_argument("--fastchat", help="FastChat's rating_systems.py")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    table = make_votes(options.votes)
    frame = table[COLUMNS]
    installed = {
        name for name in ("evalica", "arena_rank", "numba") if importlib.util.find_spec(name)
    }
    memory = {"hippodrome": peak_of(ours, frame)}
    if "evalica" in installed:
        memory["evalica"] = peak_of(by_evalica, frame)

    fastchat = load(options.fastchat) if options.fastchat else None
    # Before anything starts threads: its pool forks.
    resampled = time_of(lambda: fastchat.compute_bootstrap_bt(frame, 100), 1) if fastchat else 0.0
    sys.stdout.write(f"{options.votes:,} votes; ratios to the line 'with intervals' unless said\n")
    base = time_of(lambda: ours(frame), options.repeats)
    show("Bradley-Terry from strings, with intervals", base)
    fitted = ours(frame)
    show("refit from counts after one more vote", time_of_refit(frame))
    peers: dict[str, Callable[[pd.DataFrame], pd.Series]] = {}
    if "evalica" in installed:
        peers["evalica bradley_terry (no intervals)"] = by_evalica
    if "arena_rank" in installed:
        peers["arena-rank, sandwich"] = by_arena_rank
    if fastchat:
        peers["FastChat compute_bt (no intervals)"] = fastchat.compute_bt
    for name, work in peers.items():
        show(name, time_of(lambda work=work: work(frame), options.repeats), base)
        apart = work(frame)[list(fitted.index)]
        apart = apart - apart.mean() + 1000 - fitted
        sys.stdout.write(f"    farthest from ours: {apart.abs().max():.2e} Elo points\n")
    if "evalica" in installed:
        tight = by_evalica(frame, tolerance=1e-12, limit=10_000)[list(fitted.index)]
        sys.stdout.write(
            f"    evalica at tolerance 1e-12: {(tight - fitted).abs().max():.2e} Elo points\n"
        )

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "votes.parquet"
        table.to_parquet(path)
        as_strings = time_of(lambda: pd.read_parquet(path, columns=COLUMNS), options.repeats)
        show("pandas.read_parquet of the three columns", as_strings)
        as_objects = time_of(
            lambda: pd.read_parquet(path, columns=COLUMNS).astype(object), options.repeats
        )
        show("the same, then as Python strings", as_objects)
        show(
            "Parquet file to ratings and intervals (ratio to first)",
            time_of(lambda: ours(read_columns(path, ())), options.repeats),
            as_strings,
        )

    def clustered() -> None:
        battles = ratings.Battles.from_frame(table)
        ratings.intervals(battles, ratings.bradley_terry(battles), cluster="voter")

    show("from strings, intervals by 100,000 voters", time_of(clustered, options.repeats), base)

    def bootstrapped() -> None:
        battles = ratings.Battles.from_frame(frame)
        fresh = ratings.bradley_terry(battles)
        ratings.intervals(battles, fresh, method="bootstrap", rounds=ROUNDS)

    drawn = time_of(bootstrapped, options.repeats)
    show("from strings, bootstrap of 1,000 rounds", drawn, base)
    if fastchat:
        show("FastChat's bootstrap of 100 rounds", resampled)
        per_round = (resampled / 100) / (drawn / ROUNDS)
        sys.stdout.write(f"    a round of FastChat's takes {per_round:.0f} times as long\n")

    module = sys.modules["ratings.model.elo"]
    compiled = module._compiled
    module._compiled = lambda: None
    plain = time_of(lambda: ratings.elo(ratings.Battles.from_frame(frame)), options.repeats)
    module._compiled = compiled
    show("sequential Elo from strings, plain Python", plain)
    if "evalica" in installed:
        theirs = time_of(lambda: elo_by_evalica(frame), options.repeats)
        show("evalica elo (ratio to plain Python)", theirs, plain)
        if "numba" in installed:
            fast = time_of(lambda: ratings.elo(ratings.Battles.from_frame(frame)), options.repeats)
            show("sequential Elo from strings, numba", fast)
            show("evalica elo (ratio to numba)", theirs, fast)
        apart = elo_by_evalica(frame) - ratings.elo(ratings.Battles.from_frame(frame))
        sys.stdout.write(f"    farthest apart: {apart.abs().max():.2e} Elo points\n")
    for name, peak in memory.items():
        sys.stdout.write(f"peak memory above the table, {name}: {peak:.0f} MB\n")


if __name__ == "__main__":
    main()
