"""Votes that `adaptive` saves against `uniform`, on the arena's own code, with 12 models.

Pairs are drawn by `arena.voting.matchmaking` with the catalog's index and the last snapshot, and
leaderboards computed and stored by `arena.standings` (`tests/support/simulated_track.py`). Voters
cast 4 votes each, 15% of them ties. Each ratio is of votes with `uniform` to votes with
`adaptive`, on the same models; with its median and a 95% interval over the seeds (bootstrap).

newcomer  11 models with 2,000 votes each, and one without: votes in the whole arena until the
          leaderboard's standard error of its rating is 10 Elo points. Strengths are normal, with a
          standard deviation of 100 points.
first     No votes at the start; strengths are normal quantiles, so that the best is 23 points
          ahead. Votes until the leaderboard's rank of one model is 1 for certain ("1 to 1").
others    In both parts, the root mean square error of the ratings of all other models at the same
          number of votes; below 1, `adaptive` has the smaller errors.

Ends with status 1 if the newcomer takes more than 1/5 of the votes, the first place more than 1/2,
or the errors of the others are certainly larger.

Run: PYTHONPATH=tests/support python tests/benchmarks/bench_adaptive.py [SEEDS] [newcomer|first]
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import norm
from simulated_track import SimulatedTrack
from threadpoolctl import threadpool_limits

from arena import database
from arena.database import Database
from arena.standings.boards import BoardRow
from arena.voting.matchmaking import ADAPTIVE, UNIFORM

MODELS, SD = 12, 100.0
SETTLED_VOTES = 2000  # of each model but the newcomer
ERROR = 10.0  # Elo points
STEP = {ADAPTIVE: 40, UNIFORM: 120}  # votes between two leaderboards
FIRST_STEP, HORIZON = 200, 40_000
CHECKS = (2000, 4000, 8000)  # votes after which the errors of the others are compared
NEWCOMER_GOAL, FIRST_GOAL = 5.0, 2.0
BOOTSTRAPS = 10_000


@contextmanager
def simulated(elo: np.ndarray, seed: int, sampler: str) -> Iterator[SimulatedTrack]:
    memory = Path("/dev/shm")  # noqa: S108  (a benchmark of votes, not of the disk)
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        opened = Database(f"sqlite:///{Path(folder) / 'arena.sqlite'}")
        database.upgrade(opened)
        yield SimulatedTrack(opened, elo, seed=seed, sampler=sampler)
        opened.dispose()


def error_of_others(rows: Sequence[BoardRow], elo: np.ndarray, left_out: int) -> float:
    """Root mean square error of the ratings but one, on the scale of the estimates.

    Ties counted as half a win compress the scale, whichever pairs are drawn.
    """
    kept = np.arange(len(elo)) != left_out
    estimates = np.array([row.rating for row in rows], dtype=float)[kept]
    truth = elo[kept] - elo[kept].mean()
    estimates = estimates - estimates.mean()
    slope = estimates @ truth / (truth @ truth)
    return float(np.sqrt(np.mean((estimates / slope - truth) ** 2)))


def place_newcomer(seed: int, sampler: str, until: int) -> tuple[int, float]:
    """Return the votes that the newcomer took, and the error of the others.

    Args:
        seed: of strengths and votes.
        sampler: the rule.
        until: number of votes at which the error is measured, at least those until the end.
    """
    elo = np.random.default_rng([seed, 1]).normal(0, SD, MODELS)
    newcomer = MODELS - 1
    with simulated(elo, seed, UNIFORM) as track:
        track.retire(newcomer)
        track.vote(SETTLED_VOTES * (MODELS - 1) // 2)
        track.restore(newcomer)
        track.sampler, before = sampler, track.votes
        votes = 0
        while True:
            rows = track.refresh()
            done = track.votes - before
            variance = rows[newcomer].variance
            if not votes and variance is not None and variance <= ERROR**2:
                votes = done
            if votes and done >= until:
                return votes, error_of_others(rows, elo, newcomer)
            track.vote(STEP[UNIFORM if votes else sampler])


def find_first(seed: int, sampler: str) -> tuple[int, bool, list[float]]:
    """Return the votes until the first place was known, if rightly, and the others' errors."""
    elo = SD * norm.ppf((np.arange(MODELS) + 0.5) / MODELS)
    best, errors, known, right = MODELS - 1, {}, 0, False
    with simulated(elo, seed, sampler) as track:
        while not known or track.votes < max(CHECKS):
            track.vote(FIRST_STEP)
            rows = track.refresh()
            if track.votes in CHECKS:
                errors[track.votes] = error_of_others(rows, elo, best)
            certain = [number for number, row in enumerate(rows) if row.rank_upper == 1]
            if not known and (certain or track.votes >= HORIZON):
                known, right = track.votes, certain == [best]
    return known, right, list(errors.values())


def with_interval(ratios: np.ndarray) -> tuple[float, float, float]:
    """The median and its 95% interval over the seeds."""
    rows = np.random.default_rng(0).integers(len(ratios), size=(BOOTSTRAPS, len(ratios)))
    low, high = np.quantile(np.median(ratios[rows], axis=1), [0.025, 0.975])
    return float(np.median(ratios)), float(low), float(high)


def shown(values: tuple[float, float, float]) -> str:
    return f"{values[0]:.2f} ({values[1]:.2f} to {values[2]:.2f})"


def compare_newcomers(seeds: int, table: Table) -> bool:
    uniform = [place_newcomer(seed, UNIFORM, 0) for seed in range(seeds)]
    adaptive = [place_newcomer(seed, ADAPTIVE, uniform[seed][0]) for seed in range(seeds)]
    votes = [np.array([votes for votes, _ in each]) for each in (uniform, adaptive)]
    errors = [np.array([error for _, error in each]) for each in (uniform, adaptive)]
    saved, others = with_interval(votes[0] / votes[1]), with_interval(errors[1] / errors[0])
    medians = [f"{np.median(each):,.0f}" for each in votes]
    table.add_row("newcomer's standard error is 10", *medians, shown(saved), f"{NEWCOMER_GOAL:g}")
    medians = [f"{np.median(each):.1f}" for each in errors]
    table.add_row(
        "error of the others, when `uniform` is there", *medians, shown(others), "at most 1"
    )
    return saved[0] >= NEWCOMER_GOAL and others[1] <= 1


def compare_first_places(seeds: int, table: Table) -> bool:
    uniform = [find_first(seed, UNIFORM) for seed in range(seeds)]
    adaptive = [find_first(seed, ADAPTIVE) for seed in range(seeds)]
    votes = [np.array([known for known, _, _ in each]) for each in (uniform, adaptive)]
    saved = with_interval(votes[0] / votes[1])
    medians = [f"{np.median(each):,.0f}" for each in votes]
    table.add_row("first place is known", *medians, shown(saved), f"{FIRST_GOAL:g}")
    right = [f"{sum(right for _, right, _ in each)} of {seeds}" for each in (uniform, adaptive)]
    table.add_row("  and it is the right model", *right, "", "")
    no_worse = True
    for place, check in enumerate(CHECKS):
        errors = [np.array([each[2][place] for each in found]) for found in (uniform, adaptive)]
        others = with_interval(errors[1] / errors[0])
        medians = [f"{np.median(each):.1f}" for each in errors]
        table.add_row(
            f"error of the others after {check:,} votes", *medians, shown(others), "at most 1"
        )
        no_worse &= others[1] <= 1
    return saved[0] >= FIRST_GOAL and no_worse


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    parts = sys.argv[2:] or ["newcomer", "first"]
    table = Table(title=f"{MODELS} models, {seeds} seeds; medians, Elo points")
    for heading in ("until", "uniform", "adaptive", "ratio (95% interval)", "to reach"):
        table.add_column(heading, justify="right" if heading != "until" else "left")
    reached = True
    with threadpool_limits(1):
        if "newcomer" in parts:
            reached &= compare_newcomers(seeds, table)
        if "first" in parts:
            reached &= compare_first_places(seeds, table)
    Console().print(table)
    if not reached:
        sys.exit("Not all of this is reached.")


if __name__ == "__main__":
    main()
