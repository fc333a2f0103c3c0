"""A client that votes as fast as it can over one connection, with little work of its own."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

API = "/api/v1"


class VotingClient:
    """One voter's connection to an arena: HTTP/1.1 by hand, since a client library costs more
    than the server does.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._cookie = ""

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Return the status and the JSON of the answer."""
        content = json.dumps(body).encode()
        cookie = f"Cookie: {self._cookie}\r\n" if self._cookie else ""
        self._writer.write(
            f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n{cookie}"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        length = 0
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            elif name.lower() == b"set-cookie":
                self._cookie = value.split(b";")[0].decode().strip()
        answer = await self._reader.readexactly(length)
        return int(lines[0].split()[1]), json.loads(answer)

    async def ask(self, track: str) -> dict[str, Any]:
        """Return the voter's open battle."""
        status, battle = await self.post(f"{API}/battles", {"track": track})
        if status != 201:
            raise RuntimeError(f"{status}: {battle}")
        return dict(battle)

    async def vote(self, token: str, choice: str = "a") -> dict[str, Any]:
        """Vote, and return the answer."""
        status, cast = await self.post(f"{API}/battles/{token}/vote", {"choice": choice})
        if status != 200:
            raise RuntimeError(f"{status}: {cast}")
        return dict(cast)
