"""Answers requests for battles and votes: one thread commits all that wait in one transaction.

A commit waits for the disk, so while one is on its way, the requests that arrive gather for the
next one. Each request is answered after the commit that holds its vote.
"""

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Condition, Thread

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from arena.database import WRITE_WAIT_S, Database
from arena.errors import ArenaError, StoreUnavailable
from arena.voting.answering import answer_requests
from arena.voting.fetches import FetchLedger
from arena.voting.requests import Answer, BallotRequest, BattleRequest, VoteRequest, expect
from arena.voting.schemas import CastVote, IssuedBattle
from arena.web.routes.writers import BUSY, STUCK_S

# How long a commit waits for as many requests as the last one had, at most: the voters who were
# just answered vote again. A commit and its statements take about as long.
GATHER_S = 0.01
MAX_BATCH = 128  # requests in one transaction
MAX_WAITING = 1024  # requests; at 500 votes a second, two seconds
FEW = 8  # requests that may wait for a commit that takes long

log = logging.getLogger(__name__)

Result = Answer | Exception


@dataclass(eq=False, slots=True)
class _Waiting:
    request: BallotRequest
    future: "asyncio.Future[Answer]"
    until: float  # by `time.monotonic`


class GroupCommit:
    """The thread that writes, and the requests that wait for it.

    Args:
        database: of the arena.
        fetches: what this process sent of clips.
        wait_s: how long a request may wait to be stored.
        max_waiting: how many requests may wait.
    """

    def __init__(
        self,
        database: Database,
        fetches: FetchLedger | None,
        *,
        wait_s: float = WRITE_WAIT_S,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._database, self._fetches = database, fetches
        self._wait_s, self._max_waiting = wait_s, max_waiting
        self._arrived = Condition()
        self._waiting: deque[_Waiting] = deque()
        self._writing_since: float | None = None
        self._closed = False
        self._wanted = 1  # requests for which the thread is woken
        self._thread: Thread | None = None

    async def issue(self, request: BattleRequest) -> IssuedBattle:
        """Return the voter's battle, once it is stored; raises what `ballots.issue_battle` does.

        Raises:
            StoreUnavailable: too many requests wait, or the database did not store it in time.
        """
        return expect(IssuedBattle, await self._answer(request))

    async def vote(self, request: VoteRequest) -> CastVote:
        """Return the answer to a vote, once it is stored; raises what `ballots.cast_vote` does.

        Raises:
            StoreUnavailable: too many requests wait, or the database did not store it in time.
        """
        return expect(CastVote, await self._answer(request))

    async def _answer(self, request: BallotRequest) -> Answer:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, loop.create_future(), time.monotonic() + self._wait_s)
        self._add(waiting)
        overdue = loop.call_later(self._wait_s, _refuse, waiting.future)
        try:
            return await waiting.future
        finally:
            overdue.cancel()

    def close(self) -> None:
        """Accept no more requests, store those that wait, and end the thread."""
        with self._arrived:
            self._closed = True
            self._arrived.notify()
            thread = self._thread
        if thread is not None:
            thread.join(self._wait_s)

    def _add(self, waiting: _Waiting) -> None:
        with self._arrived:
            if self._closed or len(self._waiting) >= self._max_waiting or self._is_stuck():
                raise StoreUnavailable(BUSY)
            self._waiting.append(waiting)
            if len(self._waiting) >= self._wanted:
                self._arrived.notify()
            if self._thread is None:
                self._thread = Thread(target=self._run, name="votes", daemon=True)
                self._thread.start()

    def _is_stuck(self) -> bool:
        """Whether the commit on its way takes long, for a lock or the disk, and more wait."""
        if self._writing_since is None or len(self._waiting) < FEW:
            return False
        return time.monotonic() - self._writing_since > STUCK_S

    def _run(self) -> None:
        while True:
            with self._arrived:
                if self._wanted > 1:
                    self._arrived.wait_for(self._may_commit, GATHER_S)
                self._wanted = 1
                self._arrived.wait_for(self._may_commit)
                if not self._waiting:
                    return
                batch: list[_Waiting] = []
                self._take_waiting(batch)
                self._writing_since = time.monotonic()
            try:
                self._commit_or_refuse(batch, others_may_join=True)
            except Exception:
                log.exception("Votes could not be stored.")
            finally:
                with self._arrived:
                    self._writing_since = None
                    self._wanted = len(batch)

    def _take_waiting(self, batch: list[_Waiting]) -> None:
        with self._arrived:
            while self._waiting and len(batch) < MAX_BATCH:
                batch.append(self._waiting.popleft())

    def _may_commit(self) -> bool:
        return self._closed or len(self._waiting) >= self._wanted

    def _commit_or_refuse(self, batch: list[_Waiting], *, others_may_join: bool = False) -> None:
        try:
            _post(self._commit(batch, others_may_join))
        except StoreUnavailable as error:
            _post([(waiting, error) for waiting in batch])
        except Exception as error:
            if len(batch) == 1 or not isinstance(error, DBAPIError):
                _post([(waiting, error) for waiting in batch])
                return
            # Such as a battle that another process answered meanwhile: each by itself.
            for waiting in batch:
                self._commit_or_refuse([waiting])

    def _commit(
        self, batch: list[_Waiting], others_may_join: bool
    ) -> list[tuple[_Waiting, Result]]:
        def answer(session: Session) -> list[tuple[_Waiting, Result]]:
            if others_may_join:  # those that arrived while another process had the lock
                self._take_waiting(batch)
            # A request that was given up while the database was locked is not stored.
            wanted = [waiting for waiting in batch if not waiting.future.done()]
            requests = [waiting.request for waiting in wanted]
            answers = answer_requests(session, requests, fetches=self._fetches)
            return list(zip(wanted, answers, strict=True))

        return self._database.write(answer, until=min(waiting.until for waiting in batch))


def _refuse(future: "asyncio.Future[Answer]") -> None:
    if not future.done():
        future.set_exception(StoreUnavailable(BUSY))


def _post(results: Sequence[tuple[_Waiting, Result]]) -> None:
    """Hand the results to the event loops that wait for them, one call for each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, Result]]] = defaultdict(list)
    for waiting, result in results:
        by_loop[waiting.future.get_loop()].append((waiting, result))
    for loop, answered in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, answered)
        except RuntimeError:  # the loop has ended, and with it who waited
            continue


def _resolve(answered: Sequence[tuple[_Waiting, Result]]) -> None:
    for waiting, result in answered:
        if waiting.future.done():
            continue
        if isinstance(result, Exception) and not isinstance(result, ArenaError):
            waiting.future.set_exception(result)
        elif isinstance(result, StoreUnavailable):
            waiting.future.set_exception(StoreUnavailable(result.sentence, cause=result.cause))
        else:
            waiting.future.set_result(result)
