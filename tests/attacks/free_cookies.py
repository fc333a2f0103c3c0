"""Rigging through cookies that are thrown away: what 1,000 such votes do, and whether it is seen.

An attacker who recognises every clip wants one model to rise. A cookie is shown two battles; if one
of them has the model, the attacker votes for it, and otherwise throws the cookie away. Honest
voters come every day, some leave at once, the others cast 3.5 votes on average, skip what bores
them and leave two battles behind. The arena's own rules apply: its budgets for networks, its count
of issued battles, `ratings.screening.completion`, and the votes that an alarm puts under review.

Run: python tests/attacks/free_cookies.py [seeds] [honest votes a day] [days]
"""

import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

import ratings
from arena.settings import PERIODS_S, Settings, parse_budget
from arena.voting.budgets import BATTLES_PER_VOTE, WIDE_FACTOR
from arena.voting.completion import FEW_VOTES
from ratings.screening.completion import completion_test

MODELS, SPREAD, TARGET = 20, 80.0, 10  # the target is in the middle of the leaderboard
VOTES_PER_VOTER, LEAVE_AT_ONCE, DULLNESS = 3.5, 0.3, 0.03
RIGGED = 1000
SITES = {"one address": (1, 1), "a /16": (256, 1), "1,000 addresses": (1000, 1000)}
SCALE = 400 / np.log(10)


@dataclass(frozen=True, eq=False)
class Day:
    """The battles of a day.

    Attributes:
        left, right: the models, shape (battles,).
        voter: who was shown it, shape (battles,).
        winner: 0 the left one, 1 the right one, -1 without a vote.
    """

    left: np.ndarray
    right: np.ndarray
    voter: np.ndarray
    winner: np.ndarray
    rigged: bool = False


@dataclass(frozen=True)
class Outcome:
    """What an attack did.

    Attributes:
        votes: rigged votes that the budgets let through.
        days: on which they were cast.
        undefended: Elo points that the target gained with all rigged votes, without any rule.
        shift: the same with the arena's rules.
        places: ranks that it gained with them.
        alarmed: whether a day of the attack had an alarm for the target.
        false_alarms: alarms for other models or on other days.
        honest_held: share of honest votes that alarms put under review.
    """

    votes: int
    days: int
    undefended: float
    shift: float
    places: int
    alarmed: bool
    false_alarms: int
    honest_held: float


class Arena:
    """Honest days, and attacks on them.

    Args:
        rng: of everything random.
        votes: honest votes a day.
        days: number of days.
    """

    def __init__(self, rng: np.random.Generator, *, votes: int, days: int) -> None:
        self.rng = rng
        self.strength = np.sort(rng.normal(0, SPREAD / SCALE, MODELS))
        self.dull = rng.normal(0, DULLNESS, MODELS)
        self.honest = [self._honest_day(votes, day) for day in range(days)]

    def _honest_day(self, votes: int, day: int) -> Day:
        rng = self.rng
        number = rng.geometric(1 / VOTES_PER_VOTER, int(votes / VOTES_PER_VOTER))
        gone = np.zeros(int(len(number) * LEAVE_AT_ONCE / (1 - LEAVE_AT_ONCE)), int)
        number = np.concatenate([number, gone])
        voter = np.repeat(np.arange(len(number)), number + 2)
        # The last two battles of each voter are left without a vote.
        position = np.arange(len(voter)) - np.repeat(np.cumsum(number + 2) - number - 2, number + 2)
        left, right = self._pairs(len(voter))
        bored = rng.random(len(voter)) < 0.05 + (self.dull[left] + self.dull[right]) / 2
        done = (position < np.repeat(number, number + 2)) & ~bored
        lead = self.strength[left] - self.strength[right]
        won = rng.random(len(voter)) < 1 / (1 + np.exp(-lead))
        return Day(left, right, voter + (day << 32), np.where(done, np.where(won, 0, 1), -1))

    def _pairs(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        left = self.rng.integers(MODELS, size=count)
        return left, (left + self.rng.integers(1, MODELS, size=count)) % MODELS

    def rigged_day(self, *, votes: int, sites: tuple[int, int] | None) -> Day:
        """Cast up to `votes` rigged votes in a day, from sites in provider networks; None: free."""
        left, right = self._pairs(votes * 40)
        left, right = left[: len(left) // 2 * 2], right[: len(right) // 2 * 2]
        shows = ((left == TARGET) | (right == TARGET)).reshape(-1, 2)
        voted = np.zeros_like(shows)
        voted[np.arange(len(shows)), shows.argmax(axis=1)] = shows.any(axis=1)
        allowed = np.inf if sites is None else battles_allowed(voted, *sites)
        cookies = np.flatnonzero(voted.any(axis=1).cumsum() >= votes)
        last = min(cookies[0] + 1 if len(cookies) else len(shows), allowed)
        chosen = slice(0, int(last) * 2)
        winner = np.where(voted.reshape(-1), np.where(left == TARGET, 0, 1), -1)
        number = np.repeat(np.arange(len(shows)), 2)[chosen]
        return Day(left[chosen], right[chosen], -1 - number, winner[chosen], rigged=True)


def battles_allowed(voted: np.ndarray, sites: int, providers: int) -> float:
    """How many cookies' battles the default budgets let through in a day, spread over its hours."""
    limits = parse_budget(Settings.model_fields["network_limit"].default)
    hours = {limit.period_s: limit.votes for limit in limits}
    day = min(hours[PERIODS_S["day"]], 24 * hours[PERIODS_S["hour"]])
    free = min(day * sites, WIDE_FACTOR * day * providers)
    used = 2 * np.arange(1, len(voted) + 1) - BATTLES_PER_VOTE * voted.any(axis=1).cumsum()
    beyond = np.flatnonzero(used >= free)
    return float(beyond[0]) if len(beyond) else np.inf


def counts(days: list[list[Day]]) -> tuple[np.ndarray, np.ndarray]:
    """Battles issued and voted on, by day and model."""
    issued, voted = np.zeros((2, len(days), MODELS))
    for number, parts in enumerate(days):
        for part in parts:
            for side in (part.left, part.right):
                issued[number] += np.bincount(side, minlength=MODELS)
                voted[number] += np.bincount(side[part.winner >= 0], minlength=MODELS)
    return issued, voted


def elo(parts: list[tuple[Day, np.ndarray]]) -> np.ndarray:
    """Ratings from the votes of each part that are chosen."""
    names = [f"m{number:02}" for number in range(MODELS)]
    left, right, winner = (
        np.concatenate([getattr(day, name)[chosen] for day, chosen in parts])
        for name in ("left", "right", "winner")
    )
    frame = pd.DataFrame(
        {
            "model_a": pd.Categorical.from_codes(left, names),
            "model_b": pd.Categorical.from_codes(right, names),
            "winner": pd.Categorical.from_codes(winner, ["model_a", "model_b"]),
        }
    )
    fit = ratings.bradley_terry(ratings.Battles.from_frame(frame, models=names))
    return fit.ratings.reindex(names).to_numpy()


def attack(arena: Arena, sites: tuple[int, int]) -> Outcome:
    """Attack an arena, on its last days."""
    days = len(arena.honest)
    undefended = arena.rigged_day(votes=RIGGED, sites=None)
    left, rigged = RIGGED, {}
    for day in range(days // 2, days):
        rigged[day] = arena.rigged_day(votes=left, sites=sites)
        left -= int((rigged[day].winner >= 0).sum())
        if left <= 0:
            break
    together = [
        [honest, *([rigged[day]] if day in rigged else [])]
        for day, honest in enumerate(arena.honest)
    ]
    tested = completion_test(*counts(together))
    cast, counted = [], []
    held = honest_votes = 0
    for day, parts in enumerate(together):
        for part in parts:
            votes = part.winner >= 0
            under_review = votes & _under_review(part, np.flatnonzero(tested.alarm[day]))
            counted.append((part, votes & ~under_review))
            if not part.rigged:
                cast.append((part, votes))
                held += int(under_review.sum())
                honest_votes += int(votes.sum())
    base = elo(cast)
    after = elo(counted)
    free = elo([*cast, (undefended, undefended.winner >= 0)])
    alarmed = tested.alarm[:, TARGET]
    others = tested.alarm.sum() - sum(alarmed[day] for day in rigged)
    return Outcome(
        votes=RIGGED - max(left, 0),
        days=len(rigged),
        undefended=float(free[TARGET] - base[TARGET]),
        shift=float(after[TARGET] - base[TARGET]),
        places=int((base > base[TARGET]).sum() - (after > after[TARGET]).sum()),
        alarmed=any(alarmed[day] for day in rigged),
        false_alarms=int(others),
        honest_held=held / honest_votes,
    )


def _under_review(day: Day, flagged: np.ndarray) -> np.ndarray:
    """The votes of `arena.voting.completion.votes_to_review`."""
    votes = day.winner >= 0
    voters, code = np.unique(day.voter, return_inverse=True)
    few = np.bincount(code, votes, minlength=len(voters)) < FEW_VOTES
    shows = np.isin(day.left, flagged) | np.isin(day.right, flagged)
    return few[code] & shows


def outcomes(where: str, *, seeds: int, votes: int, days: int) -> list[Outcome]:
    """Attack as many arenas."""
    return [
        attack(Arena(np.random.default_rng(seed), votes=votes, days=days), SITES[where])
        for seed in range(seeds)
    ]


def main() -> None:
    seeds, votes, days = (
        int(value) for value in (*sys.argv[1:], *("100", "10000", "10")[len(sys.argv) - 1 :])
    )
    table = Table(
        *("from", "cast", "days", "undefended", "with the rules", "largest", "places"),
        *("alarm", "other alarms", "honest votes held"),
        title=f"{RIGGED:,} rigged votes among {votes * days:,} honest ones, {seeds} seeds",
    )
    for where in SITES:
        found = outcomes(where, seeds=seeds, votes=votes, days=days)

        def mean(name: str, found: list[Outcome] = found) -> float:
            return float(np.mean([getattr(each, name) for each in found]))

        table.add_row(
            *(where, f"{mean('votes'):.0f}", f"{mean('days'):.1f}"),
            *(f"{mean('undefended'):+.1f} Elo", f"{mean('shift'):+.2f} Elo"),
            *(f"{max(each.shift for each in found):+.2f}", f"{mean('places'):+.2f}"),
            *(f"{mean('alarmed'):.1%}", str(sum(each.false_alarms for each in found))),
            f"{mean('honest_held'):.2%}",
        )
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
