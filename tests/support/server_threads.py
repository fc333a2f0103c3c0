"""A uvicorn server in a thread of the test's process."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from server_processes import wait_until


@contextmanager
def running_server(server: uvicorn.Server, is_ready: Callable[[], object]) -> Iterator[int]:
    """Run a server on a free port, and yield the port once the server is ready."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            wait_until(is_ready, "the server does not start")
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()
