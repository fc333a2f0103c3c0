"""Uploads a source before the order that names it; nothing is billed yet, so failures repeat."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from generator.backends.api.answers import Answer, at, reason_of, text_at, word_at
from generator.backends.api.http import Form, Http, Interrupted, Lost, NotSent
from generator.backends.api.schema import Provider
from generator.backends.api.schema_parts import Ready, Upload
from generator.backends.api.sources import SUFFIXES, Source
from generator.backends.api.tree import fill
from generator.errors import BackendError
from generator.jsonable import one_line
from generator.waiting import pause

ATTEMPTS = 4
PAUSE_S = 1.0  # before the second attempt, doubled each time; between two looks at a file
BUSY = 429


def upload(
    http: Http, provider: Provider, source: Source, *, model: str, deadline: float
) -> str | int:
    """Send a file to the service; return what the order calls it.

    Args:
        http: to the service.
        provider: how it takes files.
        source: the file.
        model: id of the model that gets it.
        deadline: in seconds of `time.monotonic`.

    Raises:
        BackendError: the service does not take it.
    """
    steps = provider.upload
    if steps is None:
        raise BackendError(f"{http.name}: the provider file has no upload.")
    name = f"{uuid4().hex}{SUFFIXES[source.kind]}"
    asked = Answer(200, None, "")
    if steps.ask is not None:
        path = steps.ask.replace("{model}", quote(model, safe=""))
        size = str(len(source.data))
        values = {"file_name": name, "file_type": source.kind, "file_size": size}
        body = None if steps.ask_body is None else fill(steps.ask_body, values)
        ask_headers = fill(steps.ask_headers, values)
        asked = _repeated(
            http,
            provider,
            lambda: http.request(
                steps.ask_method, path, body=body, headers=ask_headers, deadline=deadline
            ),
            deadline,
        )
    folder = at(asked.data, steps.folder_at)
    key = f"{folder}/{name}"
    form = Form(name, source.kind, source.data, steps.part, _texts(steps, asked.data, key))
    headers = _headers(steps, asked.data, source.kind)

    def send() -> Answer:
        if steps.to is not None:
            return http.request(
                steps.method, steps.to, headers=headers, form=form, deadline=deadline
            )
        brought = at(asked.data, steps.to_at)
        if steps.to_header is not None:
            brought = asked.headers.get(steps.to_header.lower())
        return http.send_file(steps.method, str(brought or ""), headers, form, deadline)

    sent = _repeated(http, provider, send, deadline)
    if steps.ready is not None:
        _wait_until_ready(http, provider, steps.ready, sent.data, deadline)
    value = f"{steps.value_prefix}{key}" if steps.value_at is None else None
    for data in (sent.data, asked.data):
        value = value if value is not None else at(data, steps.value_at)
    if not isinstance(value, str | int) or (steps.folder_at and not folder):
        raise BackendError(
            f"{http.name}: {http.host} took the source and does not say how an order names it."
        )
    return value


def _wait_until_ready(
    http: Http, provider: Provider, ready: Ready, sent: Any, deadline: float
) -> None:
    """Wait until an uploaded file can be used.

    Raises:
        BackendError: it cannot.
    """
    file_id = text_at(sent, [ready.id_at])
    if file_id is None:
        raise BackendError(f"{http.name}: {http.host} took the source and gives no id of it.")
    path = ready.path.replace("{id}", quote(file_id, safe="/:"))
    while True:
        answer = _repeated(
            http, provider, lambda: http.request("GET", path, deadline=deadline), deadline
        )
        word = word_at(answer.data, ready.status_at)
        if word in ready.done:
            return
        if word not in ready.waiting:
            reason = reason_of(answer, provider.errors)
            raise BackendError(
                f"{http.name}: {http.host} cannot use the source ({word}): {reason}."
            )
        if time.monotonic() + PAUSE_S > deadline:
            raise BackendError(
                f"{http.name}: {http.host} works on the source for longer than the time limit; "
                "set backend.timeout_s higher."
            )
        pause(PAUSE_S)


def _texts(steps: Upload, asked: Any, key: str) -> dict[str, str]:
    """The parts of the form beside the file."""
    every = at(asked, steps.form_all_at)
    texts = (
        {str(name): str(text) for name, text in every.items()} if isinstance(every, dict) else {}
    )
    texts |= steps.form
    for part, place in steps.form_at.items():
        texts[part] = str(at(asked, place) or "")
    return texts | ({steps.folder_part: key} if steps.folder_part else {})


def _headers(steps: Upload, asked: Any, kind: str) -> dict[str, str]:
    """Headers of the request with the file; one that is not text is left out."""
    brought = at(asked, steps.headers_at)
    headers = dict(steps.headers)
    if steps.part is None:
        headers["Content-Type"] = kind
    if isinstance(brought, dict):
        texts = {str(name): one_line(str(text)) for name, text in brought.items()}
        headers |= {name: text for name, text in texts.items() if (name + text).isascii()}
    return headers


def _repeated(
    http: Http, provider: Provider, send: Callable[[], Answer], deadline: float
) -> Answer:
    """The first successful answer."""
    create = provider.create
    problem = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            wait_s = PAUSE_S * 2 ** (attempt - 1)
            if time.monotonic() + wait_s > deadline:
                break
            pause(wait_s)
        try:
            answer = send()
        except (NotSent, Lost, Interrupted) as error:
            problem = str(error)
            continue
        said = at(answer.data, create.ok_at)
        if answer.ok and (said is None or str(said) == create.ok):
            return answer
        problem = (
            f"{http.name}: {http.host} did not take the source: "
            f"{reason_of(answer, provider.errors)}."
        )
        if answer.status != BUSY and answer.status < 500:
            break
    raise BackendError(problem)
