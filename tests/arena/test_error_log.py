"""A failure that repeats with every request is logged once, then with its count."""

import logging

import pytest

from arena.error_log import REPEAT_S, ErrorLog


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def errors(now: list[float], caplog: pytest.LogCaptureFixture) -> ErrorLog:
    caplog.set_level(logging.INFO)
    return ErrorLog(logging.getLogger("arena.test"), "Writing", clock=lambda: now[0])


def test_a_thousand_failures_are_one_line_and_then_one_a_minute_with_their_number(
    errors: ErrorLog, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1000):
        errors.failed("the disk is full")
    assert caplog.messages == ["Writing failed: the disk is full"]
    now[0] += REPEAT_S
    errors.failed("the disk is full")
    assert "failed 1001 times in 60 s" in caplog.messages[-1]


def test_another_message_is_logged_at_once(
    errors: ErrorLog, caplog: pytest.LogCaptureFixture
) -> None:
    errors.failed("the disk is full")
    errors.failed("the database is locked")
    errors.failed("the disk is full")
    assert len(caplog.messages) == 2


def test_the_first_success_ends_it_with_the_number(
    errors: ErrorLog, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    errors.failed("the disk is full")
    errors.failed("the disk is full")
    now[0] = 12
    errors.succeeded()
    errors.succeeded()
    assert caplog.messages[1:] == ["Writing works again after 2 failures in 12 s"]
    errors.failed("the disk is full")
    assert caplog.messages[-1] == "Writing failed: the disk is full"
