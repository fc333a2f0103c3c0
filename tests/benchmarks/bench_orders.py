"""What orders at paid services cost while they wait, and how soon a finished clip is stored.

A fake service in a process of its own takes orders as DashScope does (`api`) and as an OpenAI
Videos server does (`openai`). First 200 orders wait at once: the processor time of all processes
of a run is read for a while. Then clips of 5 s at 720p are finished one after the other: the time
from the moment at which the service has a clip to the row in the arena's database, and of it the
time until the next poll.

Run: python tests/benchmarks/bench_orders.py [ORDERS] [SECONDS] [CLIPS]
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import httpx2
import numpy as np
import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

TRACK, KEY = "bench", "no-key"
ACCOUNTS = 4  # an account has at most 64 orders at once
WIDTH, HEIGHT, FRAMES = 1280, 720, 120
KINDS = ("api", "openai")
BETWEEN_S = 6.0  # between two finished clips
SETTLE_S = 20.0  # until all processes have started
LATER_S = 10.0  # from the last order to the first finished clip


class Service(BaseHTTPRequestHandler):
    """Both services. `first_done` and `between` say when orders are done, in seconds."""

    protocol_version = "HTTP/1.1"
    video = b""
    first_done = between = float("inf")
    orders: list[float] = []  # noqa: RUF012 - when each was placed
    seen: dict[int, float] = {}  # noqa: RUF012 - when a poll first said that it is done
    polls = 0
    lock = threading.Lock()

    def done_at(self, number: int) -> float:
        return Service.first_done + number * Service.between

    def status(self, number: int) -> bool:
        with Service.lock:
            Service.polls += 1
            if time.time() < self.done_at(number):
                return False
            Service.seen.setdefault(number, time.time())
            return True

    def answer(self, data: Any) -> None:
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(200)
        kind = "video/mp4" if isinstance(data, bytes) else "application/json"
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        with Service.lock:
            number = len(Service.orders)
            Service.orders.append(time.time())
        if self.path.startswith("/v1/"):
            self.answer({"id": f"v_{number}", "object": "video", "status": "queued"})
        else:
            self.answer({"output": {"task_id": f"t_{number}", "task_status": "PENDING"}})

    def do_GET(self) -> None:
        if self.path == "/state":
            with Service.lock:
                done = {number: self.done_at(number) for number in Service.seen}
                self.answer(
                    {
                        "orders": len(Service.orders),
                        "polls": Service.polls,
                        "done": done,
                        "seen": Service.seen,
                    }
                )
        elif self.path.startswith("/finish"):
            Service.first_done, Service.between = time.time() + LATER_S, BETWEEN_S
            self.answer({})
        elif self.path.endswith(("/content", ".mp4")):
            self.answer(Service.video)
        else:
            number = int(self.path.rpartition("_")[2])
            is_done = self.status(number)
            if self.path.startswith("/v1/"):
                word = "completed" if is_done else "in_progress"
                self.answer({"id": f"v_{number}", "object": "video", "status": word})
                return
            output = {"task_id": f"t_{number}", "task_status": "RUNNING"}
            if is_done:
                address = f"http://{self.headers['host']}/file.mp4"
                output |= {"task_status": "SUCCEEDED", "video_url": address}
            self.answer({"output": output})

    def log_message(self, *_: object) -> None:
        return None


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def serve(video: str) -> None:
    Service.video = Path(video).read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.daemon_threads = True
    say(str(server.server_port))
    server.serve_forever()


def generate(home: str) -> None:
    """Make all clips; print the time at which each is stored."""
    from arena import production
    from arena.context import make_arena, utc_now
    from playable import settings_for

    arena = make_arena(settings_for(Path(home)), None)
    with arena.database.reading() as session:
        pending = production.find_pending(session, seed_key="key")
    run = production.produce(arena.database, arena.store, pending, workers=None, clock=utc_now)
    with suppress(KeyboardInterrupt):
        for clip in run:
            say(f"{time.time()} {getattr(clip, 'reason', 'ready')}")


def fill_arena(home: Path, kind: str, address: str, orders: int) -> None:
    """An arena with models of several accounts, which have that number of orders together."""
    from arena.catalog import catalog
    from arena.catalog.schemas import PromptEntry
    from arena.context import make_arena
    from fake_services import provider_at
    from playable import settings_for
    from small_arena import START, entrant_entry, track_entry

    arena = make_arena(settings_for(home), None)
    accounts = min(ACCOUNTS, orders)
    backend: dict[str, object] = {"kind": "openai", "base_url": f"{address}/v1", "model": "m"}
    if kind == "api":
        path = provider_at("dashscope", address, home)
        host = address.removeprefix("http://")
        backend = {"kind": "api", "provider": str(path), "model": "happyhorse-1.0"}
        backend |= {"trusted_host": host}
    settings = {"width": WIDTH, "height": HEIGHT, "frames": FRAMES}
    with arena.database.writing() as session:
        track = track_entry(TRACK, audio=False, video_kbps=6000, bytes=4_500_000, **settings)
        catalog.add_track(session, track, now=START)
        count = orders // accounts
        prompts = [PromptEntry(id=f"p{n}", text=f"clip {n}", tracks=(TRACK,)) for n in range(count)]
        catalog.import_prompts(session, prompts, now=START)
        for number in range(accounts):
            own = backend | {"concurrency": 64, "api_key_env": f"BENCH_{number}"}
            entry = entrant_entry(f"Model {number}", slug=f"m{number}", tracks=(TRACK,))
            entry = entry.model_copy(update={"backend": own})
            catalog.add_entrant(session, entry, now=START)


def make_video(path: Path) -> None:
    """A file of 5 s at 720p, as services send them: noise over a moving shape."""
    from fractions import Fraction

    from generator.clips import RawClip
    from generator.media import encode_rendition
    from generator.spec import TrackSettings

    noise = np.random.default_rng(1).integers(0, 60, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    frames = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for number in range(FRAMES):
        frames[number] = np.roll(noise, number * 5, axis=1)
        frames[number, 200:400, number * 8 : number * 8 + 200] += 120
    settings = {"name": "text-to-video", "modality": "text-to-video", "audio": False}
    settings |= {"width": WIDTH, "height": HEIGHT, "fps": 24, "frames": FRAMES}
    track = TrackSettings.model_validate(settings | {"video_kbps": 6000, "bytes": 4_500_000})
    path.write_bytes(encode_rendition(RawClip(frames, Fraction(24)), track))


def start(*words: str) -> subprocess.Popen[str]:
    environment = os.environ | {f"BENCH_{number}": KEY for number in range(ACCOUNTS)}
    return subprocess.Popen(
        [sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, env=environment
    )


def ask(address: str, path: str) -> dict[str, Any]:
    return dict(httpx2.get(f"{address}{path}").json())


def cpu_seconds(process: psutil.Process) -> tuple[float, float]:
    """Of a process and all its children, and of these the one that holds the orders."""
    used: list[tuple[int, float]] = []
    for each in (process, *process.children(recursive=True)):
        times = each.cpu_times()
        used.append((each.num_threads(), times.user + times.system))
    return sum(seconds for _, seconds in used), max(used)[1]


def wait_for_orders(address: str, count: int, run: subprocess.Popen[str]) -> None:
    while ask(address, "/state")["orders"] < count:
        if run.poll() is not None:
            raise SystemExit("the run has ended before all orders were placed")
        time.sleep(0.5)


def measure_waiting(kind: str, orders: int, seconds: float, folder: Path) -> tuple[str, ...]:
    """Processor time of a run whose orders wait."""
    server = start("serve", str(folder / "clip.mp4"))
    assert server.stdout is not None
    address = f"http://127.0.0.1:{server.stdout.readline().strip()}"
    home = folder / f"waiting-{kind}"
    home.mkdir()
    fill_arena(home, kind, address, orders)
    run = start("generate", str(home))
    try:
        wait_for_orders(address, orders, run)
        process = psutil.Process(run.pid)
        time.sleep(SETTLE_S)
        before, polls = cpu_seconds(process), ask(address, "/state")["polls"]
        time.sleep(seconds)
        after = cpu_seconds(process)
        polls = ask(address, "/state")["polls"] - polls
        processes = 1 + len(process.children(recursive=True))
    finally:
        run.send_signal(signal.SIGINT)
        run.wait(60)
        server.kill()
    shares = (f"{(b - a) / seconds:.1%}" for a, b in zip(before, after, strict=True))
    return kind, str(orders), *shares, f"{polls / seconds:.1f}", str(processes)


def measure_delay(kind: str, clips: int, folder: Path) -> tuple[str, ...]:
    """Seconds from a clip that is done at the service to its row in the database."""
    server = start("serve", str(folder / "clip.mp4"))
    assert server.stdout is not None
    address = f"http://127.0.0.1:{server.stdout.readline().strip()}"
    home = folder / f"delay-{kind}"
    home.mkdir()
    fill_arena(home, kind, address, clips)
    run = start("generate", str(home))
    assert run.stdout is not None
    try:
        wait_for_orders(address, clips, run)
        ask(address, "/finish")
        stored = [line.split(" ", 1) for line in run.stdout]
        state = ask(address, "/state")
    finally:
        run.kill()
        server.kill()
    failed = [reason for _, reason in stored if reason.strip() != "ready"]
    if failed:
        raise SystemExit(failed[0])
    seen, done = sorted(state["seen"].values()), sorted(state["done"].values())
    times = sorted(float(moment) for moment, _ in stored)
    until_poll = [b - a for a, b in zip(done, seen, strict=True)]
    own = [b - a for a, b in zip(seen, times, strict=True)]
    whole = [b - a for a, b in zip(done, times, strict=True)]
    shown = (f"{median(each):.2f} ({max(each):.2f})" for each in (until_poll, own, whole))
    return (kind, str(len(times)), *shown)


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:]]
    orders, seconds, clips = (*numbers, *(200, 30, 8)[len(numbers) :])
    out = Console()
    waiting = Table(
        "kind", "orders", "share of a core", "of which the orders", "polls/s", "processes"
    )
    waiting.title = f"{orders} orders that wait, over {seconds} s"
    delay = Table("kind", "clips", "until a poll", "from the poll to the row", "together")
    delay.title = "Seconds from a finished clip at 720p, median (largest)"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_video(folder / "clip.mp4")
        for kind in KINDS:
            waiting.add_row(*measure_waiting(kind, orders, seconds, folder))
        for kind in KINDS if clips else ():
            delay.add_row(*measure_delay(kind, clips, folder))
    out.print(waiting)
    out.print(delay)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", video]:
            serve(video)
        case ["generate", home]:
            generate(home)
        case _:
            main()
