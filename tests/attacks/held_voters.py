"""What the rules about voters hold, and what that does to ratings, in simulated tracks.

Run: python tests/attacks/held_voters.py [--seeds N] [--honest N] [--kinds KIND ...]

20 models whose ratings have a standard deviation of 80 Elo, drawn uniformly; a tenth of the votes
are ties. Rigged: 50 cookies with 20 votes each that know every clip, among 100,000 honest votes
(3.5 a voter), for a model in mid-table. `picks` answers only battles with its model; `served`
answers what it is served, `random` too, but tosses a coin where its model is not shown; `skips`
skips 30% of the battles, those without its model; `sinks` answers what it is served, and votes
against the five models above its own as well; `long` is `served` with 200 votes a cookie.

Tastes: 1,000 voters with tastes of 120 Elo and 100 votes each. Coins: 50 voters who toss a coin 200
times, among 1,000 honest ones with tastes of 60 Elo and 100 votes each; with honey pairs, 3% of
battles show a clip against its damaged copy, which honest voters prefer in 5% of cases.

The last table is the share of single `served` cookies that the most powerful test there is can
hold, at 1% of honest voters with as many votes: the test that knows the model and every rating.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

import ratings
from arena.audit.blocs import find_blocs
from arena.audit.voter_rules import NO_RETESTS, Retests, flag, voter_p_values

MODELS, ELO = 20, 400 / np.log(10)
NAMES = [f"m{number:02}" for number in range(MODELS)]
RIGGED = 1_000_000  # numbers of voters from here on are an attacker's


KINDS = {"picks": 20, "served": 20, "random": 20, "skips": 20, "sinks": 20, "long": 200}


@dataclass(frozen=True)
class Figures:
    """Figures of one seed.

    Attributes:
        held: share of the attacker's cookies of which a vote is held.
        rigged_held: share of the votes on the attacker's model that are held.
        honest_held: share of honest votes that are held.
        elo, ranks: how far the target rose, in Elo and ranks, with holds.
        elo_without: the same without holds.
        first_moved: whether another model than without the attack is first.
        largest: largest difference of a rating with and without holds, Elo.
    """

    held: float
    honest_held: float
    rigged_held: float = 0.0
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
    return frame_of(left, right, winner, voter)


def rig(
    random: np.random.Generator, elo: np.ndarray, target: int, kind: str, cookies: int, votes: int
) -> pd.DataFrame:
    """Votes of an attacker who knows every clip and wants one model to rise."""
    voter = RIGGED + np.repeat(np.arange(cookies), votes)
    frame = simulate(random, voter - RIGGED, elo)
    left, right = frame["left"].to_numpy().copy(), frame["right"].to_numpy().copy()
    has = (left == target) | (right == target)
    swaps = {"picks": 1.0, "skips": 0.3}.get(kind, 0.0)
    # A battle that is skipped is followed by another one, with the target in a tenth of them.
    skipped = ~has & (random.random(len(left)) < swaps)
    chance = 1.0 if kind == "picks" else 2 / MODELS
    skipped &= random.random(len(left)) < chance
    other = (target + random.integers(1, MODELS, size=len(left))) % MODELS
    on_left = random.random(len(left)) < 0.5
    left = np.where(skipped, np.where(on_left, target, other), left)
    right = np.where(skipped, np.where(on_left, other, target), right)
    winner = frame["winner"].to_numpy(dtype=object)
    if kind == "random":
        winner = np.where(random.random(len(left)) < 0.5, "model_a", "model_b").astype(object)
    if kind == "sinks":
        above = np.argsort(elo)[::-1].tolist()
        sunk = above[max(above.index(target) - 5, 0) : above.index(target)]
        down_left, down_right = np.isin(left, sunk), np.isin(right, sunk)
        winner = np.where(down_left & ~down_right, "model_b", winner)
        winner = np.where(down_right & ~down_left, "model_a", winner)
    winner = np.where(left == target, "model_a", np.where(right == target, "model_b", winner))
    return frame_of(left, right, winner, voter)


def frame_of(left, right, winner, voter) -> pd.DataFrame:
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


def held_votes(frame: pd.DataFrame, honey: Retests = NO_RETESTS) -> np.ndarray:
    """Whether each vote is held by the rules, in one look at all votes."""
    table = flag(voter_p_values(frame, honey=honey))
    held = frame["voter"].isin(table.index[table["rule"] != ""]).to_numpy(copy=True)
    rest = frame[~held]
    outcome = rest["winner"].map({"model_a": 0, "model_b": 1, "tie": 2}).to_numpy()
    columns = (rest[name].to_numpy() for name in ("voter", "left", "right"))
    _, inside = find_blocs(*columns, outcome, models=MODELS)
    held[np.flatnonzero(~held)[inside]] = True
    return held


def elo_of(frame: pd.DataFrame) -> pd.Series:
    return ratings.bradley_terry(ratings.Battles.from_frame(frame), "half").ratings


def attack(seed: int, kind: str, *, honest: int = 100_000, cookies: int = 50) -> Figures:
    """1,000 rigged votes, or fewer in proportion, among honest ones."""
    random = np.random.default_rng([seed, len(kind)])
    elo = random.normal(0, 80, MODELS)
    target = int(np.argsort(elo)[MODELS // 2])
    clean = simulate(random, few_votes_each(random, honest), elo)
    rigged = rig(random, elo, target, kind, cookies, KINDS[kind])
    frame = pd.concat([clean, rigged]).sample(frac=1, random_state=seed, ignore_index=True)
    held = held_votes(frame)
    before, after, without = elo_of(clean), elo_of(frame[~held]), elo_of(frame)
    name = NAMES[target]
    places = [each.rank(ascending=False) for each in (before, after)]
    by_cookie = (frame["voter"] >= RIGGED).to_numpy()
    on_target = by_cookie & ((frame["left"] == target) | (frame["right"] == target)).to_numpy()
    return Figures(
        held=float(frame["voter"][held & by_cookie].nunique() / cookies),
        rigged_held=float(held[on_target].mean()),
        honest_held=float(held[~by_cookie].sum() / honest),
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
    held = held_votes(frame)
    difference = elo_of(frame) - elo_of(frame[~held])
    return Figures(
        held=frame["voter"][held].nunique() / voters,
        honest_held=float(held.mean()),
        largest=difference.abs().max(),
    )


def coins(
    seed: int, *, voters: int = 1000, flippers: int = 50, votes: int = 200, honey: float = 0.0
) -> Figures:
    """Voters who toss a coin, among honest ones; `honey` is the share of honey pairs."""
    random = np.random.default_rng(seed)
    elo = random.normal(0, 80, MODELS)
    honest = simulate(random, np.repeat(np.arange(voters), 100), elo, taste=60)
    coin = np.repeat(np.arange(flippers), votes)
    tossed = simulate(random, coin, np.zeros(MODELS)).assign(voter=RIGGED + coin)
    sides = np.where(random.random(len(coin)) < 0.5, "model_a", "model_b")
    tossed["winner"] = sides.astype(object)  # and no ties
    frame = pd.concat([honest, tossed]).sample(frac=1, random_state=seed, ignore_index=True)
    shown = {int(voter): int(n) for voter, n in frame["voter"].value_counts().items()}
    shown = {voter: int(random.binomial(n, honey)) for voter, n in shown.items()}
    failed = {
        voter: int(random.binomial(n, 0.5 if voter >= RIGGED else random.beta(2, 38)))
        for voter, n in shown.items()
    }
    held = held_votes(frame, Retests(failed, shown) if honey else NO_RETESTS)
    names = frame["voter"][held].unique()
    return Figures(
        held=float((names >= RIGGED).sum() / flippers),
        honest_held=float((names < RIGGED).sum() / voters),
    )


def power(votes: int, *, models: int = MODELS, rate: float = 0.01, draws: int = 40_000) -> float:
    """Share of single `served` cookies that the most powerful test holds at a rate of honest ones.

    The likelihood ratio of such a cookie is the product of 1/p over the battles with its model, and
    0 if it ever votes against it; ties of the ratio are broken at random, as the lemma of Neyman
    and Pearson asks for.
    """
    random = np.random.default_rng(votes)
    met = random.binomial(votes, 2 / models, size=(2, draws))
    ratios = []
    for is_rigged, number in enumerate(met):
        gap = random.normal(0, 80, (draws, int(number.max()))) / ELO
        chance = 1 / (1 + np.exp(gap))  # of the model, which is in mid-table
        shown = np.arange(chance.shape[1]) < number[:, None]
        won = random.random(chance.shape) < chance
        logs = np.where(shown, -np.log(chance), 0).sum(axis=1)
        lost = (shown & ~won).any(axis=1)
        ratios.append(logs if is_rigged else np.where(lost, -np.inf, logs))
    threshold = np.sort(ratios[0])[int((1 - rate) * draws)]
    above, at = (
        ((ratio > threshold).mean() for ratio in ratios),
        [(ratio == threshold).mean() for ratio in ratios],
    )
    honest, rigged = above
    share = (rate - honest) / at[0] if at[0] > 0 else 0.0
    return float(rigged + share * at[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--honest", type=int, default=100_000)
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    options = parser.parse_args()
    seeds = range(options.seeds)
    title = f"1,000 rigged on {options.honest:,}"
    say(
        f"{title:<24}{'cookies':>8}{'on model':>10}{'honest held':>13}"
        f"{'Elo':>8}{'max':>7}{'ranks max':>11}{'first moved':>13}{'Elo, no holds':>15}"
    )
    for kind in options.kinds:
        found = [attack(seed, kind, honest=options.honest) for seed in seeds]
        rises = [each.elo for each in found]
        say(
            f"{kind:<24}{mean(found, 'held'):>8.1%}{mean(found, 'rigged_held'):>10.1%}"
            f"{mean(found, 'honest_held'):>13.2%}"
            f"{np.mean(rises):>8.1f}{max(rises):>7.1f}{max(each.ranks for each in found):>11}"
            f"{sum(each.first_moved for each in found):>13}{mean(found, 'elo_without'):>15.1f}"
        )
    found = [tastes(seed) for seed in seeds]
    say(
        f"tastes of 120 Elo, 100 votes each: {mean(found, 'held'):.2%} of voters held, ratings "
        f"differ by {max(each.largest for each in found):.2f} Elo at most"
    )
    for votes, honey in ((100, 0.0), (200, 0.0), (50, 0.03), (100, 0.03), (200, 0.03)):
        found = [coins(seed, votes=votes, honey=honey) for seed in seeds]
        say(
            f"coins, {votes} votes each{', with honey pairs' if honey else ''}: "
            f"{mean(found, 'held'):.1%} held, {mean(found, 'honest_held'):.2%} of honest voters"
        )
    say("the most powerful test of a single `served` cookie, at 1% of honest voters:")
    for models in (6, 20):
        shares = ", ".join(f"{power(n, models=models):.0%} at {n}" for n in (5, 20, 50, 100, 200))
        say(f"  {models} models: {shares} votes")


def mean(found: Sequence[object], name: str) -> float:
    return float(np.mean([getattr(each, name) for each in found]))


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
