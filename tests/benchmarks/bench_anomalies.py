"""Screening of voters: false alarms among honest ones, what is found of strange ones, and time.

Run: python tests/benchmarks/bench_anomalies.py [--rounds N] [--votes N]

20 models (sd 100 points), 1,000 voters with 20,000 votes by a power law, tastes of sd 60 points,
ties and paces that differ; in every round five strange voters of one kind with so many votes each.
A fan always votes for the weakest model, which is in a tenth of its battles.
"""

import argparse
import sys
import time

import numpy as np
import pandas as pd

import ratings
from ratings.bradley_terry import ELO_PER_STRENGTH

MODELS, TASTE = 20, 60
KINDS = ("random", "reversed", "fan", "left", "tie", "fast", "same pair")


def honest(random: np.random.Generator, votes: int, voters: int) -> tuple[pd.DataFrame, np.ndarray]:
    strengths = random.normal(0, 100, MODELS) / ELO_PER_STRENGTH
    share = np.arange(1, voters + 1) ** -0.7
    voter = random.choice(voters, size=votes, p=share / share.sum())
    frame = vote(random, strengths, voter, random.normal(0, TASTE, (voters, MODELS)))
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
    elif (
        kind == "fan"
    ):  # always for the weakest model, which it picks out of a tenth of its battles
        answer = np.where(a == strengths.argmin(), 0, np.where(b == strengths.argmin(), 1, answer))
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--votes", type=int, default=1_000_000, help="of the timing")
    options = parser.parse_args()
    flagged = [
        len(screen(honest(np.random.default_rng(seed), 20_000, 1_000)[0]).flagged)
        for seed in range(options.rounds)
    ]
    say(
        f"honest: {np.mean(np.array(flagged) > 0):.1%} of {options.rounds} tables have a flag, "
        f"{sum(flagged)} of {options.rounds * 1000:,} voters"
    )
    say(f"{'strange voters found':<24}{'30 votes':>10}{'100':>8}{'300':>8}{'false':>10}")
    for kind in KINDS:
        found, false = [], 0
        for votes in (30, 100, 300):
            hits = 0
            for seed in range(options.rounds):
                random = np.random.default_rng([seed, votes])
                frame, strengths = honest(random, 20_000, 1_000)
                both = pd.concat([frame, strange(random, kind, strengths, votes)])
                marked = np.array(screen(both.reset_index(drop=True)).flagged, dtype=int)
                hits += (marked < 0).sum()
                false += (marked >= 0).sum()
            found.append(hits / options.rounds / 5)
        widths = zip(found, (10, 8, 8), strict=True)
        shown = "".join(f"{share:>{width}.0%}" for share, width in widths)
        say(f"{kind:<24}{shown}{false:>10}")
    random = np.random.default_rng(0)
    frame = words(honest(random, options.votes, options.votes // 10)[0])
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles)
    started = time.perf_counter()
    ratings.screen_voters(battles, fit)
    say(f"{options.votes:,} votes of {options.votes // 10:,} voters screened in "
        f"{time.perf_counter() - started:.1f} s")  # fmt: skip
    counted = ratings.Battles.from_counts(battles.models, battles.counts)
    started = time.perf_counter()
    found = ratings.votes_to_flip(counted, fit)
    say(
        f"votes that would change the first place: {found.votes:,} to leave out, {found.added:,} "
        f"to add ({found.first} to {found.challenger}), in "
        f"{1000 * (time.perf_counter() - started):.0f} ms from counts"
    )


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
