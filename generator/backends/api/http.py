"""Requests to a service: bounded in size and time, without a key where it does not belong.

Neither the service nor the host of a file is trusted: redirects of the API are not followed, and an
address of a file may not lead to this machine or its network.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx2

from generator.backends.api.addresses import resolve_public
from generator.backends.api.answers import Answer, parse_json
from generator.backends.api.redaction import Redactor
from generator.backends.ordering import NOT_SENT, retry_after
from generator.errors import BackendError

REQUEST_TIMEOUT_S = 120.0  # until a response begins, and between its parts
MAX_JSON_BYTES = 4 * 2**20
MAX_TEXT = 1000  # characters that are kept of an answer that is not JSON
MAX_REDIRECTS = 5
GONE = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.GONE,
)
# Of a request that can be repeated, over a connection that was kept open.
CLOSED = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
KEPT_CONNECTIONS, KEPT_S = 16, 60.0


class NotSent(BackendError):
    """No connection was made, so that no byte of the request was sent."""


class Lost(BackendError):
    """The request may have been received, and its answer was not."""


class FileGone(BackendError):
    """The file is no longer at its address."""


class Interrupted(BackendError):
    """A download broke off; another attempt may succeed."""


@dataclass(frozen=True)
class Http:
    """A connection to one service.

    Args:
        name: of the entrant, for messages.
        base_url: of the API; the key is sent to it alone.
        key_headers: makes the headers with the key.
        secrets: texts that are removed from everything that is reported.
        client: opens a connection for each request.
        polls: keeps connections open, which saves most of a poll's time: their encryption.
    """

    name: str
    base_url: httpx2.URL
    key_headers: Callable[[], dict[str, str]]
    secrets: tuple[str, ...]
    client: httpx2.Client
    polls: httpx2.Client

    @classmethod
    def connect(
        cls,
        name: str,
        base_url: str,
        key_headers: Callable[[], dict[str, str]],
        secrets: tuple[str, ...],
    ) -> "Http":
        """Create a client; sends no request."""
        # A service may close an idle connection just as an order is sent on it.
        client = _client(httpx2.Limits(max_keepalive_connections=0))
        polls = _client(
            httpx2.Limits(max_keepalive_connections=KEPT_CONNECTIONS, keepalive_expiry=KEPT_S)
        )
        return cls(name, httpx2.URL(base_url), key_headers, secrets, client, polls)

    @property
    def host(self) -> str:
        """Host and port of the API, for messages."""
        return self.base_url.netloc.decode()

    def request(
        self,
        method: str,
        address: str,
        *,
        deadline: float,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        form: "Form | None" = None,
        file_bytes: int = 0,
    ) -> Answer:
        """Send a request to the API and read its answer.

        Args:
            method: of HTTP.
            address: a path, or a whole address that the API brought.
            deadline: for the end of the answer, in seconds of `time.monotonic`.
            body: is sent as JSON; None: no body.
            headers: beside the key.
            form: is sent instead of `body`.
            file_bytes: if it is not 0, an answer that is not JSON is a file, of at most that
                number of bytes, which may take until the deadline.

        Raises:
            NotSent: the service cannot be reached.
            Lost: it was reached, and its answer is missing, too large or too late.
        """
        url = self.base_url.join(address)
        if not self._is_own(url):
            raise Lost(f"{self.name}: {self.host} brings an address of another host for its API.")
        keys = self.key_headers()
        redactor = self._redactor(keys)
        sent = dict(headers or {}) | keys
        content: dict[str, Any] = {"json": body} if form is None else form.content()
        try:
            if method == "GET":
                try:
                    stream = self._stream(self.polls, method, url, sent, deadline, {})
                    return self._read_answer(stream, deadline, file_bytes, redactor)
                except CLOSED:
                    pass
            stream = self._stream(self.client, method, url, sent, deadline, content, file_bytes)
            return self._read_answer(stream, deadline, file_bytes, redactor)
        except NOT_SENT as error:
            raise NotSent(
                f"{self.name}: {self.host} cannot be reached ({type(error).__name__}); check the "
                "network."
            ) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Lost(
                f"{self.name}: {self.host} did not answer ({type(error).__name__})."
            ) from None

    def send_file(
        self, method: str, address: str, headers: Mapping[str, str], form: "Form", deadline: float
    ) -> Answer:
        """Send a file to an address that the API brought, without the key.

        Raises:
            BackendError: the address is not acceptable, or the file was not taken.
        """
        try:
            target, extensions = self._reachable(httpx2.URL(address))
            host = {"Host": httpx2.URL(address).netloc.decode()}
            stream = self.client.stream(
                method,
                target,
                headers=dict(headers) | host,
                timeout=_timeout(deadline),
                extensions=extensions,
                **form.content(),
            )
            return self._read_answer(stream, deadline, 0, self._redactor({}))
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Interrupted(
                f"{self.name}: the source cannot be uploaded ({type(error).__name__})."
            ) from None

    def _stream(
        self,
        client: httpx2.Client,
        method: str,
        url: httpx2.URL,
        headers: dict[str, str],
        deadline: float,
        content: dict[str, Any],
        file_bytes: int = 0,
    ) -> AbstractContextManager[httpx2.Response]:
        remaining_s = max(0.001, deadline - time.monotonic())
        timeout = remaining_s if file_bytes else _timeout(deadline)
        return client.stream(method, url, headers=headers, timeout=timeout, **content)

    def _read_answer(
        self,
        stream: AbstractContextManager[httpx2.Response],
        deadline: float,
        file_bytes: int,
        redactor: Redactor,
    ) -> Answer:
        with stream as response:
            is_json = "json" in response.headers.get("content-type", "json")
            is_file = bool(file_bytes) and response.is_success and not is_json
            limit = file_bytes if is_file else MAX_JSON_BYTES
            data = bytearray()
            for part in response.iter_raw():
                data += part
                if len(data) > limit:
                    what = "in its answer" if is_file else "of JSON"
                    raise Lost(
                        f"{self.name}: {self.host} sends more than {limit // 2**20} MiB {what}."
                    )
                if time.monotonic() > deadline:
                    raise Lost(f"{self.name}: {self.host} takes too long to send its answer.")
            if is_file and not _is_page(data):
                return Answer(response.status_code, None, "", file=bytes(data))
            text = bytes(data).decode("utf-8", "replace")
            return Answer(
                status=response.status_code,
                data=redactor.tree(parse_json(text.encode())),
                text=redactor.text(text)[:MAX_TEXT],
                retry_after_s=retry_after(response.headers),
                headers=dict(response.headers),
            )

    def download(self, address: str, *, with_key: bool, deadline: float, max_bytes: int) -> bytes:
        """Download a file.

        Args:
            address: of the file, as the service brought it.
            with_key: send the key, if the address is the API's own.
            deadline: in seconds of `time.monotonic`.
            max_bytes: largest file.

        Raises:
            FileGone: it is no longer there.
            BackendError: the address, a redirect or the file is not acceptable.
        """
        try:
            url = httpx2.URL(address)
            for _ in range(MAX_REDIRECTS + 1):
                headers = self.key_headers() if with_key and self._is_own(url) else {}
                data = self._fetch(url, headers, deadline, max_bytes)
                if isinstance(data, bytes):
                    return data
                url = data
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Interrupted(
                f"{self.name}: the file cannot be downloaded ({type(error).__name__})."
            ) from None
        raise BackendError(f"{self.name}: the file's address redirects too often.")

    def _fetch(
        self, url: httpx2.URL, headers: dict[str, str], deadline: float, max_bytes: int
    ) -> bytes | httpx2.URL:
        """The file, or the address that it redirects to."""
        target, extensions = self._reachable(url)
        headers = headers | {"Host": url.netloc.decode()}
        with self.client.stream(
            "GET", target, headers=headers, timeout=_timeout(deadline), extensions=extensions
        ) as response:
            if response.has_redirect_location:
                return url.join(response.headers["location"])
            if response.status_code in GONE:
                raise FileGone(
                    f"{self.name}: the file is no longer at its address "
                    f"(HTTP {response.status_code})."
                )
            if not response.is_success:
                raise Interrupted(
                    f"{self.name}: the file cannot be downloaded (HTTP {response.status_code})."
                )
            data = bytearray()
            for part in response.iter_raw():
                data += part
                if len(data) > max_bytes:
                    raise BackendError(
                        f"{self.name}: the file has more than {max_bytes // 2**20} MiB; set "
                        "backend.max_download_mib higher."
                    )
                if time.monotonic() > deadline:
                    raise BackendError(f"{self.name}: the file takes too long to download.")
        if _is_page(data):
            raise BackendError(f"{self.name}: the file's address gives a web page, not a video.")
        return bytes(data)

    def _reachable(self, url: httpx2.URL) -> tuple[httpx2.URL, dict[str, Any]]:
        """The address to ask for a file, and the extensions of the request.

        Raises:
            BackendError: it leads into a private network, or is not an https address.
        """
        if self._is_own(url) or url.host == self.base_url.host == "127.0.0.1":
            return url, {}
        return resolve_public(url, self.name)

    def _redactor(self, headers: Mapping[str, str]) -> Redactor:
        """Removes the keys, and a token that was signed with them for these headers."""
        tokens = [value.rpartition(" ")[2] for value in headers.values()]
        return Redactor([*self.secrets, *tokens])

    def _is_own(self, url: httpx2.URL) -> bool:
        base = self.base_url
        return (url.scheme, url.netloc) == (base.scheme, base.netloc)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
        self.polls.close()


@dataclass(frozen=True)
class Form:
    """A file to be sent, alone or as a part of a form.

    Attributes:
        name, kind, data: of the file; `kind` is its media type.
        part: its name in the form; None: it is sent alone.
        texts: the other parts.
    """

    name: str
    kind: str
    data: bytes
    part: str | None = None
    texts: Mapping[str, str] | None = None

    def content(self) -> dict[str, Any]:
        """Arguments of a request."""
        if self.part is None:
            return {"content": self.data}
        return {
            "data": dict(self.texts or {}),
            "files": {self.part: (self.name, self.data, self.kind)},
        }


def _client(limits: httpx2.Limits) -> httpx2.Client:
    return httpx2.Client(
        timeout=REQUEST_TIMEOUT_S,
        follow_redirects=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "hippodrome"},
        limits=limits,
    )


def _is_page(data: bytes | bytearray) -> bool:
    """Whether a file is a web page, such as one that asks for a password."""
    return bytes(data[:64]).lstrip().lower().startswith((b"<!doctype", b"<html"))


def _timeout(deadline: float) -> float:
    return max(0.001, min(REQUEST_TIMEOUT_S, deadline - time.monotonic()))
