"""nginx and Caddy in front of an arena that is served below a path."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_S = 180.0
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location /arena/ {{
      proxy_pass {target};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      {upgrade}
      proxy_buffering off;
    }}
    location / {{ return 404 "another application\\n"; }}
  }}
}}
"""
NGINX_UPGRADE = """proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";"""
CADDY = """
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port} {{
  redir /arena /arena/
  {directive} /arena/* {{
    reverse_proxy {upstream}
  }}
  respond "another application" 404
}}
"""


@contextmanager
def reserved_port() -> Iterator[int]:
    """A free port that the system gives to nobody else in the block.

    A server may listen there: both sockets allow the address to be used again.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def missing(program: str) -> str | None:
    """Why a program's tests cannot run, in one line; None if they can."""
    if shutil.which(program) or shutil.which(f"/usr/sbin/{program}"):
        return None
    return f"needs {program}: install it (on Debian: apt install {program})"


def _path(program: str) -> str:
    return shutil.which(program) or f"/usr/sbin/{program}"


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, f"{command[0]} ended"
                assert time.monotonic() < deadline, f"{command[0]} does not listen"
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=120)


@contextmanager
def nginx(folder: Path, upstream: str, port: int, *, strip: bool, upgrade: bool) -> Iterator[None]:
    """Serve `/arena/` from an upstream `http://host:port`, with or without the path."""
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(
        NGINX.format(
            folder=folder,
            port=port,
            target=f"{upstream}/" if strip else upstream,
            upgrade=NGINX_UPGRADE if upgrade else "",
        )
    )
    with _running([_path("nginx"), "-p", str(folder), "-c", str(config)], port):
        yield


@contextmanager
def caddy(folder: Path, upstream: str, port: int, *, strip: bool) -> Iterator[None]:
    """The same with Caddy, which passes on WebSockets by itself."""
    folder.mkdir()
    config = folder / "Caddyfile"
    directive = "handle_path" if strip else "handle"
    config.write_text(
        CADDY.format(port=port, directive=directive, upstream=upstream.removeprefix("http://"))
    )
    with _running([_path("caddy"), "run", "--config", str(config), "--adapter", "caddyfile"], port):
        yield
