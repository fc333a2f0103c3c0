"""How often a false first place is ever declared known, when somebody looks every hour.

Run: python tests/benchmarks/bench_first_place.py [--arenas 10000] [--others 300] [--jobs 2]

Each arena has six models, of which two share the first place, so that every first place that is
declared known is false: no configuration gives more occasions to err. Votes come in at a steady
rate, 3.5 by each voter on average (a geometric number), and each voter's taste shifts each model's
strength by a normal amount. The leaderboard is looked at after each of 100 hours.

All looks of many arenas are fitted at once, with variances by vote. Only where the evidence would
then nearly do (`MARGIN`), the functions of `ratings` are called, with intervals by voter, as the
arena calls them; `--check` calls them in every look, and says whether any was missed.

The second table has a smaller number of arenas. Where two models share the first place, it says how
often the test that is valid once finds a leader: the one-sided test of the first model against each
other, at a level of 5% shared by the models (Bonferroni). Where one leads: in what share of arenas,
and after how many votes, is that known?
"""

import argparse
import multiprocessing
import sys
import time
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

import ratings
from ratings.distributions import normal_tail, student_tail
from ratings.inference.anytime import DEFAULT_SCALE, log_evidence
from ratings.inference.proportions import wilson_interval
from ratings.model.bradley_terry import ELO_PER_STRENGTH

HOURS, VOTES_AN_HOUR, VOTES_A_VOTER = 100, 100, 3.5
VOTES = HOURS * VOTES_AN_HOUR
CONFIDENCE = 0.95
BATCH = 50  # arenas that are fitted at once
NEWTON_STEPS = 8
MARGIN = 1.5  # in the logarithm of the evidence: how much a variance by vote may be off
OTHERS = (-40.0, -60.0, -80.0, -120.0)
MODELS = 2 + len(OTHERS)
NAMES = tuple(f"m{number}" for number in range(MODELS))
TASTES = (0.0, 60.0, 120.0)
LEADS = ((30.0, 60.0), (60.0, 60.0))  # lead, taste


@dataclass(frozen=True)
class Arena:
    """The votes of an arena, in the order in which they were cast."""

    a: np.ndarray
    b: np.ndarray
    won: np.ndarray  # by a
    voter: np.ndarray

    def battles(self, hour: int) -> ratings.Battles:
        """The votes of the first hours."""
        count = hour * VOTES_AN_HOUR
        outcome = np.where(self.won[:count], 0, 1)
        coded = ratings.Battles.from_codes(NAMES, self.a[:count], self.b[:count], outcome)
        voter = pd.Categorical.from_codes(self.voter[:count], pd.RangeIndex(VOTES))
        return replace(coded, frame=pd.DataFrame({"voter": voter}))


@dataclass(frozen=True)
class Result:
    """What is declared of an arena.

    Attributes:
        known: hour in which the first place is declared known; None: in none.
        correct: whether the declared one leads.
        once: hour in which the test that is valid once finds a leader.
        missed: whether `MARGIN` would have missed a look in which the first place is known.
    """

    known: int | None
    correct: bool
    once: int | None
    missed: bool


def draw_arena(random: np.random.Generator, lead: float, taste: float) -> Arena:
    true = np.array([lead, 0.0, *OTHERS])
    sizes = random.geometric(1 / VOTES_A_VOTER, size=VOTES)
    voter = np.repeat(np.arange(VOTES), sizes)[:VOTES]
    # Neighbouring votes are of one voter; voters overlap within about an hour.
    voter = voter[np.argsort(np.arange(VOTES) + random.uniform(0, VOTES_AN_HOUR, VOTES))]
    strength = true + random.normal(0, taste, (int(voter.max()) + 1, MODELS))
    a = random.integers(MODELS, size=VOTES)
    b = (a + random.integers(1, MODELS, size=VOTES)) % MODELS
    gap = strength[voter, a] - strength[voter, b]
    won = random.random(VOTES) < 1 / (1 + np.exp(-gap / ELO_PER_STRENGTH))
    return Arena(a, b, won, voter)


def wins_by_look(arenas: list[Arena]) -> np.ndarray:
    """Wins of each model against each other, up to each hour, shape (arenas, hours, m, m)."""
    hour = np.arange(VOTES) // VOTES_AN_HOUR
    found = []
    for arena in arenas:
        winner = np.where(arena.won, arena.a, arena.b)
        loser = np.where(arena.won, arena.b, arena.a)
        key = (hour * MODELS + winner) * MODELS + loser
        wins = np.bincount(key, minlength=HOURS * MODELS * MODELS)
        found.append(wins.reshape(HOURS, MODELS, MODELS).cumsum(axis=0))
    return np.array(found, dtype=float)


def near_looks(wins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether a first place may be declared known in each look, at any time and at a fixed time.

    Fitted with variances by vote, as if the model were true, which the margin allows for.

    Args:
        wins: shape (looks, m, m).
    """
    looks = np.arange(len(wins))
    total = wins + wins.transpose(0, 2, 1)
    strength = np.zeros((len(wins), MODELS))
    for _ in range(NEWTON_STEPS):
        chance = 1 / (1 + np.exp(strength[:, None, :] - strength[:, :, None]))
        gradient = (wins - total * chance).sum(axis=2)
        weight = total * chance * (1 - chance)
        information = -weight
        information[:, np.arange(MODELS), np.arange(MODELS)] += weight.sum(axis=2)
        inverse = np.linalg.inv(information + 1 / MODELS) - 1 / MODELS
        change = (inverse @ gradient[:, :, None])[:, :, 0]
        strength += np.clip(change, -1, 1)
        if np.abs(change).max() < 1e-6:
            break
    rated = strength * ELO_PER_STRENGTH
    first = rated.argmax(axis=1)
    diagonal = inverse[:, np.arange(MODELS), np.arange(MODELS)]
    variance = diagonal[looks, first][:, None] + diagonal - 2 * inverse[looks, first]
    gap = rated[looks, first][:, None] - rated
    is_other = np.arange(MODELS) != first[:, None]
    gap = gap[is_other].reshape(len(wins), -1)
    variance = variance[is_other].reshape(len(wins), -1) * ELO_PER_STRENGTH**2
    forever = np.full(gap.size, np.inf)
    log_e = log_evidence(gap.ravel(), variance.ravel(), forever, scale=DEFAULT_SCALE)
    needed = np.log(MODELS / (1 - CONFIDENCE)) - MARGIN
    at_any_time = log_e.reshape(gap.shape).min(axis=1) >= needed
    p = normal_tail(gap / np.sqrt(variance)).max(axis=1)
    once = p <= (1 - CONFIDENCE) / MODELS * np.exp(MARGIN)
    # Models without a win or a loss so far have no rating.
    unrated = (wins.sum(axis=2) == 0).any(axis=1) | (wins.sum(axis=1) == 0).any(axis=1)
    return at_any_time | unrated, once | unrated


def passes_once(fit: ratings.BradleyTerry, around: ratings.Intervals) -> bool:
    """Whether the first model is ahead of all others by a test that is valid for one look."""
    rated = fit.ratings.to_numpy()
    first = int(np.argmax(rated))
    others = np.flatnonzero(np.arange(len(rated)) != first)
    covariance = around.covariance.to_numpy()
    diagonal = np.diag(covariance)
    error = np.sqrt(diagonal[first] + diagonal[others] - 2 * covariance[first, others])
    df = np.minimum(around.df.to_numpy()[first], around.df.to_numpy()[others])
    p = student_tail((rated[first] - rated[others]) / error, df)
    return bool(p.max() <= (1 - CONFIDENCE) / len(rated))


def look_every_hour(
    arena: Arena, near: np.ndarray, near_once: np.ndarray, *, lead: float, every_look: bool
) -> Result:
    """Look at one arena.

    Args:
        arena: its votes.
        near: whether the first place may be declared known in each hour.
        near_once: whether the test that is valid once may find a leader.
        lead: of the first model; 0: every first place that is declared is false.
        every_look: whether to make both tests in all of them.
    """
    once = None
    for hour in range(1, HOURS + 1):
        wants_once = once is None and (every_look or near_once[hour - 1])
        if not (every_look or near[hour - 1] or wants_once):
            continue
        battles = arena.battles(hour)
        fit = ratings.bradley_terry(battles)
        if fit.ratings.isna().any():
            continue
        around = ratings.intervals(battles, fit, confidence=CONFIDENCE, cluster="voter")
        if wants_once and passes_once(fit, around):
            once = hour
        found = ratings.first_place(battles, fit, around, confidence=CONFIDENCE)
        if found.status == "known":
            correct = lead > 0 and found.first == NAMES[0]
            return Result(hour, correct, once, not near[hour - 1])
    return Result(None, True, once, False)


def simulate(
    seeds: range, *, lead: float, taste: float, with_once: bool, every_look: bool
) -> list[Result]:
    """Draw arenas, and look at each."""
    arenas = [draw_arena(np.random.default_rng(seed), lead, taste) for seed in seeds]
    wins = wins_by_look(arenas)
    near, near_once = (
        each.reshape(len(arenas), HOURS) for each in near_looks(wins.reshape(-1, MODELS, MODELS))
    )
    if not with_once:
        near_once = np.zeros_like(near_once)
    return [
        look_every_hour(arena, *looks, lead=lead, every_look=every_look)
        for arena, *looks in zip(arenas, near, near_once, strict=True)
    ]


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arenas", type=int, default=10_000, help="of each taste")
    parser.add_argument("--others", type=int, default=300, help="arenas of the second table")
    parser.add_argument("--from", type=int, default=0, dest="first", help="seed of the first arena")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--check", action="store_true", help="make all tests in every look")
    options = parser.parse_args()
    begun = time.perf_counter()
    with multiprocessing.Pool(options.jobs) as pool:

        def run(arenas: int, lead: float, taste: float, *, with_once: bool) -> list[Result]:
            last = options.first + arenas
            parts = [range(at, min(at + BATCH, last)) for at in range(options.first, last, BATCH)]
            work = partial(
                simulate, lead=lead, taste=taste, with_once=with_once, every_look=options.check
            )
            return [result for part in pool.imap_unordered(work, parts) for result in part]

        write(f"{HOURS} looks, one each {VOTES_AN_HOUR} votes; two models share the first place")
        write("taste sd   arenas  false, any time (95%)")
        for taste in TASTES:
            results = run(options.arenas, 0.0, taste, with_once=options.check)
            false = sum(result.known is not None for result in results)
            lower, upper = wilson_interval(false / len(results), len(results), 0.95)
            missed = sum(result.missed for result in results)
            write(
                f"{taste:8.0f}  {len(results):7,}  {false / len(results):6.2%} "
                f"({lower:.2%} - {upper:.2%})"
                + (f"; {missed} of them missed without --check" if options.check else "")
            )
        write("")
        write("lead  taste sd   arenas  a test that is valid once  known   median votes")
        for lead, taste in (*((0.0, taste) for taste in TASTES), *LEADS):
            results = run(options.others, lead, taste, with_once=lead == 0)
            once = np.mean([result.once is not None for result in results])
            hours = [result.known for result in results if result.known and result.correct]
            cells = f"{once:25.1%}" if lead == 0 else f"{'-':>25}  {len(hours) / len(results):6.1%}"
            median = f"  {np.median(hours) * VOTES_AN_HOUR:12,.0f}" if hours else ""
            write(f"{lead:4.0f}  {taste:8.0f}  {len(results):7,}{cells}{median}")
    write(f"{time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
