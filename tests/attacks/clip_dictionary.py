"""Rigging with a dictionary of clips: what is learnt from reveals, and what it moves.

Every vote that reveals names tells who made two clips. An attacker with many cookies writes that
down, votes for one model where a clip of it is known, skips three of ten battles in which none is,
and votes honestly on the rest. `rules` leaves out the votes that the rules about voters hold.

Run: python tests/attacks/clip_dictionary.py [--seeds N]
"""

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd
from held_voters import (
    ELO,
    MODELS,
    NAMES,
    RIGGED,
    elo_of,
    few_votes_each,
    frame_of,
    held_votes,
    mean,
    say,
    simulate,
)

VOTES, COOKIE_VOTES, SKIPPED = 1000, 20, 0.3


@dataclass(frozen=True)
class Learnt:
    """What one attack came to.

    Attributes:
        known: share of the clips that the attacker knows at the end.
        elo: rise of the model in Elo points, with all votes.
        elo_rules: the same without the votes that rules hold.
    """

    known: float
    elo: float
    elo_rules: float


def attack(seed: int, *, prompts: int, honest: int = 100_000, reveals: bool = True) -> Learnt:
    """1,000 votes by an attacker who begins without knowing a clip.

    Args:
        seed: of everything random.
        prompts: number of prompts; every model has a clip of each.
        honest: number of honest votes.
        reveals: whether votes reveal names; otherwise the attacker learns nothing.
    """
    random = np.random.default_rng([seed, prompts])
    elo = random.normal(0, 80, MODELS)
    target = int(np.argsort(elo)[MODELS // 2])
    clean = simulate(random, few_votes_each(random, honest), elo)
    known = np.zeros((MODELS, prompts), dtype=bool)
    rows = []
    while len(rows) < VOTES:
        left, right = random.choice(MODELS, size=2, replace=False)
        prompt = random.integers(prompts)
        favoured = next(
            (each for each in (left, right) if each == target and known[each, prompt]), -1
        )
        if favoured < 0 and random.random() < SKIPPED:
            continue
        won = random.random() < 1 / (1 + np.exp((elo[right] - elo[left]) / ELO))
        if favoured >= 0:
            won = favoured == left
        rows.append((left, right, "model_a" if won else "model_b"))
        if reveals:
            known[[left, right], prompt] = True
    left, right, winner = (np.array(column) for column in zip(*rows, strict=True))
    rigged = frame_of(left, right, winner.astype(object), RIGGED + np.arange(VOTES) // COOKIE_VOTES)
    frame = pd.concat([clean, rigged]).sample(frac=1, random_state=seed, ignore_index=True)
    before, after, kept = elo_of(clean), elo_of(frame), elo_of(frame[~held_votes(frame)])
    name = NAMES[target]
    return Learnt(
        known=float(known[target].mean()),
        elo=float(after[name] - before[name]),
        elo_rules=float(kept[name] - before[name]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)
    say(f"{'honest':>8}{'clips a model':>15}{'reveals':>9}{'known':>8}{'Elo':>7}{'rules':>8}")
    for honest in (10_000, 100_000):
        for prompts, reveals in ((20, True), (100, True), (500, True), (100, False)):
            found = [
                attack(seed, prompts=prompts, honest=honest, reveals=reveals) for seed in seeds
            ]
            say(
                f"{honest:>8,}{prompts:>15}{'yes' if reveals else 'no':>9}"
                f"{mean(found, 'known'):>8.0%}{mean(found, 'elo'):>7.1f}"
                f"{mean(found, 'elo_rules'):>8.1f}"
            )


if __name__ == "__main__":
    main()
