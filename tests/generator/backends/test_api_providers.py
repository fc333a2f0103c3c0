"""Every shipped provider file, played against a transcript that was written by hand."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from api_orders import Remembering, make_entrant, order
from fake_services import (
    KEY,
    TRANSCRIPTS,
    FakeService,
    Reply,
    Transcript,
    serving_service,
)
from generator.backends.api import ApiBackend, placing
from generator.backends.api.provider import find_provider, shipped_entrants, shipped_providers
from generator.errors import BackendError, OrderError, RefusalError
from generator.media import encode_master
from generator.spec import Entrant, TrackSettings, read_entrant
from playable import bar_clip

MAX_LINES = 80


@pytest.fixture(scope="module")
def video_file() -> bytes:
    return encode_master(bar_clip(1))


@pytest.fixture(params=shipped_providers())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def script(name: str) -> Transcript:
    assert name in TRANSCRIPTS, f"write a transcript of {name} by hand, from its documents"
    return TRANSCRIPTS[name]


@pytest.fixture
def service(script: Transcript, video_file: bytes) -> Iterator[FakeService]:
    with serving_service(FakeService(script, video_file)) as running:
        yield running


@pytest.fixture
def entrant(
    name: str, service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Entrant:
    monkeypatch.setattr(placing, "RETRY_S", 0.01)
    return make_entrant(name, service, tmp_path, monkeypatch)


def test_an_order_is_placed_as_documented_awaited_and_fetched(
    service: FakeService, script: Transcript, entrant: Entrant
) -> None:
    journal = Remembering()
    provenance = order(entrant, journal)
    (sent,) = service.orders
    expected = {"name": journal.name}
    assert sent.path == script.create
    assert sent.body == _filled(script.body, expected)
    for header, value in script.headers.items():
        assert sent.headers[header.lower()] == _filled(value, expected)
    for request in service.requests:
        if script.key is None:
            assert request.headers["authorization"].startswith("Bearer eyJ")
        else:
            assert request.headers[script.key[0].lower()] == script.key[1]
    (fetched,) = service.file_requests
    assert (KEY in str(fetched.headers)) == script.file_with_key
    assert "authorization" not in fetched.headers
    assert journal.events[:2] == ["placing", "accepted"]  # stored before the first poll
    assert journal.events[-1] == "received"
    assert provenance.cost_usd is None or provenance.cost_usd > 0
    assert provenance.billed_usd == (
        None if script.billed_usd is None else pytest.approx(script.billed_usd)
    )
    assert KEY not in provenance.model_dump_json() + str(journal.request)


def _filled(tree: Any, values: dict[str, str]) -> Any:
    if isinstance(tree, dict):
        return {key: _filled(value, values) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_filled(value, values) for value in tree]
    return tree.format(**values) if isinstance(tree, str) else tree


def test_what_is_refused_before_the_order_is_a_refusal(
    service: FakeService, script: Transcript, entrant: Entrant
) -> None:
    if script.refused_before is None:
        assert script.refused_after is not None  # the documents know only the other
        return
    service.create_replies = [script.refused_before]
    journal = Remembering()
    with pytest.raises(RefusalError):
        order(entrant, journal)
    assert len(service.orders) == 1
    assert journal.events == ["placing", "rejected"]


def test_what_is_refused_after_the_order_is_a_refusal(
    service: FakeService, script: Transcript, entrant: Entrant
) -> None:
    service.final = script.refused_after
    with pytest.raises(RefusalError) as caught:
        order(entrant)
    billed = find_provider(str(entrant.backend.options["provider"])).provider.errors.refusal_billed
    assert isinstance(caught.value, OrderError) == billed
    assert len(service.orders) == 1


def test_what_fails_is_not_a_refusal_and_may_be_ordered_again(
    service: FakeService, script: Transcript, entrant: Entrant
) -> None:
    service.final = script.failed_after
    journal = Remembering()
    with pytest.raises(BackendError) as caught:
        order(entrant, journal)
    assert not isinstance(caught.value, RefusalError | OrderError)
    assert journal.events[-1] == "failed"


def test_what_is_asked_for_later_is_ordered_later(
    service: FakeService, script: Transcript, entrant: Entrant
) -> None:
    service.create_replies = [script.later, script.later]
    order(entrant)
    assert len(service.orders) == 3
    assert len(service.clips) == 1


def test_an_expired_address_is_asked_for_anew(service: FakeService, entrant: Entrant) -> None:
    service.file_replies = [Reply({"error": "expired"}, 403)]
    order(entrant)
    assert len(service.orders) == 1
    assert len(service.file_requests) == 2


def test_a_lost_answer_is_not_a_second_clip(
    service: FakeService, script: Transcript, entrant: Entrant
) -> None:
    service.create_replies = [Reply(drop=True)]
    journal = Remembering()
    if script.names:
        order(entrant, journal)
        assert journal.events[-1] == "received"
    else:
        with pytest.raises(OrderError, match="may have been billed"):
            order(entrant, journal)
        assert len(service.orders) == 1
        assert journal.events == ["placing", "unknown"]
    assert len(service.clips) == 1


def test_an_order_that_was_lost_on_the_way_is_sent_again_only_under_a_name(
    service: FakeService, script: Transcript, entrant: Entrant
) -> None:
    service.create_replies, service.accept_dropped = [Reply(drop=True)], False
    if script.names:
        order(entrant)
        assert len(service.clips) == 1
    else:
        with pytest.raises(OrderError):
            order(entrant)
        assert service.clips == []


def test_an_id_that_the_service_no_longer_knows_is_reported(
    service: FakeService, script: Transcript, entrant: Entrant
) -> None:
    journal = Remembering()
    order(entrant, journal)
    service.poll_replies = [script.unknown_id]
    later = Remembering(journal.order_id)
    with pytest.raises(OrderError, match="may have been billed"):
        order(entrant, later)
    assert len(service.orders) == 1
    assert later.events[-1] == "unknown"


def test_a_later_run_continues_an_order_by_its_id(service: FakeService, entrant: Entrant) -> None:
    journal = Remembering()
    order(entrant, journal)
    order(entrant, Remembering(journal.order_id))
    assert len(service.orders) == 1
    assert len(service.file_requests) == 2


def test_a_provider_file_is_short_and_says_what_an_operator_must_know(name: str) -> None:
    file = find_provider(name)
    provider = file.provider
    path = Path(placing.__file__).parent / "providers" / f"{name}.toml"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
    assert provider.base_url.startswith("https://")
    assert provider.read <= date.today()  # noqa: DTZ011
    assert provider.mark
    known = [read_entrant(each).backend.options["provider"] for each in shipped_entrants()]
    assert name in known, "add an entrant file of this provider"


@pytest.mark.parametrize("path", shipped_entrants(), ids=lambda path: path.stem)
def test_a_shipped_entrant_serves_its_tracks_at_720p(path: Path) -> None:
    entrant = read_entrant(path)
    for track in entrant.tracks:
        settings = TrackSettings.named(track).model_copy(
            update={"width": 1280, "height": 720, "frames": 120}
        )
        ApiBackend(entrant).check(settings)
