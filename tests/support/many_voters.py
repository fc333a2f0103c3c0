"""Voters who use the same few cookies at the same time, from many threads and processes."""

import multiprocessing
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy.orm import Session

from arena.database import Database, write_deadline
from arena.errors import BallotError, NoPair, NotFound, StoreUnavailable
from arena.voting import ballots
from arena.voting.limits import VotingRules
from arena.voting.schemas import VoteForm
from small_arena import START, TRACK

PATIENCE_S = 240.0  # of a client whose request is answered by "try again"
RULES = VotingRules(watch_time=False)

Acknowledged = tuple[str, str, str]  # a battle's token, the choice and the receipt
Result = TypeVar("Result")


def vote_at_once(
    url: str, keys: Sequence[str], *, threads: int, seed: int = 0
) -> list[Acknowledged]:
    """Have each voter vote from several threads at once until no pair is left.

    Args:
        url: of the database.
        keys: the voters'; the threads share them.
        threads: number of threads.
        seed: of the choices, which differ between threads.

    Returns:
        Every answer that acknowledged a vote, repeated ones included.
    """
    database, start = Database(url), threading.Barrier(threads)

    def vote(number: int) -> list[Acknowledged]:
        chance = random.Random(seed * 1000 + number)
        start.wait()
        return list(_votes(database, keys[number % len(keys)], chance))

    try:
        with ThreadPoolExecutor(threads) as pool:
            return [each for part in pool.map(vote, range(threads)) for each in part]
    finally:
        database.dispose()


def vote_from_processes(
    url: str, keys: Sequence[str], *, processes: int, threads: int
) -> list[Acknowledged]:
    """Do the same from several processes, each with `threads` threads."""
    context = multiprocessing.get_context("fork")  # a new interpreter would import for seconds
    with context.Pool(processes) as pool:
        started = [
            pool.apply_async(vote_at_once, (url, keys), {"threads": threads, "seed": seed})
            for seed in range(processes)
        ]
        return [each for result in started for each in result.get(timeout=PATIENCE_S)]


def _votes(database: Database, key: str, chance: random.Random) -> Iterator[Acknowledged]:
    while True:
        try:
            battle = _patiently(
                database,
                lambda session: ballots.issue_battle(
                    session, voter_key=key, track_name=TRACK, rules=RULES, now=START
                ),
            )
        except NoPair:
            return
        choice = chance.choice(["a", "b", "tie"])
        form, token = VoteForm.model_validate({"choice": choice}), battle.token

        def cast(session: Session, form: VoteForm = form, token: str = token) -> str:
            vote = ballots.cast_vote(
                session, voter_key=key, token=token, form=form, rules=RULES, now=START
            )
            return vote.receipt

        try:
            yield token, choice, _patiently(database, cast)
        except (BallotError, NotFound):
            continue  # another thread of this voter was first, with another choice


def _patiently(database: Database, function: Callable[[Session], Result]) -> Result:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            with write_deadline(min(until, time.monotonic() + 60)):
                return database.write(function)
        except StoreUnavailable:
            if time.monotonic() > until:
                raise
