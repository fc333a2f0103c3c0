"""Votes that wait are stored together, and each is answered after the commit that holds it."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from arena.database import Database
from arena.errors import BattleExpired, NotFound, StoreUnavailable
from arena.models import Vote
from arena.voting.limits import VotingRules
from arena.voting.requests import BattleRequest, VoteRequest
from arena.voting.schemas import IssuedBattle, VoteForm
from arena.web.routes.group_commit import GroupCommit
from small_arena import START, TRACK, Booth

RULES = VotingRules(watch_time=False)
FORM = VoteForm(choice="a", reasons=[])
KEYS = [f"{number:032d}" for number in range(40)]

pytestmark = pytest.mark.databases("sqlite")


@contextmanager
def commits_of(database: Database) -> Iterator[list[object]]:
    """Note every commit in the block."""
    found: list[object] = []

    def note(connection: object) -> None:
        found.append(connection)

    event.listen(database.engine, "commit", note)
    yield found
    event.remove(database.engine, "commit", note)


@contextmanager
def held_lock(database: Database) -> Iterator[None]:
    """Hold the lock of writers in the block, from another thread."""
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with database.writing():
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(60)
    try:
        yield
    finally:
        leave.set()
        thread.join()


async def ask_all(writer: GroupCommit) -> list[IssuedBattle]:
    requests = [BattleRequest(key, TRACK, None, RULES, START) for key in KEYS]
    return list(await asyncio.gather(*(writer.issue(request) for request in requests)))


def vote_of(key: str, battle: IssuedBattle) -> VoteRequest:
    return VoteRequest(key, battle.token, FORM, RULES, START)


def stored(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count(Vote.id))) or 0


def test_votes_that_wait_are_stored_together(arena_database: Database) -> None:
    async def main() -> tuple[int, int]:
        writer = GroupCommit(arena_database, None)
        battles = await ask_all(writer)
        with commits_of(arena_database) as commits:
            casts = await asyncio.gather(
                *(writer.vote(vote_of(key, each)) for key, each in zip(KEYS, battles, strict=True))
            )
            number = len(commits)
        writer.close()
        return len({cast.receipt for cast in casts}), number

    receipts, commits = asyncio.run(main())
    assert receipts == stored(arena_database) == len(KEYS)
    assert commits < len(KEYS) / 4


def test_votes_that_arrive_while_another_process_writes_join_those_that_wait(
    arena_database: Database,
) -> None:
    async def main() -> int:
        writer = GroupCommit(arena_database, None)
        battles = await ask_all(writer)
        with commits_of(arena_database) as commits:
            with held_lock(arena_database):
                first = asyncio.create_task(writer.vote(vote_of(KEYS[0], battles[0])))
                await asyncio.sleep(0.2)  # its transaction waits for the lock
                number = len(commits)
                votes = [
                    asyncio.create_task(writer.vote(vote_of(key, each)))
                    for key, each in zip(KEYS[1:], battles[1:], strict=True)
                ]
                await asyncio.sleep(0.2)
            await asyncio.gather(first, *votes)
            number = len(commits) - number
        writer.close()
        return number

    commits = asyncio.run(main())
    assert stored(arena_database) == len(KEYS)
    assert commits <= 2  # that of the votes, and perhaps the one that held the lock


def test_one_refused_request_does_not_touch_the_others(arena_database: Database) -> None:
    async def main() -> list[object]:
        writer = GroupCommit(arena_database, None)
        battles = await ask_all(writer)
        with held_lock(arena_database):
            tasks = [
                asyncio.create_task(writer.vote(vote_of(KEYS[0], battles[0]))),
                asyncio.create_task(writer.vote(vote_of(KEYS[1], battles[0]))),  # another's token
                asyncio.create_task(writer.vote(vote_of(KEYS[2], battles[2]))),
            ]
            await asyncio.sleep(0.2)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()
        return list(results)

    first, refused, third = asyncio.run(main())
    assert isinstance(refused, NotFound)
    assert not isinstance(first, Exception)
    assert not isinstance(third, Exception)
    assert stored(arena_database) == 2


def test_a_commit_that_fails_acknowledges_no_vote(
    arena_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> list[object]:
        writer = GroupCommit(arena_database, None)
        battles = await ask_all(writer)

        def fail(_connection: object) -> None:
            raise StoreUnavailable("The disk of the database is full: free some space.")

        event.listen(arena_database.engine, "commit", fail)
        results = await asyncio.gather(
            *(writer.vote(vote_of(key, each)) for key, each in zip(KEYS, battles, strict=True)),
            return_exceptions=True,
        )
        event.remove(arena_database.engine, "commit", fail)
        again = await writer.vote(vote_of(KEYS[0], battles[0]))
        writer.close()
        return [*results, again.status]

    *results, again = asyncio.run(main())
    assert all(isinstance(result, StoreUnavailable) for result in results)
    assert again == "counted"
    assert stored(arena_database) == 1


def test_a_vote_that_was_given_up_is_not_stored_afterwards(arena_database: Database) -> None:
    async def main() -> None:
        patient = GroupCommit(arena_database, None)
        battles = await ask_all(patient)
        hasty = GroupCommit(arena_database, None, wait_s=0.3)
        with held_lock(arena_database):
            first = asyncio.create_task(hasty.vote(vote_of(KEYS[0], battles[0])))
            await asyncio.sleep(0.1)
            second = asyncio.create_task(hasty.vote(vote_of(KEYS[1], battles[1])))
            for task in (first, second):
                with pytest.raises(StoreUnavailable):
                    await task
        hasty.close()
        patient.close()

    asyncio.run(main())
    assert stored(arena_database) == 0


def test_a_long_queue_is_refused_at_once(arena_database: Database) -> None:
    async def main() -> list[object]:
        writer = GroupCommit(arena_database, None, max_waiting=5)
        battles = await ask_all(GroupCommit(arena_database, None))
        with held_lock(arena_database):
            tasks = [
                asyncio.create_task(writer.vote(vote_of(key, each)))
                for key, each in zip(KEYS, battles, strict=True)
            ]
            # All but those that wait, and those that are in the transaction that waits.
            for refusal in islice(asyncio.as_completed(tasks), len(KEYS) - 5 - 6):
                with pytest.raises(StoreUnavailable):
                    await refusal
        results = await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()
        return list(results)

    results = asyncio.run(main())
    served = [result for result in results if not isinstance(result, Exception)]
    assert stored(arena_database) == len(served) >= 5


def test_closing_stores_what_waits(arena_database: Database) -> None:
    async def main() -> int:
        writer = GroupCommit(arena_database, None)
        battles = await ask_all(writer)
        tasks = [
            asyncio.create_task(writer.vote(vote_of(key, each)))
            for key, each in zip(KEYS, battles, strict=True)
        ]
        await asyncio.sleep(0)
        await asyncio.to_thread(writer.close)
        with pytest.raises(StoreUnavailable):
            await writer.vote(vote_of(KEYS[0], battles[0]))
        return len(await asyncio.gather(*tasks))

    assert asyncio.run(main()) == len(KEYS) == stored(arena_database)


def test_errors_of_the_rules_reach_the_voter(booth: Booth, tmp_path: Path) -> None:
    battle = booth.ask()
    booth.wait(3600)

    async def main() -> None:
        writer = GroupCommit(booth.database, None)
        with pytest.raises(BattleExpired):
            await writer.vote(VoteRequest(booth.key, battle.token, FORM, RULES, booth.now))
        writer.close()

    asyncio.run(main())
