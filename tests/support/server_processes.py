"""The processes of an `arena serve` that a test started, and waiting for what they do."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil

START_S = 180.0  # in which something happens that takes seconds, also where all cores are busy


def wait_until(is_true: Callable[[], object], what: str) -> None:
    """Wait until something is so, or fail and say what is not."""
    until = time.monotonic() + START_S
    while not is_true():
        assert time.monotonic() < until, what
        time.sleep(0.1)


def server_of(home: Path) -> psutil.Process:
    """The process that serves this arena."""
    (found,) = (
        child
        for child in psutil.Process().children()
        if "serve" in child.cmdline() and child.environ().get("ARENA_HOME") == str(home)
    )
    return found


def children_running(server: psutil.Process, module: str) -> list[psutil.Process]:
    """Its processes that run a module, such as `arena.web.server.background`."""
    return [
        child
        for child in server.children()
        if child.status() != psutil.STATUS_ZOMBIE and child.cmdline()[-1:] == [module]
    ]
