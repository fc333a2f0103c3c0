"""Rewriting of prompts is a term of the track, and waiting at a service is measured."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api_orders import Remembering, a_request, make_entrant
from fake_services import TRANSCRIPTS, FakeService, Request, serving_service
from generator.backends.api import ApiBackend
from generator.backends.api.answers import at
from generator.backends.api.provider import find_provider, parse_provider, shipped_providers
from generator.clips import Provenance
from generator.errors import SpecError
from generator.media import encode_master
from generator.spec import Entrant
from playable import bar_clip

# The switch in the body, by the documents of each service that has one, and its value for "off".
SWITCHES = {
    ("dashscope-wan", "wan3.0"): ("parameters.prompt_extend", False),
    ("dashscope-wan-2.7", "wan2.7"): ("parameters.prompt_extend", False),
    ("minimax", "minimax-h3-max"): ("extra.prompt_expansion_mode", "disabled"),
    ("minimax-hailuo", "hailuo-2.3"): ("prompt_optimizer", False),
}
NOT_KNOWN = "whether the service rewrites prompts is not documented"
QUEUE_S = 0.15


@pytest.fixture(scope="module")
def video_file() -> bytes:
    return encode_master(bar_clip(1))


@pytest.fixture
def service(request: pytest.FixtureRequest, video_file: bytes) -> Iterator[FakeService]:
    with serving_service(FakeService(TRANSCRIPTS[request.param], video_file)) as running:
        yield running


def order(
    entrant: Entrant, *, rewriting: str = "off", journal: Remembering | None = None
) -> Provenance:
    request = a_request(entrant, journal or Remembering())
    track = request.track.model_copy(update={"prompt_rewriting": rewriting})
    with ApiBackend(entrant) as backend:
        backend.check(track)
        return backend.generate(replace(request, track=track))[1]


@pytest.mark.parametrize(
    ("service", "model"), SWITCHES, indirect=["service"], ids=[model for _, model in SWITCHES]
)
def test_a_service_with_a_switch_is_asked_not_to_rewrite_only_where_the_track_forbids_it(
    service: FakeService, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = next(name for name, script in TRANSCRIPTS.items() if script is service.transcript)
    place, value = SWITCHES[name, model]
    entrant = make_entrant(name, service, tmp_path, monkeypatch, model=model)
    forbidden = order(entrant)
    service.waited.clear()
    allowed = order(entrant, rewriting="maker-default")
    first, second = service.orders
    assert at(first.body, place) == value
    assert at(second.body, place) is None  # as the maker has it
    assert (forbidden.call["rewriting"], "rewriting" in allowed.call) == (value, False)
    assert NOT_KNOWN not in forbidden.adapted


@pytest.mark.parametrize("service", ["runway"], indirect=True)
def test_where_nobody_says_whether_prompts_are_rewritten_the_clip_says_so(
    service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entrant = make_entrant("runway", service, tmp_path, monkeypatch)
    assert NOT_KNOWN in order(entrant).adapted
    service.waited.clear()
    assert NOT_KNOWN not in order(entrant, rewriting="maker-default").adapted


@pytest.mark.parametrize("service", ["dashscope"], indirect=True)
def test_a_service_that_rewrites_in_any_case_is_refused_where_the_track_forbids_it(
    service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entrant = make_entrant("dashscope", service, tmp_path, monkeypatch)
    path = tmp_path / "dashscope.toml"
    text = path.read_text(encoding="utf-8").replace('rewriting = "none"', 'rewriting = "always"')
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=r"happyhorse-1\.0 rewrites prompts .* remove that track"):
        order(entrant)
    assert service.requests == []
    order(entrant, rewriting="maker-default")


@pytest.mark.parametrize("name", shipped_providers())
def test_every_shipped_provider_file_says_whether_prompts_are_rewritten(name: str) -> None:
    path = Path(find_provider.__code__.co_filename).parent / "providers" / f"{name}.toml"
    assert "\nrewriting = " in path.read_text(encoding="utf-8")
    assert "multi_shot = true" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({'rewriting = "none"': 'rewriting = "switch"'}, "go together"),
        ({"watermark = false }": 'watermark = false, extend = "{rewriting}" }'}, "go together"),
        ({'rewriting = "none"': 'rewriting = "maybe"'}, "rewriting"),
        ({'queued = ["PENDING"]': 'queued = ["PENDING", "STARTING"]'}, "not in waiting"),
    ],
)
def test_a_provider_file_that_contradicts_itself_is_refused(
    changes: dict[str, str], problem: str
) -> None:
    path = Path(find_provider.__code__.co_filename).parent / "providers" / "dashscope.toml"
    text = path.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(SpecError, match=problem):
        parse_provider(text.encode(), source="mine.toml")


class Queueing(FakeService):
    """Waits in the queue, then works on the order: one poll of each word takes a while."""

    words = ("PENDING", "RUNNING")

    def answer(self, request: Request, *, at_file: bool) -> Any:
        if "/tasks/" in request.path and len(self.requests) <= len(self.words):
            time.sleep(QUEUE_S)
        return super().answer(request, at_file=at_file)


def test_seconds_are_measured_from_the_order_to_the_file_and_in_the_queue_apart(
    video_file: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = TRANSCRIPTS["dashscope"]
    states = [
        script.waiting | {"output": {"task_id": "t-1", "task_status": word}}
        for word in Queueing.words
    ]
    with serving_service(Queueing(script, video_file)) as service:
        entrant = make_entrant("dashscope", service, tmp_path, monkeypatch)
        replies = [type(script.unknown_id)(state) for state in states]
        service.poll_replies = list(replies)
        found = order(entrant)
        assert found.order_seconds is not None
        assert found.queue_seconds is not None
        # The last answer that said PENDING came after one pause, the file after two.
        assert QUEUE_S <= found.queue_seconds <= found.order_seconds - QUEUE_S
        continued = order(entrant, journal=Remembering(order_id="t-1"))
    assert (continued.order_seconds, continued.queue_seconds) == (None, None)


@pytest.mark.parametrize("service", ["gemini-veo"], indirect=True)
def test_the_queue_is_not_known_where_the_service_does_not_tell_it_from_work(
    service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entrant = make_entrant("gemini-veo", service, tmp_path, monkeypatch)
    found = order(entrant)
    assert found.queue_seconds is None
    assert found.order_seconds is not None
