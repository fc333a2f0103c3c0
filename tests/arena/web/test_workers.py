"""Several processes answer one port: any of them takes any vote, and one that dies is replaced."""

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from arena.web.server.workers import METRICS_BYTES, METRICS_FOLDER, reserve_metrics
from playable import TRACK, make_playable_arena, served

API = "/api/v1"


def workers_of() -> list[psutil.Process]:
    """The processes that answer requests."""
    (parent,) = (
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE and child.cmdline()[-2:] == ["--workers", "2"]
    )
    return [
        child
        for child in parent.children()
        if child.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(child.cmdline())
    ]


def vote_through(address: str, connections: int) -> list[str]:
    """Vote as one voter, each time over another connection; return the receipts."""
    receipts = []
    cookies = httpx.Cookies()
    for _ in range(connections):
        with httpx.Client(base_url=address, cookies=cookies, timeout=60) as voter:
            battle = voter.post(f"{API}/battles", json={"track": TRACK}).raise_for_status().json()
            cookies.update(voter.cookies)
            path = f"{API}/battles/{battle['token']}/vote"
            assert voter.get(battle["a"]["video"]).status_code == 200
            cast = voter.post(path, json={"choice": "a"}).raise_for_status().json()
            receipts.append(cast["receipt"])
            again = voter.post(path, json={"choice": "a"}).raise_for_status().json()
            assert again["receipt"] == cast["receipt"]
    return receipts


def test_any_process_takes_any_vote_a_killed_one_is_replaced_and_all_end_with_their_supervisor(
    tmp_path: Path,
) -> None:
    make_playable_arena(tmp_path).database.dispose()
    with served(tmp_path, workers=2, ARENA_RATE_LIMIT="off") as address:
        first = workers_of()
        assert len(first) == 2
        receipts = vote_through(address, 6)
        assert len(set(receipts)) == 6
        os.kill(first[0].pid, signal.SIGKILL)
        until = time.monotonic() + 180
        while len({*workers_of()} - {*first}) < 1:
            assert time.monotonic() < until, "the killed process was not replaced"
            time.sleep(0.2)
        for receipt in receipts:
            found = httpx.get(f"{address}{API}/receipts/{receipt}", timeout=180)
            assert found.json()["status"] == "counted"
        metrics = httpx.get(f"{address}/metrics", timeout=60).text
        assert 'arena_votes_total{choice="a"}' in metrics

        processes = workers_of()
        parent = processes[0].parent()
        assert parent is not None
        every = parent.children(recursive=True)
        assert len(every) >= 3  # one of them does the background work
        parent.kill()
        _, left = psutil.wait_procs([*first, *every], timeout=120)
        assert not left


def test_a_server_whose_address_nobody_reads_ends_with_its_processes(tmp_path: Path) -> None:
    make_playable_arena(tmp_path).database.dispose()
    server = subprocess.Popen(
        [sys.executable, "-m", "arena", "serve", "--port", "0", "--workers", "2"],
        env=os.environ | {"ARENA_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert server.stdout is not None
    server.stdout.close()  # before it prints its address
    started = psutil.Process(server.pid)
    processes: set[psutil.Process] = set()
    try:
        until = time.monotonic() + 180
        while server.poll() is None:
            assert time.monotonic() < until, "the server goes on without a supervisor"
            with suppress(psutil.NoSuchProcess):
                processes |= set(started.children(recursive=True))
            time.sleep(0.1)
        _, left = psutil.wait_procs(list(processes), timeout=60)
        assert not left
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        server.kill()
        server.wait()


COUNTS = """
import os, sys
from pathlib import Path
from arena.web.server.workers import reserve_metrics
assert reserve_metrics(Path(sys.argv[1]))
from arena.web.middleware.metrics import Metrics
metrics = Metrics()
metrics.votes.labels("a").inc()
metrics.requests.labels("/", "GET", 200).observe(0.1)
assert b'arena_votes_total{choice="a"} 1.0' in metrics.render()
"""


def test_metrics_have_their_disk_space_from_the_start(tmp_path: Path) -> None:
    """Otherwise a disk that is full later would end every process that counts something."""
    subprocess.run(
        [sys.executable, "-c", COUNTS, tmp_path],
        env=os.environ | {METRICS_FOLDER: str(tmp_path)},
        check=True,
    )
    kinds = set()
    for file in tmp_path.iterdir():
        kinds.add(file.name.partition("_")[0])
        assert file.stat().st_size == METRICS_BYTES
        assert file.stat().st_blocks * 512 >= METRICS_BYTES
    assert kinds == {"counter", "histogram"}


def test_without_disk_space_for_metrics_no_file_is_left(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (METRICS_BYTES // 2, limits[1]))
    try:
        assert not reserve_metrics(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())
