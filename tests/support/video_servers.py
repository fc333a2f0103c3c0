"""Video servers for tests: the project's own in a process, and one with scripted replies."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

import openai
import psutil

KEY = "secret-of-the-tests"
KEY_VARIABLE = "HIPPODROME_TEST_KEY"
# A pipeline that worker processes can import; it takes a minute for one prompt.
SLOW = """
import time
from generator.foal.pipeline import FoalPipeline

class SlowPipeline(FoalPipeline):
    def __call__(self, prompt, **arguments):
        if prompt == "slow":
            self.scheduler.set_timesteps(arguments["num_inference_steps"])
            arguments["callback_on_step_end"](self, 0, 0, {})
            time.sleep(60)
        return super().__call__(prompt, **arguments)

SlowPipeline.__call__.__signature__ = __import__("inspect").signature(FoalPipeline.__call__)
"""


@dataclass
class Served:
    """A running server of the project."""

    process: subprocess.Popen[str]
    base_url: str

    @property
    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.base_url, api_key=KEY, max_retries=0)

    def worker(self) -> psutil.Process:
        """Return the process that generates clips."""
        for child in psutil.Process(self.process.pid).children():
            if "multiprocessing.forkserver" in " ".join(child.cmdline()):
                for worker in child.children():
                    return worker
        raise AssertionError("there is no worker process")


@contextmanager
def serving(*arguments: str | Path, modules: Path | None = None) -> Iterator[Served]:
    """Run `python -m generator serve` on a free port."""
    path = os.pathsep.join(filter(None, [str(modules or ""), os.environ.get("PYTHONPATH", "")]))
    process = subprocess.Popen(
        [sys.executable, "-m", "generator", "serve", *map(str, arguments), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {KEY_VARIABLE: KEY, "PYTHONPATH": path},
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert " at http" in line, f"{line}{process.communicate()[1]}"
        yield Served(process, line.partition(" at ")[2].split()[0])
    finally:
        process.terminate()
        process.communicate(timeout=120)


def wait_for(condition: Callable[[], bool], *, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)


@dataclass
class Reply:
    """One response of the scripted server; its body never ends if `endless`.

    With `dropped` the server reads the request, then closes the connection without a response; a
    `str` body is sent as it is, as text.
    """

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    endless: bool = False
    dropped: bool = False


@dataclass
class Scripted:
    """A server that sends its replies in order and records the requests."""

    base_url: str
    requests: list[tuple[str, str, bytes]]

    def times(self, method: str, path: str) -> int:
        return sum(request[:2] == (method, f"/v1{path}") for request in self.requests)


def video(**changes: object) -> dict[str, object]:
    """Return the API's description of a video."""
    fields = {
        "id": "video_1",
        "object": "video",
        "model": "m",
        "status": "completed",
        "progress": 100,
        "created_at": 1,
        "seconds": "1",
        "size": "96x64",
    }
    return fields | changes


class VideoShop:
    """Answers like a server that makes a video of each order; to be passed to `scripted`.

    Args:
        file: The file of every video.
        polls: How often a video is polled until it is completed.
    """

    def __init__(self, file: bytes, *, polls: int = 2) -> None:
        self.file, self.polls = file, polls
        self.polled: dict[str, int] = {}  # by the videos' ids
        self.forgotten: set[str] = set()  # ids that it no longer knows
        self._lock = Lock()

    def __call__(self, method: str, path: str) -> Reply:
        with self._lock:
            parts = path.removeprefix("/v1/videos").strip("/").split("/")
            if method == "POST":
                video_id = f"video_{len(self.polled)}"
                self.polled[video_id] = 0
                return Reply(body=video(id=video_id, status="queued", progress=0))
            if parts[0] not in self.polled or parts[0] in self.forgotten:
                return Reply(404, {"error": {"message": "There is no such video."}})
            if parts[1:] == ["content"]:
                return Reply(body=self.file)
            self.polled[parts[0]] += 1
            is_done = self.polled[parts[0]] >= self.polls
            return Reply(body=video(id=parts[0], status="completed" if is_done else "queued"))


@contextmanager
def scripted(replies: Sequence[Reply] | Callable[[str, str], Reply]) -> Iterator[Scripted]:
    """Run a server on a free port, with scripted replies or with those of a function.

    The function gets the method and the path of each request.
    """
    remaining = [] if callable(replies) else list(replies)
    requests: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            requests.append((self.command, self.path, body))
            if callable(replies):
                reply = replies(self.command, self.path)
            elif remaining:
                reply = remaining.pop(0)
            else:
                reply = Reply(404, {"error": {"message": "No more replies."}})
            if reply.dropped:
                self.close_connection = True
                return
            if isinstance(reply.body, bytes):
                kind, data = "video/mp4", reply.body
            elif isinstance(reply.body, str):
                kind, data = "text/plain", reply.body.encode()
            else:
                kind, data = "application/json", json.dumps(reply.body).encode()
            self.send_response(reply.status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(2**40 if reply.endless else len(data)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(data)
                while reply.endless:
                    self.wfile.write(bytes(2**16))
            except OSError:
                self.close_connection = True

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield Scripted(f"http://127.0.0.1:{server.server_port}/v1", requests)
    finally:
        server.shutdown()
        server.server_close()
