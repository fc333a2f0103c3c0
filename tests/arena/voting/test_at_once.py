"""Many requests at the same time, on both databases: one vote per battle, nothing counted twice."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from arena.database import ATTEMPTS, Database, write_deadline
from arena.errors import StoreUnavailable
from arena.models import Battle, BattleState, Choice, Prompt, Vote, Voter
from arena.standings import standings
from broken_stores import lock_held
from many_voters import Acknowledged, vote_at_once, vote_from_processes
from small_arena import NAMES, PROMPTS, START, TRACK, Booth

KEYS = [f"{number:032x}" for number in range(8)]
PAIRS = len(PROMPTS) * len(NAMES) * (len(NAMES) - 1) // 2  # what one voter can see


def url_of(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


def check_votes(database: Database, acknowledged: Sequence[Acknowledged]) -> None:
    with database.reading() as session:
        rows = session.execute(
            select(Battle.token, Vote.choice, Vote.receipt, Voter.key)
            .join(Vote, Vote.battle_id == Battle.id)
            .join(Voter, Voter.id == Vote.voter_id)
        ).all()
        states = Counter(session.scalars(select(Battle.state)))
        shown = session.execute(
            select(Battle.voter_id, Battle.prompt_id, Battle.clip_a_id, Battle.clip_b_id)
        ).all()
    stored = {token: (choice.value, receipt) for token, choice, receipt, _ in rows}
    assert len(stored) == len(rows), "a battle has two votes"
    # What was acknowledged is stored, with that choice, and every answer had the same receipt.
    assert {(token, stored[token]) for token, _, _ in acknowledged} == {
        (token, (choice, receipt)) for token, choice, receipt in acknowledged
    }
    assert len({receipt for _, _, receipt in acknowledged}) == len(rows)
    assert Counter(key for _, _, _, key in rows) == dict.fromkeys(KEYS, PAIRS)
    assert states == {BattleState.ANSWERED: PAIRS * len(KEYS)}, "an open battle was left or added"
    pairs = {(voter, prompt, frozenset(clips)) for voter, prompt, *clips in shown}
    assert len(pairs) == len(shown), "a voter has seen a pair twice"
    board = standings.leaderboard(database, track_name=TRACK, now=START)
    assert board.votes == len(rows)


def test_64_threads_share_8_voters(arena_database: Database) -> None:
    check_votes(arena_database, vote_at_once(url_of(arena_database), KEYS, threads=64))


def test_4_processes_of_16_threads_share_8_voters(arena_database: Database) -> None:
    url = url_of(arena_database)
    check_votes(arena_database, vote_from_processes(url, KEYS, processes=4, threads=16))


@pytest.mark.databases("postgresql")
def test_transactions_that_block_each_other_are_both_done(arena_database: Database) -> None:
    at_first_row = threading.Barrier(2)
    runs: Counter[str] = Counter()

    def change(prompts: Sequence[str]) -> None:
        def append(session: Session) -> None:
            runs[prompts[0]] += 1
            for prompt in prompts:
                appended = func.coalesce(Prompt.source, "") + prompts[0]
                # Not through the session, which would replace the catalog's version first.
                session.connection().execute(
                    update(Prompt).where(Prompt.id == prompt).values(source=appended)
                )
                if sum(runs.values()) <= 2 and prompt == prompts[0]:
                    at_first_row.wait(60)

        arena_database.write(append, until=time.monotonic() + 120)

    threads = [
        threading.Thread(target=change, args=(order,)) for order in (("p-1", "p-2"), ("p-2", "p-1"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(runs.values()) == 3, "one of them was tried again, once"
    with arena_database.reading() as session:
        changed = session.scalars(text("SELECT source FROM prompt WHERE id IN ('p-1', 'p-2')"))
        assert {"".join(sorted(str(each))) for each in changed} == {"--12pp"}


@pytest.mark.databases("postgresql")
def test_a_transaction_that_always_conflicts_is_given_up(arena_database: Database) -> None:
    runs = []

    def conflict(session: Session) -> None:
        runs.append(1)
        session.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$"))

    with pytest.raises(StoreUnavailable, match="busy: try again"):
        arena_database.write(conflict)
    assert len(runs) == ATTEMPTS


@pytest.mark.databases("postgresql")
def test_a_writer_does_not_wait_longer_than_its_deadline(arena_database: Database) -> None:
    started = time.monotonic()
    with lock_held(arena_database), write_deadline(time.monotonic() + 0.3):
        for statement in ("UPDATE prompt SET source = ''", "SELECT pg_sleep(100)"):
            with pytest.raises(StoreUnavailable, match="busy: try again"):
                arena_database.write(lambda session, sql=statement: session.execute(text(sql)))
    assert time.monotonic() - started < 60


@pytest.mark.databases("postgresql")
def test_a_server_that_does_not_answer_is_given_up(arena_database: Database) -> None:
    def stop(session: Session) -> None:
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        stopped.append(int(pid))
        os.kill(stopped[0], signal.SIGSTOP)
        session.execute(text("SELECT 1"))

    stopped: list[int] = []
    try:
        with pytest.raises(StoreUnavailable, match="does not answer"):
            arena_database.write(stop, until=time.monotonic() + 0.5)
    finally:
        os.kill(stopped[0], signal.SIGCONT)
    Booth(arena_database).vote(Choice.A)  # on another connection
