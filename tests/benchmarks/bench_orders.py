"""What orders at paid services cost while they wait, and how soon a finished clip is stored.

A fake service in a process of its own takes orders as DashScope does (`api`) and as an OpenAI
Videos server does (`openai`). First 200 orders of each kind wait at once, in a run of its own: the
processor time of all processes of a run is read for a while, once every order was polled. Then
clips of 5 s at 720p are finished one after the other: the time from the moment at which the service
has a clip to the row in the arena's database, and of it the time until the next poll. At last, the
steps of post-processing are timed in this process. No step is waited for longer than `LIMIT_S`.

Run: python tests/benchmarks/bench_orders.py [ORDERS] [SECONDS] [CLIPS]
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
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
LIMIT_S = 90.0  # for any step: all orders placed, all polled, one clip stored
LOOK_S = 0.5  # between two looks at the service's state
STOP_S = 20.0  # until the processes of a run have ended


class Service(BaseHTTPRequestHandler):
    """Both services."""

    protocol_version = "HTTP/1.1"
    video = b""
    orders = 0
    done: list[float] = []  # noqa: RUF012 - when each order was done, the first ones
    seen: dict[int, float] = {}  # noqa: RUF012 - when a poll first said that it is done
    polls = 0
    lock = threading.Lock()

    def status(self, number: int) -> bool:
        with Service.lock:
            Service.polls += 1
            if number >= len(Service.done):
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
            number = Service.orders
            Service.orders += 1
        if self.path.startswith("/v1/"):
            self.answer({"id": f"v_{number}", "object": "video", "status": "queued"})
        else:
            self.answer({"output": {"task_id": f"t_{number}", "task_status": "PENDING"}})

    def do_GET(self) -> None:
        if self.path == "/state":
            with Service.lock:
                state = {"orders": Service.orders, "polls": Service.polls}
                self.answer(state | {"done": Service.done, "seen": Service.seen})
        elif self.path == "/finish":  # one more order
            with Service.lock:
                Service.done.append(time.time())
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
    ThreadingHTTPServer.request_queue_size = 256  # all orders come at once
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
    from arena.catalog.entrants import add_entrant
    from arena.catalog.prompts import import_prompts
    from arena.catalog.schemas import PromptEntry
    from arena.catalog.tracks import add_track
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
        add_track(session, track, now=START)
        count = orders // accounts
        prompts = [PromptEntry(id=f"p{n}", text=f"clip {n}", tracks=(TRACK,)) for n in range(count)]
        import_prompts(session, prompts, now=START)
        for number in range(accounts):
            own = backend | {"concurrency": 64, "api_key_env": f"BENCH_{number}"}
            entry = entrant_entry(f"Model {number}", slug=f"m{number}", tracks=(TRACK,))
            entry = entry.model_copy(update={"backend": own})
            add_entrant(session, entry, now=START)


def bench_track() -> Any:
    from generator.spec import TrackSettings

    settings = {"name": "text-to-video", "modality": "text-to-video", "audio": False}
    settings |= {"width": WIDTH, "height": HEIGHT, "fps": 24, "frames": FRAMES}
    return TrackSettings.model_validate(settings | {"video_kbps": 6000, "bytes": 4_500_000})


def make_video(path: Path) -> None:
    """A file of 5 s at 720p, as services send them: noise over a moving shape."""
    from fractions import Fraction

    from generator.clips import RawClip
    from generator.media import encode_rendition

    noise = np.random.default_rng(1).integers(0, 60, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    frames = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for number in range(FRAMES):
        frames[number] = np.roll(noise, number * 5, axis=1)
        frames[number, 200:400, number * 8 : number * 8 + 200] += 120
    path.write_bytes(encode_rendition(RawClip(frames, Fraction(24)), bench_track()))


def start(*words: str) -> subprocess.Popen[str]:
    environment = os.environ | {f"BENCH_{number}": KEY for number in range(ACCOUNTS)}
    return subprocess.Popen(
        [sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, env=environment
    )


@dataclass
class Run:
    """A run of `generate` whose orders wait at a service.

    Attributes:
        stored: what it has printed, for each clip.
    """

    address: str
    child: subprocess.Popen[str]
    orders: int
    stored: "Queue[str]" = field(default_factory=Queue)

    def ask(self, path: str) -> dict[str, Any]:
        return dict(httpx2.get(f"{self.address}{path}").json())

    def wait_until(self, what: str, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + LIMIT_S
        while not condition():
            if time.monotonic() > end or self.child.poll() is not None:
                said = "" if self.stored.empty() else f"; a clip: {self.stored.get()}"
                raise SystemExit(f"{what}: not within {LIMIT_S:g} s: {self.ask('/state')}{said}")
            time.sleep(LOOK_S)

    def wait_for_orders(self) -> None:
        """Wait until all orders were placed, and each was polled after that."""
        self.wait_until("orders placed", lambda: self.ask("/state")["orders"] >= self.orders)
        polls = self.ask("/state")["polls"] + self.orders
        self.wait_until("orders polled", lambda: self.ask("/state")["polls"] >= polls)

    def next_stored(self) -> float:
        """When the next clip was stored."""
        try:
            moment, reason = self.stored.get(timeout=LIMIT_S).split(" ", 1)
        except Empty:
            raise SystemExit(f"no clip was stored within {LIMIT_S:g} s") from None
        if reason.strip() != "ready":
            raise SystemExit(reason)
        return float(moment)

    def cpu_seconds(self) -> tuple[float, float]:
        """Of all its processes, and of these the one that holds the orders."""
        used: list[tuple[int, float]] = []
        for each in self.processes():
            times = each.cpu_times()
            used.append((each.num_threads(), times.user + times.system))
        return sum(seconds for _, seconds in used), max(used)[1]

    def processes(self) -> list[psutil.Process]:
        process = psutil.Process(self.child.pid)
        return [process, *process.children(recursive=True)]


@contextmanager
def running(kind: str, orders: int, folder: Path) -> Iterator[Run]:
    """A service, and a run that orders that many clips from it."""
    server = start("serve", str(folder / "clip.mp4"))
    assert server.stdout is not None
    address = f"http://127.0.0.1:{server.stdout.readline().strip()}"
    home = folder / f"{kind}-{orders}"
    home.mkdir()
    fill_arena(home, kind, address, orders)
    child = start("generate", str(home))
    run = Run(address, child, orders)
    threading.Thread(target=collect, args=(child, run.stored), daemon=True).start()
    try:
        yield run
    finally:
        others = run.processes()[1:] if child.poll() is None else []
        child.terminate()
        child.wait()
        for each in psutil.wait_procs(others, timeout=STOP_S)[1]:
            each.kill()
        server.kill()
        server.wait()


def collect(child: subprocess.Popen[str], lines: "Queue[str]") -> None:
    for line in child.stdout or ():
        lines.put(line)


def measure_waiting(orders: int, seconds: float, folder: Path) -> Iterator[tuple[str, ...]]:
    """Processor time of runs whose orders wait, one of each kind."""
    with ExitStack() as stack:
        runs = {kind: stack.enter_context(running(kind, orders, folder)) for kind in KINDS}
        for run in runs.values():
            run.wait_for_orders()
        before = {kind: (run.cpu_seconds(), run.ask("/state")) for kind, run in runs.items()}
        time.sleep(seconds)
        for kind, run in runs.items():
            cpu, state = before[kind]
            shares = (
                f"{(b - a) / seconds:.1%}" for a, b in zip(cpu, run.cpu_seconds(), strict=True)
            )
            polls = (run.ask("/state")["polls"] - state["polls"]) / seconds
            yield kind, str(orders), *shares, f"{polls:.1f}", str(len(run.processes()))


def measure_delay(kind: str, clips: int, folder: Path) -> tuple[str, ...]:
    """Seconds from a clip that is done at the service to its row in the database."""
    with running(kind, clips, folder) as run:
        run.wait_for_orders()
        stored = []
        for _ in range(clips):
            run.ask("/finish")
            stored.append(run.next_stored())
        state = run.ask("/state")
    done, seen = state["done"], [state["seen"][str(number)] for number in range(clips)]
    until_poll = [b - a for a, b in zip(done, seen, strict=True)]
    own = [b - a for a, b in zip(seen, stored, strict=True)]
    whole = [b - a for a, b in zip(done, stored, strict=True)]
    shown = (f"{median(each):.2f} ({max(each):.2f})" for each in (until_poll, own, whole))
    return kind, str(clips), *shown


STEPS = {
    "decode_for_track": "decode the file",
    "fit_to_track": "fit to the track",
    "check_samples": "check the samples",
    "check_watermark": "look for names",
    "make_rendition": "encode the rendition",
    "check_rendition": "decode the rendition",
    "_hash_frames": "hash the frames",
    "measure_clip": "measure",
}


def measure_steps(video: Path) -> Iterator[tuple[str, str]]:
    """Seconds of the steps of post-processing, in one process and thread."""
    from generator.clips import ClipFile, ClipRequest, FailedClip, Provenance
    from generator.engine import post_processing
    from generator.measures import find_measures
    from generator.spec import Entrant

    find_measures()  # a run loads them before its first clip
    spent = dict.fromkeys(STEPS, 0.0)

    def timed(name: str) -> Callable[..., Any]:
        function = getattr(post_processing, name)

        def call(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent[name] += time.perf_counter() - started

        return call

    for name in STEPS:
        setattr(post_processing, name, timed(name))
    entrant = Entrant(
        name="Bench",
        creator="Bench",
        licence="none",
        tracks=("text-to-video",),
        backend={"kind": "openai", "base_url": "http://127.0.0.1/v1", "model": "m"},
    )
    request = ClipRequest(
        entrant=entrant, track=bench_track(), prompt_id="p", prompt="clip 1", seed=1
    )
    made = Provenance(backend="openai", model="m", seed=1, created_at=datetime.now(UTC))
    output = ClipFile(video.read_bytes(), 2**27), made
    started = time.perf_counter()
    clip = post_processing.post_process(request, output)
    whole = time.perf_counter() - started
    if isinstance(clip, FailedClip):
        raise SystemExit(clip.reason)
    for name, title in STEPS.items():
        yield title, f"{spent[name]:.2f}"
    yield "other", f"{whole - sum(spent.values()):.2f}"
    yield "together", f"{whole:.2f}"


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
    steps = Table("step", "seconds", title="Post-processing of a clip of 5 s at 720p")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_video(folder / "clip.mp4")
        for row in measure_waiting(orders, seconds, folder):
            waiting.add_row(*row)
        out.print(waiting)
        for kind in KINDS if clips else ():
            delay.add_row(*measure_delay(kind, clips, folder))
        out.print(delay)
        for step in measure_steps(folder / "clip.mp4"):
            steps.add_row(*step)
        out.print(steps)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", video]:
            serve(video)
        case ["generate", home]:
            generate(home)
        case _:
            main()
