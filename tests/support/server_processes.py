"""The processes of an `arena serve` that a test started."""

from pathlib import Path

import psutil


def server_of(home: Path) -> psutil.Process:
    """The process that serves this arena."""
    (found,) = (
        child
        for child in psutil.Process().children()
        if "serve" in child.cmdline() and child.environ().get("ARENA_HOME") == str(home)
    )
    return found


def children_running(server: psutil.Process, module: str) -> list[psutil.Process]:
    """Its processes that run a module, such as `arena.web.background`."""
    return [
        child
        for child in server.children()
        if child.status() != psutil.STATUS_ZOMBIE and child.cmdline()[-1:] == [module]
    ]
