"""Run the server: options, folder, socket, and shutdown on Ctrl-C."""

import os
import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from generator.engine.process import preload
from generator.errors import GeneratorError
from generator.serve.app import make_app
from generator.serve.catalog import Catalog
from generator.serve.middleware import MEBIBYTE
from generator.serve.queue import JobQueue
from generator.serve.service import VideoService
from generator.serve.store import VideoStore
from generator.spec import Entrant

HOUR_S = 3600
SHUTDOWN_TIMEOUT_S = 3  # for running downloads when the server stops


@dataclass(frozen=True)
class ServeOptions:
    """Options of a server."""

    host: str = "127.0.0.1"
    port: int = 8000
    folder: Path | None = None  # for videos; None for a temporary folder
    workers: int = 1  # videos generated in parallel
    queue: int = 16  # maximum number of waiting videos
    keep: int = 64  # maximum number of finished videos
    keep_hours: float = 24.0
    upload_mib: int = 16
    max_seconds: float = 20.0  # maximum length of a video
    api_key_env: str | None = None  # environment variable with the clients' API key


def serve(
    entrants: Sequence[Entrant], options: ServeOptions, *, on_ready: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C.

    Args:
        entrants: The entrants to serve.
        options: The server's options.
        on_ready: Called with the API's URL once the server accepts connections.

    Raises:
        GeneratorError: An entrant cannot be served, or the port, folder or key is not available.
    """
    key = _read_key(options.api_key_env)
    catalog = Catalog(entrants, max_seconds=options.max_seconds)
    catalog.check()
    with ExitStack() as stack:
        listening = stack.enter_context(_listen(options.host, options.port))
        store = VideoStore(
            _open_folder(options.folder, stack),
            keep=options.keep,
            keep_s=options.keep_hours * HOUR_S,
        )
        preload(entrants)
        queue = JobQueue(store, max_waiting=options.queue, workers=options.workers)
        service = VideoService(catalog, store, queue)

        def stop() -> None:
            queue.close()
            stack.close()

        app = make_app(service, max_bytes=options.upload_mib * MEBIBYTE, key=key, on_stop=stop)
        config = uvicorn.Config(
            app,
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        )
        host = f"[{options.host}]" if ":" in options.host else options.host
        on_ready(f"http://{host}:{listening.getsockname()[1]}/v1")
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])


def _read_key(name: str | None) -> str | None:
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key:
        raise GeneratorError(
            f"The environment variable {name} is not set; set it to the key that clients must send."
        )
    return key


def _open_folder(folder: Path | None, stack: ExitStack) -> Path:
    if folder is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="videos-")))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GeneratorError(
            f"The folder {folder} cannot be created ({error.strerror}); choose another with "
            "--folder."
        ) from error
    return folder.resolve()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise GeneratorError(
            f"Port {port} on {host} cannot be used ({reason.lower()}); "
            "stop the program that uses it, or choose another port with --port."
        ) from error
    # Without TCP_NODELAY a response in two packets waits for a delayed acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
