"""How often a false first place is ever declared known, when somebody looks every hour.

Run: python tests/benchmarks/bench_first_place.py [--arenas 1000] [--from 0] [--jobs 2] [--equal]

Each arena has six models, of which two share the first place, so that every first place that is
declared known is false: no configuration gives more occasions to err. Votes come in at a steady
rate, 3.5 by each voter on average (a geometric number), and each voter's taste shifts each model's
strength by a normal amount. The leaderboard is looked at after each of 100 hours. Beside the
statement of `ratings.first_place`, the same looks with the test that is valid once: the one-sided
test of the first model against each other, at a level of 5% shared by the models (Bonferroni). A
second table has a leader: in what share of arenas, and after how many votes, is it known?
"""

import argparse
import multiprocessing
import sys
import time

import numpy as np
import pandas as pd

import ratings
from ratings.distributions import normal_tail, student_tail
from ratings.inference.anytime import DEFAULT_SCALE, log_evidence
from ratings.inference.proportions import wilson_interval
from ratings.model.bradley_terry import ELO_PER_STRENGTH

HOURS, VOTES_AN_HOUR, VOTES_A_VOTER = 100, 100, 3.5
CONFIDENCE = 0.95
NEWTON_STEPS = 8
MARGIN = 1.5  # in the logarithm of the evidence: how much a variance by vote may be off
OTHERS = (-40.0, -60.0, -80.0, -120.0)
SCENARIOS = [(0.0, 0.0), (0.0, 60.0), (0.0, 120.0), (30.0, 60.0), (60.0, 60.0)]  # lead, taste sd


def draw_votes(random: np.random.Generator, lead: float, taste: float) -> pd.DataFrame:
    true = np.array([lead, 0.0, *OTHERS])
    size, count = len(true), HOURS * VOTES_AN_HOUR
    ends = np.cumsum(random.geometric(1 / VOTES_A_VOTER, size=count))
    voter = np.searchsorted(ends, np.arange(count), side="right")
    # Neighbouring votes are of one voter; voters overlap within about an hour.
    voter = voter[np.argsort(np.arange(count) + random.uniform(0, VOTES_AN_HOUR, count))]
    strength = true + random.normal(0, taste, (voter.max() + 1, size))
    a = random.integers(size, size=count)
    b = (a + random.integers(1, size, size=count)) % size
    won = random.random(count) < 1 / (1 + 10 ** ((strength[voter, b] - strength[voter, a]) / 400))
    names = [f"m{number}" for number in range(size)]
    return pd.DataFrame(
        {
            "model_a": pd.Categorical.from_codes(a, names),
            "model_b": pd.Categorical.from_codes(b, names),
            "winner": pd.Categorical.from_codes(np.where(won, 0, 1), ["model_a", "model_b"]),
            "voter": voter,
        }
    )


def passes_once(fit: ratings.BradleyTerry, around: ratings.Intervals, margin: float = 0.0) -> bool:
    """Whether the first model is ahead of all others by a test that is valid for one look.

    With a margin, the p-value may be larger by the factor exp(margin).
    """
    rated = fit.ratings.to_numpy()
    first = int(np.argmax(rated))
    others = np.flatnonzero(np.arange(len(rated)) != first)
    covariance = around.covariance.to_numpy()
    diagonal = np.diag(covariance)
    error = np.sqrt(diagonal[first] + diagonal[others] - 2 * covariance[first, others])
    df = np.minimum(around.df.to_numpy()[first], around.df.to_numpy()[others])
    p = student_tail((rated[first] - rated[others]) / error, df)
    return bool(p.max() <= (1 - CONFIDENCE) / len(rated) * np.exp(margin))


def near_looks(votes: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Whether a first place may be declared known in each hour, at any time and at a fixed time.

    All looks are fitted at once, with variances by vote as if the model were true, which the margin
    allows for. Only at these hours the functions of `ratings` are called.
    """
    a, b = (votes[name].cat.codes.to_numpy().astype(int) for name in ("model_a", "model_b"))
    won = votes["winner"].cat.codes.to_numpy() == 0
    size = int(max(a.max(), b.max())) + 1
    hour = np.arange(len(votes)) // VOTES_AN_HOUR
    winner, loser = np.where(won, a, b), np.where(won, b, a)
    key = (hour * size + winner) * size + loser
    wins = np.bincount(key, minlength=HOURS * size * size).reshape(HOURS, size, size)
    wins = wins.cumsum(axis=0).astype(float)
    total = wins + wins.transpose(0, 2, 1)
    strength = np.zeros((HOURS, size))
    for _ in range(NEWTON_STEPS):
        chance = 1 / (1 + np.exp(strength[:, None, :] - strength[:, :, None]))
        gradient = (wins - total * chance).sum(axis=2)
        weight = total * chance * (1 - chance)
        information = -weight
        information[:, np.arange(size), np.arange(size)] += weight.sum(axis=2)
        inverse = np.linalg.inv(information + 1 / size) - 1 / size
        change = (inverse @ gradient[:, :, None])[:, :, 0]
        strength += np.clip(change, -1, 1)
    rated = strength * ELO_PER_STRENGTH
    first = rated.argmax(axis=1)
    hours = np.arange(HOURS)
    diagonal = inverse[:, np.arange(size), np.arange(size)]
    variance = diagonal[hours, first][:, None] + diagonal - 2 * inverse[hours, first]
    gap = rated[hours, first][:, None] - rated
    is_other = np.arange(size) != first[:, None]
    gap = gap[is_other].reshape(HOURS, -1)
    variance = variance[is_other].reshape(HOURS, -1) * ELO_PER_STRENGTH**2
    forever = np.full(gap.size, np.inf)
    log_e = log_evidence(gap.ravel(), variance.ravel(), forever, scale=DEFAULT_SCALE)
    needed = np.log(size / (1 - CONFIDENCE)) - MARGIN
    at_any_time = log_e.reshape(gap.shape).min(axis=1) >= needed
    p = normal_tail(gap / np.sqrt(variance)).max(axis=1)
    once = p <= (1 - CONFIDENCE) / size * np.exp(MARGIN)
    # Models without a win or a loss so far have no rating.
    unrated = (wins.sum(axis=2) == 0).any(axis=1) | (wins.sum(axis=1) == 0).any(axis=1)
    return at_any_time | unrated, once | unrated


def look_every_hour(task: tuple[int, float, float]) -> tuple[int | None, int | None, bool]:
    """Hours after which the first place is declared known, by each rule, and whether truly."""
    seed, lead, taste = task
    votes = draw_votes(np.random.default_rng(seed), lead, taste)
    known = once = None
    correct = True
    near_any_time, near_once = near_looks(votes)
    for hour in range(1, HOURS + 1):
        if not (near_any_time[hour - 1] or (once is None and near_once[hour - 1])):
            continue
        battles = ratings.Battles.from_frame(votes.iloc[: hour * VOTES_AN_HOUR])
        fit = ratings.bradley_terry(battles)
        if fit.ratings.isna().any():
            continue
        by_vote = ratings.intervals(battles, fit, cluster=None)
        evidence = ratings.first_place(battles, fit, by_vote).e_value
        nearly = evidence > np.exp(-MARGIN) / (1 - CONFIDENCE)
        if not (nearly or (once is None and passes_once(fit, by_vote, MARGIN))):
            continue  # intervals by voter take most of the time, and are wider
        around = ratings.intervals(battles, fit, confidence=CONFIDENCE, cluster="voter")
        if once is None and passes_once(fit, around):
            once = hour
        found = ratings.first_place(battles, fit, around, confidence=CONFIDENCE)
        if found.status == "known":
            known, correct = hour, lead > 0 and found.first == "m0"
            break
    return known, once, correct


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arenas", type=int, default=1000, help="in each scenario")
    parser.add_argument("--from", type=int, default=0, dest="first", help="seed of the first arena")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--equal", action="store_true", help="only arenas without a true leader")
    options = parser.parse_args()
    begun = time.perf_counter()
    write(f"{HOURS} looks, one each {VOTES_AN_HOUR} votes; {options.arenas} arenas a scenario")
    write("lead  taste sd  false, any time (95%)      false, fixed time  known   median votes")
    with multiprocessing.Pool(options.jobs) as pool:
        for lead, taste in SCENARIOS:
            if options.equal and lead:
                continue
            seeds = range(options.first, options.first + options.arenas)
            tasks = [(seed, lead, taste) for seed in seeds]
            results = pool.map(look_every_hour, tasks, chunksize=4)
            false = np.array([known is not None and not correct for known, _, correct in results])
            lower, upper = wilson_interval(false.mean(), len(false), 0.95)
            once = np.mean([once is not None for _, once, _ in results])
            hours = [known for known, _, correct in results if known is not None and correct]
            median = f"{np.median(hours) * VOTES_AN_HOUR:,.0f}" if hours else "-"
            fixed = f"{once:.1%}" if lead == 0 else "-"
            write(
                f"{lead:4.0f}  {taste:8.0f}  {false.mean():6.2%} ({lower:.2%} - {upper:.2%})"
                f"{'':8}{fixed:>10}  {len(hours) / len(results):10.1%}  {median:>10}"
            )
    write(f"{time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
