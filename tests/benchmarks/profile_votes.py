"""Where the CPU time of a vote goes: by thread of the server, and by function of the event loop.

Serves an arena of 12 models and 1,000 prompts in this process, while another process votes.

Run: PYTHONPATH=tests/support python tests/benchmarks/profile_votes.py [VOTERS] [SECONDS]
     [FUNCTIONS]
FUNCTIONS above 0 also prints that many functions by their own time; the profiler slows all down.
"""

import cProfile
import os
import pstats
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import psutil
from bench_votes import MODELS, vote_at_once
from rich.console import Console

from arena.context import make_arena
from arena.settings import Settings
from arena.web.app import serve
from many_votes import add_catalog

PROMPTS = 1000
WARM_UP_S = 3.0


def cpu_by_thread() -> dict[int, float]:
    """CPU seconds of each thread of this process, by its native id."""
    return {each.id: each.user_time + each.system_time for each in psutil.Process().threads()}


def vote(address: str, voters: int, seconds: float) -> int:
    """Vote from another process, and return how many votes were acknowledged."""
    command = [sys.executable, __file__, "--vote", address, str(voters), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


def measure(address: str, voters: int, seconds: float) -> None:
    vote(address, voters, WARM_UP_S)
    before = cpu_by_thread()
    count = vote(address, voters, seconds)
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    names[os.getpid()] = "event loop"
    spent: dict[str, float] = {}
    for number, cpu_s in cpu_by_thread().items():
        name = names.get(number, "others")
        name = name if name in {"event loop", "votes", "standings"} else "others"
        spent[name] = spent.get(name, 0.0) + cpu_s - before.get(number, 0.0)
    console = Console()
    console.print(f"{count / seconds:,.0f} votes/s from {voters} voters; CPU for each vote:")
    for name, cpu_s in sorted(spent.items(), key=lambda item: -item[1]):
        console.print(f"  {name}: {cpu_s / count * 1000:.2f} ms")
    os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    if sys.argv[1:2] == ["--vote"]:
        address, voters, seconds = sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
        Console().print(len(vote_at_once(address, voters, seconds).latencies))
        return
    numbers = [float(value) for value in sys.argv[1:]]
    voters, seconds, functions = (numbers + [32, 10, 0][len(numbers) :])[:3]
    os.environ["ARENA_RATE_LIMIT"] = "off"
    profile = cProfile.Profile() if functions else None
    with tempfile.TemporaryDirectory() as folder:
        arena = make_arena(Settings(home=Path(folder), rate_limit="off"), None)
        add_catalog(arena.database, models=MODELS, prompts=PROMPTS)

        def on_ready(address: str) -> None:
            arguments = (address, int(voters), seconds)
            threading.Thread(target=measure, args=arguments, name="measure").start()
            if profile is not None:
                profile.enable()

        with suppress(KeyboardInterrupt):
            serve(arena, host="127.0.0.1", port=0, on_ready=on_ready)
    if profile is not None:
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(int(functions))


if __name__ == "__main__":
    main()
