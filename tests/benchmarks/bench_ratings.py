"""Speed and memory of ratings and of other packages, measured side by side in one process.

Run: python tests/benchmarks/bench_ratings.py [VOTES] [--fastchat FILE] [--repeats N]

Other packages are measured if installed (`pip install evalica==0.4.2 arena-rank==0.1.1 numba`); for
FastChat, the file `fastchat/serve/monitor/rating_systems.py` is enough. 50 models, 15% ties,
100,000 voters, strings in pandas columns. Times are the minimum of at least N repeats, after one
unmeasured run (compilation, imports).
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
from ratings.model import elo as elo_module
from ratings.votes.reading import read_columns

MODELS, VOTERS, TIES, ROUNDS = 50, 100_000, 0.15, 1000
MIN_SECONDS = 1.0  # short runs are repeated until the caches are warm
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


def rate(frame: pd.DataFrame) -> pd.Series:
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
    result = model.compute_ratings_and_cis(dataset)
    rated = pd.Series(np.asarray(result["ratings"]), index=list(result["competitors"]))
    return rated - rated.mean() + 1000


def load(path: str) -> Any:
    spec = importlib.util.spec_from_file_location("rating_systems", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["rating_systems"] = module  # its process pool imports it by name
    spec.loader.exec_module(module)
    return module


def time_of(work: Callable[[], Any], repeats: int) -> float:
    work()
    gc.collect()
    seconds: list[float] = []
    while len(seconds) < repeats or sum(seconds) < MIN_SECONDS:
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def time_of_refit(frame: pd.DataFrame, repeats: int = 500) -> float:
    """Median seconds of a refit after one more vote, starting from the previous fit."""
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles)
    counts = battles.counts.copy()
    counts[0, 0, 1] += 1
    more = ratings.Battles.from_counts(battles.models, counts)
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        ratings.bradley_terry(more, start=fit)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


def peak_of(work: Callable[[pd.DataFrame], Any], frame: pd.DataFrame) -> float:
    """Peak MB of resident memory above the loaded table, measured in a separate process."""

    def measure(sender: Any) -> None:
        small = frame.iloc[:2000].copy()
        work(small)  # loads imports and compiled code before measuring
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # reset the peak
        before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
        work(frame)
        status = Path("/proc/self/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
        sender.send((peak - before) / 1e6)

    receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=measure, args=(sender,))
    process.start()
    peak = receiver.recv()
    process.join()
    return peak


def show(name: str, seconds: float, base: float | None = None) -> None:
    ratio = "" if base is None else f"{seconds / base:8.1f}x"
    sys.stdout.write(f"{name:<52}{seconds * 1000:>12.1f} ms {ratio}\n")
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
    memory = {"hippodrome": peak_of(rate, frame)}
    if "evalica" in installed:
        memory["evalica"] = peak_of(by_evalica, frame)

    fastchat = load(options.fastchat) if options.fastchat else None
    # Its process pool forks, so it must run before any threads start.
    resampled = time_of(lambda: fastchat.compute_bootstrap_bt(frame, 100), 1) if fastchat else 0.0
    sys.stdout.write(f"{options.votes:,} votes; ratios to the line 'with intervals' unless noted\n")
    base = time_of(lambda: rate(frame), options.repeats)
    show("Bradley-Terry from strings, with intervals", base)
    fitted = rate(frame)
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
        difference = work(frame)[list(fitted.index)]
        difference = difference - difference.mean() + 1000 - fitted
        sys.stdout.write(
            f"    largest difference from hippodrome: {difference.abs().max():.2e} Elo points\n"
        )
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
            time_of(lambda: rate(read_columns(path, ())), options.repeats),
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

    bootstrap_seconds = time_of(bootstrapped, options.repeats)
    show("from strings, bootstrap of 1,000 rounds", bootstrap_seconds, base)
    if fastchat:
        show("FastChat's bootstrap of 100 rounds", resampled)
        per_round = (resampled / 100) / (bootstrap_seconds / ROUNDS)
        sys.stdout.write(f"    a round of FastChat takes {per_round:.0f} times as long\n")

    compiled = elo_module._compiled
    elo_module._compiled = lambda: None
    plain = time_of(lambda: ratings.elo(ratings.Battles.from_frame(frame)), options.repeats)
    elo_module._compiled = compiled
    show("sequential Elo from strings, plain Python", plain)
    if "evalica" in installed:
        theirs = time_of(lambda: elo_by_evalica(frame), options.repeats)
        show("evalica elo (ratio to plain Python)", theirs, plain)
        if "numba" in installed:
            fast = time_of(lambda: ratings.elo(ratings.Battles.from_frame(frame)), options.repeats)
            show("sequential Elo from strings, numba", fast)
            show("evalica elo (ratio to numba)", theirs, fast)
        difference = elo_by_evalica(frame) - ratings.elo(ratings.Battles.from_frame(frame))
        sys.stdout.write(f"    largest difference: {difference.abs().max():.2e} Elo points\n")
    for name, peak in memory.items():
        sys.stdout.write(f"peak memory above the table, {name}: {peak:.0f} MB\n")


if __name__ == "__main__":
    main()
