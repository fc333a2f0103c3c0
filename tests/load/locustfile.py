"""People at an arena: voters who watch, vote and go on to the next pair; leaderboard's readers.

Started by `run.py`, on the loopback only. The environment describes voters: LOAD_PERIOD_S is the
time from one vote to the next, LOAD_SESSIONS the share of voters who also hold a page's WebSocket,
as those do who came to the vote page from another page.
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gevent.lock import BoundedSemaphore
from locust import FastHttpUser, User, constant_pacing, events, task
from page_session import PageSession

API = "/api/v1"
TRACK = os.environ.get("LOAD_TRACK", "text-to-video")
PERIOD_S = float(os.environ.get("LOAD_PERIOD_S", "10"))
SESSIONS = float(os.environ.get("LOAD_SESSIONS", "0.1"))
VOTERS = int(os.environ.get("LOAD_VOTERS", "1000"))
READERS = int(os.environ.get("LOAD_READERS", "0"))
CHOICES = ("a", "b", "tie", "bad")
TRIES = 3  # of a vote that the arena asks to send again

_opening = BoundedSemaphore(4)  # pages at once, while the voters arrive


@events.init.add_listener
def check_address(environment: Any, **_others: Any) -> None:
    """Load goes to this machine only."""
    if not (environment.host or "").startswith("http://127.0.0.1:"):
        raise SystemExit("The load tests run against http://127.0.0.1:PORT only.")


@contextmanager
def measured(user: User, kind: str, name: str) -> Iterator[None]:
    """Report how long the block took, and whether it failed, like one of Locust's own requests."""
    started, failure = time.perf_counter(), None
    try:
        yield
    except Exception as error:
        failure = error
    user.environment.events.request.fire(
        request_type=kind,
        name=name,
        response_time=(time.perf_counter() - started) * 1000,
        response_length=0,
        exception=failure,
        context={},
    )


class Voter(FastHttpUser):
    """Opens the page, loads the clips of two battles, and votes once in each period."""

    fixed_count = VOTERS
    wait_time = constant_pacing(PERIOD_S)
    connection_timeout = network_timeout = 60.0
    battle: dict[str, Any] | None = None
    session: PageSession | None = None

    def on_start(self) -> None:
        self.client.get("/", name="page")
        if random.random() < SESSIONS:
            with measured(self, "WS", "open a page"), _opening:
                self.session = PageSession(self.host)
                self.session.show("")
        self._ask()
        time.sleep(random.uniform(0, PERIOD_S))  # voters do not vote in step

    def on_stop(self) -> None:
        if self.session is not None:
            self.session.close()

    @task
    def vote(self) -> None:
        if self.battle is None:
            self._ask()
            return
        path = f"{API}/battles/{self.battle['token']}/vote"
        body = {"choice": random.choice(CHOICES), "first": "a"}
        for _ in range(TRIES):
            with self.client.post(path, json=body, name="vote", catch_response=True) as answer:
                if answer.status_code == 200:
                    self.battle = answer.json()["next"]
                    break
                answer.failure(f"{answer.status_code} {answer.text}")
            time.sleep(float(answer.headers.get("Retry-After", 1)) if answer.headers else 1)
        if self.battle is not None:
            self._watch(self.battle["next"])  # the clips of this one are there already

    def _ask(self) -> None:
        with self.client.post(
            f"{API}/battles", json={"track": TRACK}, name="battle", catch_response=True
        ) as answer:
            if answer.status_code != 201:
                answer.failure(f"{answer.status_code} {answer.text}")
                return
            self.battle = answer.json()
        self._watch(self.battle)
        self._watch(self.battle["next"])

    def _watch(self, battle: dict[str, Any] | None) -> None:
        """Load both clips, as a browser does."""
        for side in ("a", "b") if battle else ():
            with self.client.get(
                battle[side]["video"],
                headers={"Range": "bytes=0-"},
                name="clip",
                catch_response=True,
            ) as answer:
                if answer.status_code != 206:
                    answer.failure(f"{answer.status_code} {answer.text[:200]}")


class ApiReader(FastHttpUser):
    """Reads a leaderboard through the API, once in two seconds."""

    fixed_count = READERS // 2
    wait_time = constant_pacing(2)

    @task
    def read(self) -> None:
        self.client.get(f"{API}/leaderboard?track={TRACK}", name="leaderboard")


class PageReader(User):
    """Has the leaderboard's page open, and changes what it shows every five seconds."""

    fixed_count = READERS - READERS // 2
    wait_time = constant_pacing(5)
    session: PageSession | None = None

    def on_start(self) -> None:
        with measured(self, "WS", "open a page"), _opening:
            self.session = PageSession(self.host)
            self.session.show("leaderboard", f"track={TRACK}")

    def on_stop(self) -> None:
        if self.session is not None:
            self.session.close()

    @task
    def read(self) -> None:
        with measured(self, "WS", "leaderboard's page"):
            if self.session is None:
                self.session = PageSession(self.host)
            self.session.show("leaderboard", f"track={TRACK}")
