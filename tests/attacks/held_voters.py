"""What the rules about voters hold, and what that does to ratings, in simulated tracks.

Run: python tests/attacks/held_voters.py [--seeds N]

20 models whose ratings have a standard deviation of 80 Elo, drawn uniformly; a tenth of the votes
are ties. Rigged: 50 cookies with 20 votes each that know every clip, among 100,000 honest votes
(3.5 a voter), for a model in mid-table. `picks` answers only battles with its model; `served`
answers what it is served; `skips` skips 30% of the battles, those without its model. Tastes: 1,000
voters with tastes of 120 Elo and 100 votes each. Coins: 50 voters who toss a coin 200 times, among
as many honest ones with 100 votes each.
"""

import argparse
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd

import ratings
from arena.audit.voter_rules import flag, voter_p_values

MODELS, ELO = 20, 400 / np.log(10)
NAMES = [f"m{number:02}" for number in range(MODELS)]
RIGGED = 1_000_000  # numbers of voters from here on are an attacker's


@dataclass(frozen=True)
class Figures:
    """Figures of one seed.

    Attributes:
        held: share of the attacker's cookies that are held.
        honest_held: share of honest votes that are held.
        elo, ranks: how far the target rose, in Elo and ranks, with holds.
        elo_without: the same without holds.
        first_moved: whether another model than without the attack is first.
        largest: largest difference of a rating with and without holds, Elo.
    """

    held: float
    honest_held: float
    elo: float = 0.0
    ranks: int = 0
    elo_without: float = 0.0
    first_moved: bool = False
    largest: float = 0.0


def simulate(
    random: np.random.Generator, voter: np.ndarray, elo: np.ndarray, taste: float = 0.0
) -> pd.DataFrame:
    """Honest votes, one for each entry of `voter`."""
    count = len(voter)
    left = random.integers(MODELS, size=count)
    right = (left + random.integers(1, MODELS, size=count)) % MODELS
    tastes = random.normal(0, taste, (int(voter.max()) + 1, MODELS)) if taste else None
    gap = elo[left] - elo[right]
    if tastes is not None:
        gap = gap + tastes[voter, left] - tastes[voter, right]
    won = random.random(count) < 1 / (1 + np.exp(-gap / ELO))
    winner = np.where(won, "model_a", "model_b").astype(object)
    winner[random.random(count) < 0.1] = "tie"
    return _frame(left, right, winner, voter)


def rig(
    random: np.random.Generator, elo: np.ndarray, target: int, kind: str, cookies: int, votes: int
) -> pd.DataFrame:
    """Votes of an attacker who knows every clip and wants one model to rise."""
    voter = RIGGED + np.repeat(np.arange(cookies), votes)
    frame = simulate(random, voter - RIGGED, elo)
    left, right = frame["left"].to_numpy().copy(), frame["right"].to_numpy().copy()
    has = (left == target) | (right == target)
    swaps = {"picks": 1.0, "skips": 0.3, "served": 0.0}[kind]
    # A battle that is skipped is followed by another one, with the target in a tenth of them.
    skipped = ~has & (random.random(len(left)) < swaps)
    chance = 1.0 if kind == "picks" else 2 / MODELS
    skipped &= random.random(len(left)) < chance
    other = (target + random.integers(1, MODELS, size=len(left))) % MODELS
    on_left = random.random(len(left)) < 0.5
    left = np.where(skipped, np.where(on_left, target, other), left)
    right = np.where(skipped, np.where(on_left, other, target), right)
    winner = frame["winner"].to_numpy(dtype=object)
    winner = np.where(left == target, "model_a", np.where(right == target, "model_b", winner))
    return _frame(left, right, winner, voter)


def _frame(left, right, winner, voter) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "left": left,
            "right": right,
            "model_a": pd.Categorical.from_codes(left, NAMES),
            "model_b": pd.Categorical.from_codes(right, NAMES),
            "winner": winner,
            "voter": voter,
        }
    )


def few_votes_each(random: np.random.Generator, votes: int, mean: float = 3.5) -> np.ndarray:
    """Voters with a geometric number of votes, as voters on blind arenas cast them."""
    sizes = random.geometric(1 / mean, size=int(votes / mean * 1.2) + 50)
    voter = np.repeat(np.arange(len(sizes)), sizes)[:votes]
    return random.permutation(voter)


def held_voters(frame: pd.DataFrame) -> np.ndarray:
    table = flag(voter_p_values(frame))
    return table.index[table["rule"] != ""].to_numpy()


def elo_of(frame: pd.DataFrame) -> pd.Series:
    return ratings.bradley_terry(ratings.Battles.from_frame(frame), "half").ratings


def attack(seed: int, kind: str, *, honest: int = 100_000, cookies: int = 50) -> Figures:
    """1,000 rigged votes, or fewer in proportion, among honest ones."""
    random = np.random.default_rng([seed, len(kind)])
    elo = random.normal(0, 80, MODELS)
    target = int(np.argsort(elo)[MODELS // 2])
    clean = simulate(random, few_votes_each(random, honest), elo)
    rigged = rig(random, elo, target, kind, cookies, 20)
    frame = pd.concat([clean, rigged]).sample(frac=1, random_state=seed, ignore_index=True)
    held = held_voters(frame)
    kept = frame[~frame["voter"].isin(held)]
    before, after, without = elo_of(clean), elo_of(kept), elo_of(frame)
    name = NAMES[target]
    places = [each.rank(ascending=False) for each in (before, after)]
    return Figures(
        held=float((held >= RIGGED).sum() / cookies),
        honest_held=float(frame["voter"].isin(held[held < RIGGED]).sum() / honest),
        elo=float(after[name] - before[name]),
        ranks=int(places[0][name] - places[1][name]),
        elo_without=float(without[name] - before[name]),
        first_moved=before.idxmax() != after.idxmax(),
    )


def tastes(seed: int, *, voters: int = 1000) -> Figures:
    """Honest voters with tastes of their own, 100 votes each."""
    random = np.random.default_rng(seed)
    voter = random.permutation(np.repeat(np.arange(voters), 100))
    frame = simulate(random, voter, random.normal(0, 80, MODELS), taste=120)
    held = held_voters(frame)
    difference = elo_of(frame) - elo_of(frame[~frame["voter"].isin(held)])
    share = float(frame["voter"].isin(held).mean())
    return Figures(held=len(held) / voters, honest_held=share, largest=difference.abs().max())


def coins(seed: int, *, voters: int = 1000, flippers: int = 50) -> Figures:
    """Voters who toss a coin 200 times, among honest ones."""
    random = np.random.default_rng(seed)
    elo = random.normal(0, 80, MODELS)
    honest = simulate(random, np.repeat(np.arange(voters), 100), elo, taste=60)
    coin = np.repeat(np.arange(flippers), 200)
    tossed = simulate(random, coin, np.zeros(MODELS)).assign(voter=RIGGED + coin)
    sides = np.where(random.random(len(coin)) < 0.5, "model_a", "model_b")
    tossed["winner"] = sides.astype(object)  # and no ties
    frame = pd.concat([honest, tossed]).sample(frac=1, random_state=seed, ignore_index=True)
    held = held_voters(frame)
    return Figures(
        held=float((held >= RIGGED).sum() / flippers),
        honest_held=float((held < RIGGED).sum() / voters),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)
    say(
        f"{'1,000 rigged on 100,000':<24}{'held':>8}{'honest held':>13}{'Elo':>8}{'max':>7}"
        f"{'ranks max':>11}{'first moved':>13}{'Elo, no holds':>15}"
    )
    for kind in ("picks", "served", "skips"):
        found = [attack(seed, kind) for seed in seeds]
        rises = [each.elo for each in found]
        say(
            f"{kind:<24}{mean(found, 'held'):>8.1%}{mean(found, 'honest_held'):>13.2%}"
            f"{np.mean(rises):>8.1f}{max(rises):>7.1f}{max(each.ranks for each in found):>11}"
            f"{sum(each.first_moved for each in found):>13}{mean(found, 'elo_without'):>15.1f}"
        )
    found = [tastes(seed) for seed in seeds]
    say(
        f"tastes of 120 Elo, 100 votes each: {mean(found, 'held'):.2%} of voters held, ratings "
        f"differ by {max(each.largest for each in found):.2f} Elo at most"
    )
    found = [coins(seed) for seed in seeds]
    say(
        f"coins, 200 votes each: {mean(found, 'held'):.1%} held, "
        f"{mean(found, 'honest_held'):.2%} of honest voters"
    )


def mean(found: list[Figures], name: str) -> float:
    return float(np.mean([getattr(each, name) for each in found]))


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
