"""Screening of voters: false positives, power by kind of anomaly, and time.

Run: python tests/benchmarks/bench_anomalies.py [--rounds N] [--votes N]

20 models (standard deviation 100 Elo points), 1,000 honest voters with 20,000 votes distributed by
a power law, tastes of standard deviation 60 points, and different tie rates and speeds. To measure
power, each round adds five anomalous voters of one kind with 30, 100 or 300 votes each, at random
times. A fan always votes for the weakest model, which is in a tenth of its battles; a picker
answers honestly, but only battles with one model. Two crowds follow: 60 voters who are anomalous in
four ways each, with the share of honest voters among the flagged; and 50 voter IDs that cast 20
votes each, all for one model of middle rank. The last lines are the time of a screening, and for
several table sizes the number of votes that would change the first place, with the time to compute
it.
"""

import argparse
import sys
import time

import numpy as np
import pandas as pd

import ratings
from ratings.model.bradley_terry import ELO_PER_STRENGTH

MODELS, TASTE = 20, 60
KINDS = ("random", "reversed", "fan", "picker", "left", "tie", "fast", "same pair")


def simulate_honest(
    random: np.random.Generator, votes: int, voters: int, power: float = 0.7, taste: float = TASTE
) -> tuple[pd.DataFrame, np.ndarray]:
    """Votes of honest voters and the strengths; `power` is the exponent of the votes per voter."""
    strengths = random.normal(0, 100, MODELS) / ELO_PER_STRENGTH
    share = np.arange(1, voters + 1) ** -power
    voter = random.choice(voters, size=votes, p=share / share.sum())
    frame = simulate_votes(random, strengths, voter, random.normal(0, taste, (voters, MODELS)))
    return frame, strengths


def simulate_votes(random, strengths, voter, tastes) -> pd.DataFrame:
    """One vote for each entry of `voter`, with models and outcomes as codes."""
    votes, voters = len(voter), len(tastes)
    personal = strengths + tastes / ELO_PER_STRENGTH
    a = random.integers(MODELS, size=votes)
    b = (a + random.integers(1, MODELS, size=votes)) % MODELS
    won = random.random(votes) < 1 / (1 + np.exp(personal[voter, b] - personal[voter, a]))
    outcome = np.where(won, 0, 1)
    outcome[random.random(votes) < random.beta(3, 17, voters)[voter]] = 2
    log_time = random.normal(9, 0.4, voters)[voter]
    return pd.DataFrame(
        {
            "model_a": a,
            "model_b": b,
            "winner": outcome,
            "voter": voter,
            "decided_ms": np.exp(random.normal(log_time, 0.5)),
        }
    )


def simulate_anomalous(random, kind: str, strengths, votes: int) -> pd.DataFrame:
    """Votes of five anomalous voters, whose codes are negative."""
    voter = np.repeat(np.arange(5), votes)
    frame = simulate_votes(random, strengths, voter, random.normal(0, TASTE, (5, MODELS)))
    a, b = frame["model_a"].to_numpy(), frame["model_b"].to_numpy()
    outcome = frame["winner"].to_numpy().copy()
    weakest = strengths.argmin()
    if kind == "random":
        outcome = random.integers(2, size=len(frame))
    elif kind == "reversed":
        outcome = np.where(outcome == 2, 2, 1 - outcome)
    elif kind == "fan":
        outcome = np.where(a == weakest, 0, np.where(b == weakest, 1, outcome))
    elif kind == "picker":
        frame["model_a"], frame["model_b"] = 7, (8 + b % (MODELS - 1)) % MODELS
    elif kind == "left":
        outcome = np.zeros(len(frame), dtype=int)
    elif kind == "tie":
        outcome = np.full(len(frame), 2)
    elif kind == "fast":
        frame["decided_ms"] = 400.0
    elif kind == "same pair":
        frame["model_a"], frame["model_b"] = 3, 4
    return frame.assign(winner=outcome, voter=-1 - voter)


def decode(frame: pd.DataFrame) -> pd.DataFrame:
    """The same votes with names of models and outcomes instead of codes."""
    names = [f"m{i:02}" for i in range(MODELS)]
    sides = {side: pd.Categorical.from_codes(frame[side], names) for side in ("model_a", "model_b")}
    outcomes = pd.Categorical.from_codes(frame["winner"], ["model_a", "model_b", "tie"])
    return frame.assign(**sides, winner=outcomes)


def screen(frame: pd.DataFrame) -> ratings.Screening:
    battles = ratings.Battles.from_frame(decode(frame))
    return ratings.screen_voters(battles, ratings.bradley_terry(battles))


def shuffle_together(seed, *parts: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(parts).sample(frac=1, random_state=seed, ignore_index=True)


def count_flagged(frame: pd.DataFrame) -> tuple[int, int]:
    """Number of anomalous and of honest voters that are flagged."""
    flagged = np.array(screen(frame).flagged, dtype=int)
    return int((flagged < 0).sum()), int((flagged >= 0).sum())


def measure_false_positives(rounds: int) -> None:
    say(f"{'honest voters':<44}{'tables with a flag':>20}{'voters flagged':>18}")
    for label, voters, votes, power, taste in (
        ("1,000 voters, 20,000 votes, tastes of sd 60", 1000, 20_000, 0.7, 60),
        ("the same without tastes", 1000, 20_000, 0.7, 0),
        ("1,000 voters, 100,000 votes, sd 120", 1000, 100_000, 0.7, 120),
        ("100 voters, 50,000 votes, sd 60", 100, 50_000, 0.0, 60),
        ("busiest has an eighth of 20,000, sd 60", 1000, 20_000, 1.0, 60),
        ("10 voters, 3,000 votes, sd 60", 10, 3_000, 0.0, 60),
    ):
        flags = []
        for seed in range(rounds):
            frame, _ = simulate_honest(np.random.default_rng(seed), votes, voters, power, taste)
            flags.append(len(screen(frame).flagged))
        tables = f"{sum(map(bool, flags))} of {rounds}"
        say(f"{label:<44}{tables:>20}{f'{sum(flags)} of {rounds * voters:,}':>18}")


def measure_power(rounds: int) -> None:
    say(f"{'power against':<24}{'30 votes':>10}{'100':>8}{'300':>8}{'honest flagged':>18}")
    for kind in KINDS:
        power, false_positives = [], 0
        for votes in (30, 100, 300):
            detected = 0
            for seed in range(rounds):
                random = np.random.default_rng([seed, votes])
                frame, strengths = simulate_honest(random, 20_000, 1_000)
                anomalous = simulate_anomalous(random, kind, strengths, votes)
                counts = count_flagged(shuffle_together(seed, frame, anomalous))
                detected, false_positives = detected + counts[0], false_positives + counts[1]
            power.append(detected / rounds / 5)
        columns = zip(power, (10, 8, 8), strict=True)
        formatted = "".join(f"{value:>{width}.0%}" for value, width in columns)
        say(f"{kind:<24}{formatted}{false_positives:>18}")


def measure_crowds(rounds: int) -> None:
    extreme, rigged = np.zeros((2, 2), dtype=int)  # flagged: anomalous, honest
    for seed in range(rounds):
        random = np.random.default_rng([seed, 60])
        frame, strengths = simulate_honest(random, 20_000, 1_000)
        voter = np.repeat(np.arange(60), 60)
        crowd = simulate_votes(random, strengths, voter, np.zeros((60, MODELS)))
        crowd = crowd.assign(winner=0, decided_ms=400.0, voter=-1 - voter, model_a=3)
        extreme += count_flagged(shuffle_together(seed, frame, crowd[crowd["model_b"] != 3]))
        middle = int(np.argsort(strengths)[MODELS // 2])
        voter = np.repeat(np.arange(50), 20)
        crowd = simulate_votes(random, strengths, voter, np.zeros((50, MODELS)))
        crowd = crowd.assign(winner=0, voter=-1 - voter, model_a=middle)
        rigged += count_flagged(shuffle_together(seed, frame, crowd[crowd["model_b"] != middle]))
    say(
        f"60 voters anomalous in four ways: {extreme[0]} of {60 * rounds} flagged; "
        f"{extreme[1]} honest among the flagged, {extreme[1] / max(1, extreme.sum()):.1%}"
    )
    say(
        f"voter IDs with 20 votes each, all for one model: {rigged[0]} of {50 * rounds} flagged; "
        f"{rigged[1]} honest"
    )


def measure_time(votes: int) -> None:
    voters = votes // 10
    frame = decode(simulate_honest(np.random.default_rng(0), votes, voters)[0])
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles)
    started = time.perf_counter()
    ratings.screen_voters(battles, fit)
    seconds = time.perf_counter() - started
    say(f"{votes:,} votes of {voters:,} voters screened in {seconds:.1f} s")


def measure_fragility(models: int, votes: int) -> None:
    """Votes that would change the first place, from counts alone, for five tables."""
    formatted = []
    for seed in range(5):
        random = np.random.default_rng(seed)
        strengths = random.normal(0, 100, models) / ELO_PER_STRENGTH
        a = random.integers(models, size=votes)
        b = (a + random.integers(1, models, size=votes)) % models
        won = random.random(votes) < 1 / (1 + np.exp(strengths[b] - strengths[a]))
        outcome = np.where(won, 0, 1)
        outcome[random.random(votes) < 0.15] = 2
        index = (outcome * models + a) * models + b
        counts = np.bincount(index, minlength=4 * models**2).reshape(4, models, models)
        battles = ratings.Battles.from_counts([f"m{i}" for i in range(models)], counts)
        fit = ratings.bradley_terry(battles)
        started = time.perf_counter()
        result = ratings.votes_to_flip(battles, fit)
        milliseconds = 1000 * (time.perf_counter() - started)
        formatted.append(f"{result.votes} removed or {result.added} added, {milliseconds:.0f} ms")
    say(f"first of {models} models, {votes:,} votes, changed by: " + "; ".join(formatted))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--votes", type=int, default=1_000_000, help="votes of the timed screening")
    options = parser.parse_args()
    measure_false_positives(options.rounds)
    measure_power(options.rounds)
    measure_crowds(options.rounds)
    measure_time(options.votes)
    for models, votes in ((20, 20_000), (50, 100_000), (50, 1_000_000), (100, 1_000_000)):
        measure_fragility(models, votes)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
