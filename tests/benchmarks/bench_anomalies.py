"""Screening of voters: false alarms among honest ones, what is found of strange ones, and time.

Run: python tests/benchmarks/bench_anomalies.py [--rounds N] [--votes N]

20 models (sd 100 points), 1,000 voters with 20,000 votes by a power law, tastes of sd 60 points,
ties and paces that differ; in every round five strange voters of one kind with so many votes each,
spread over all times. A fan always votes for the weakest model, which is in a tenth of its battles;
a picker answers honestly, but only battles with one model. Below: the share of honest voters among
the flagged where 60 voters are strange in four ways each; and 50 cookies that cast 20 votes each,
all for one model of the middle, beside the 20,000 honest votes.
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


def honest(
    random: np.random.Generator, votes: int, voters: int, power: float = 0.7, taste: float = TASTE
) -> tuple[pd.DataFrame, np.ndarray]:
    strengths = random.normal(0, 100, MODELS) / ELO_PER_STRENGTH
    share = np.arange(1, voters + 1) ** -power
    voter = random.choice(voters, size=votes, p=share / share.sum())
    frame = vote(random, strengths, voter, random.normal(0, taste, (voters, MODELS)))
    return frame, strengths


def vote(random, strengths, voter, tastes) -> pd.DataFrame:
    votes, voters = len(voter), len(tastes)
    own = strengths + tastes / ELO_PER_STRENGTH
    a = random.integers(MODELS, size=votes)
    b = (a + random.integers(1, MODELS, size=votes)) % MODELS
    won = random.random(votes) < 1 / (1 + np.exp(own[voter, b] - own[voter, a]))
    answer = np.where(won, 0, 1)
    answer[random.random(votes) < random.beta(3, 17, voters)[voter]] = 2
    pace = random.normal(9, 0.4, voters)[voter]
    return pd.DataFrame(
        {
            "model_a": a,
            "model_b": b,
            "winner": answer,
            "voter": voter,
            "decided_ms": np.exp(random.normal(pace, 0.5)),
        }
    )


def strange(random, kind: str, strengths, votes: int) -> pd.DataFrame:
    who = np.repeat(np.arange(5), votes)
    frame = vote(random, strengths, who, random.normal(0, TASTE, (5, MODELS)))
    a, b = frame["model_a"].to_numpy(), frame["model_b"].to_numpy()
    answer = frame["winner"].to_numpy().copy()
    if kind == "random":
        answer = random.integers(2, size=len(frame))
    elif kind == "reversed":
        answer = np.where(answer == 2, 2, 1 - answer)
    elif kind == "fan":
        answer = np.where(a == strengths.argmin(), 0, np.where(b == strengths.argmin(), 1, answer))
    elif kind == "picker":
        frame["model_a"], frame["model_b"] = 7, (8 + b % (MODELS - 1)) % MODELS
    elif kind == "left":
        answer = np.zeros(len(frame), dtype=int)
    elif kind == "tie":
        answer = np.full(len(frame), 2)
    elif kind == "fast":
        frame["decided_ms"] = 400.0
    elif kind == "same pair":
        frame["model_a"], frame["model_b"] = 3, 4
    return frame.assign(winner=answer, voter=-1 - who)


def words(frame: pd.DataFrame) -> pd.DataFrame:
    names = [f"m{i:02}" for i in range(MODELS)]
    sides = {side: pd.Categorical.from_codes(frame[side], names) for side in ("model_a", "model_b")}
    answers = pd.Categorical.from_codes(frame["winner"], ["model_a", "model_b", "tie"])
    return frame.assign(**sides, winner=answers)


def screen(frame: pd.DataFrame) -> ratings.Screening:
    battles = ratings.Battles.from_frame(words(frame))
    return ratings.screen_voters(battles, ratings.bradley_terry(battles))


def mixed(random, *parts: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(parts).sample(frac=1, random_state=random, ignore_index=True)


def marks(frame: pd.DataFrame) -> tuple[int, int]:
    """How many strange and how many honest voters are flagged."""
    flagged = np.array(screen(frame).flagged, dtype=int)
    return int((flagged < 0).sum()), int((flagged >= 0).sum())


def false_alarms(rounds: int) -> None:
    say(f"{'honest voters':<44}{'tables with a flag':>20}{'voters flagged':>18}")
    for label, voters, votes, power, taste in (
        ("1,000 voters, 20,000 votes, tastes of sd 60", 1000, 20_000, 0.7, 60),
        ("the same without tastes", 1000, 20_000, 0.7, 0),
        ("1,000 voters, 100,000 votes, sd 120", 1000, 100_000, 0.7, 120),
        ("100 voters, 50,000 votes, sd 60", 100, 50_000, 0.0, 60),
        ("the busiest with an eighth of 20,000, sd 60", 1000, 20_000, 1.0, 60),
        ("10 voters, 3,000 votes, sd 60", 10, 3_000, 0.0, 60),
    ):
        flags = []
        for seed in range(rounds):
            frame, _ = honest(np.random.default_rng(seed), votes, voters, power, taste)
            flags.append(len(screen(frame).flagged))
        tables = f"{sum(map(bool, flags))} of {rounds}"
        say(f"{label:<44}{tables:>20}{f'{sum(flags)} of {rounds * voters:,}':>18}")


def power(rounds: int) -> None:
    say(f"{'strange voters found':<24}{'30 votes':>10}{'100':>8}{'300':>8}{'honest flagged':>18}")
    for kind in KINDS:
        found, false = [], 0
        for votes in (30, 100, 300):
            hits = 0
            for seed in range(rounds):
                random = np.random.default_rng([seed, votes])
                frame, strengths = honest(random, 20_000, 1_000)
                some = marks(mixed(seed, frame, strange(random, kind, strengths, votes)))
                hits, false = hits + some[0], false + some[1]
            found.append(hits / rounds / 5)
        widths = zip(found, (10, 8, 8), strict=True)
        shown = "".join(f"{share:>{width}.0%}" for share, width in widths)
        say(f"{kind:<24}{shown}{false:>18}")


def crowds(rounds: int) -> None:
    found = false = picked = picked_false = 0
    for seed in range(rounds):
        random = np.random.default_rng([seed, 60])
        frame, strengths = honest(random, 20_000, 1_000)
        who = np.repeat(np.arange(60), 60)
        bad = vote(random, strengths, who, np.zeros((60, MODELS)))
        bad = bad.assign(winner=0, decided_ms=400.0, voter=-1 - who, model_a=3)
        some = marks(mixed(seed, frame, bad[bad["model_b"] != 3]))
        found, false = found + some[0], false + some[1]
        middle = int(np.argsort(strengths)[MODELS // 2])
        who = np.repeat(np.arange(50), 20)
        bad = vote(random, strengths, who, np.zeros((50, MODELS)))
        bad = bad.assign(winner=0, voter=-1 - who, model_a=middle)
        some = marks(mixed(seed, frame, bad[bad["model_b"] != middle]))
        picked, picked_false = picked + some[0], picked_false + some[1]
    say(
        f"60 strange in four ways: {found} of {60 * rounds} found; {false} honest among the "
        f"flagged, {false / max(1, found + false):.1%}"
    )
    say(f"cookies of 20 votes, all for one model: {picked} of {50 * rounds} found; "
        f"{picked_false} honest")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--votes", type=int, default=1_000_000, help="of the timing")
    options = parser.parse_args()
    false_alarms(options.rounds)
    power(options.rounds)
    crowds(options.rounds)
    random = np.random.default_rng(0)
    frame = words(honest(random, options.votes, options.votes // 10)[0])
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles)
    started = time.perf_counter()
    ratings.screen_voters(battles, fit)
    say(f"{options.votes:,} votes of {options.votes // 10:,} voters screened in "
        f"{time.perf_counter() - started:.1f} s")  # fmt: skip
    for models, votes in ((20, 20_000), (50, 100_000), (50, 1_000_000), (100, 1_000_000)):
        fragile(models, votes)


def fragile(models: int, votes: int) -> None:
    """What would change the first place, from counts alone: five tables."""
    shown = []
    for seed in range(5):
        random = np.random.default_rng(seed)
        strengths = random.normal(0, 100, models) / ELO_PER_STRENGTH
        a = random.integers(models, size=votes)
        b = (a + random.integers(1, models, size=votes)) % models
        answer = (random.random(votes) >= 1 / (1 + np.exp(strengths[b] - strengths[a]))).astype(int)
        answer[random.random(votes) < 0.15] = 2
        cells = (answer * models + a) * models + b
        counts = np.bincount(cells, minlength=4 * models**2).reshape(4, models, models)
        battles = ratings.Battles.from_counts([f"m{i}" for i in range(models)], counts)
        fit = ratings.bradley_terry(battles)
        started = time.perf_counter()
        found = ratings.votes_to_flip(battles, fit)
        taken = 1000 * (time.perf_counter() - started)
        shown.append(f"{found.votes} out or {found.added} in, {taken:.0f} ms")
    say(f"first of {models} models, {votes:,} votes, changed by: " + "; ".join(shown))


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
