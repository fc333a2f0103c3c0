"""Waiting for services: many orders in one process, which can be stopped."""

import time
from threading import Event

import pytest

from generator import waiting
from generator.waiting import pause, pause_until_poll, stopped_by


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(waiting, "pause", slept.append)
    return slept


def test_the_more_orders_wait_the_less_often_each_is_asked_for(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = time.monotonic() + 1000
    pause_until_poll(5, deadline=soon)
    monkeypatch.setattr(waiting, "_waiting", 599)
    pause_until_poll(5, deadline=soon)
    assert pauses == [5, pytest.approx(600 / waiting.MAX_POLLS_PER_S)]


def test_the_last_poll_is_shortly_after_the_deadline(pauses: list[float]) -> None:
    pause_until_poll(5, deadline=time.monotonic() - 1)
    assert pauses == [waiting.POLL_MARGIN_S]


def test_a_thread_that_is_stopped_waits_no_longer() -> None:
    stop = Event()
    with stopped_by(stop):
        pause(0.001)
        stop.set()
        with pytest.raises(SystemExit):
            pause(1000)
    pause(0.001)  # outside of the block it is not stopped
