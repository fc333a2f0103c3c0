"""Every shipped provider file, played against a transcript that was written by hand."""

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from api_orders import Remembering, make_entrant, order, sourced_request
from fake_services import (
    KEY,
    TRANSCRIPTS,
    FakeService,
    Reply,
    Request,
    Sourced,
    Transcript,
    serving_service,
)
from generator.backends.api import ApiBackend, placing, uploading
from generator.backends.api.provider import find_provider, shipped_entrants, shipped_providers
from generator.errors import BackendError, OrderError, RefusalError
from generator.media import encode_master
from generator.spec import Entrant, Modality, TrackSettings, read_entrant
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
    if script.answers_file:
        assert journal.events == ["placing", "received"]
    else:
        (fetched,) = service.file_requests
        assert (KEY in str(fetched.headers)) == script.file_with_key
        assert script.file_with_key or "authorization" not in fetched.headers
        assert journal.events[:2] == ["placing", "accepted"]  # stored before the first poll
    assert journal.events[-1] == "received"
    assert provenance.cost_usd is None or provenance.cost_usd > 0
    assert provenance.billed_usd == (
        None if script.billed_usd is None else pytest.approx(script.billed_usd, rel=1e-3)
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
    assert journal.events == ["placing", "refused"]


def test_what_is_refused_after_the_order_is_a_refusal(
    service: FakeService, script: Transcript, entrant: Entrant
) -> None:
    if script.answers_file:
        return  # nothing comes after the order
    service.final = script.refused_after
    journal = Remembering()
    with pytest.raises(RefusalError) as caught:
        order(entrant, journal)
    assert journal.events[-1] == "refused"
    billed = find_provider(str(entrant.backend.options["provider"])).provider.errors.refusal_billed
    assert isinstance(caught.value, OrderError) == billed
    assert len(service.orders) == 1


def test_what_fails_is_not_a_refusal_and_may_be_ordered_again(
    service: FakeService, script: Transcript, entrant: Entrant
) -> None:
    if script.answers_file:
        return  # nothing comes after the order
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


def test_an_expired_address_is_asked_for_anew(
    service: FakeService, script: Transcript, entrant: Entrant
) -> None:
    if script.answers_file:
        return
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
    if script.answers_file:
        return
    journal = Remembering()
    order(entrant, journal)
    service.poll_replies = [script.unknown_id]
    later = Remembering(journal.order_id)
    with pytest.raises(OrderError, match="may have been billed"):
        order(entrant, later)
    assert len(service.orders) == 1
    assert later.events[-1] == "unknown"


def test_a_later_run_continues_an_order_by_its_id(
    service: FakeService, script: Transcript, entrant: Entrant
) -> None:
    if script.answers_file:
        return
    journal = Remembering()
    order(entrant, journal)
    order(entrant, Remembering(journal.order_id))
    assert len(service.orders) == 1
    assert len(service.file_requests) == 2


SOURCED = sorted(
    {
        (name, order.modality, 0)
        for name in shipped_providers()
        for order in find_provider(name).provider.orders
        if order.modality != "text-to-video"
    }
    | {
        (name, "image-to-video", number)
        for name, script in TRANSCRIPTS.items()
        for number in range(1, len(script.other_images) + 1)
    }
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A first image and a source video."""
    folder = tmp_path_factory.mktemp("sources")
    paths = {"image-to-video": folder / "first.png", "video-edit": folder / "a source.mp4"}
    Image.new("RGB", (320, 180), "red").save(paths["image-to-video"])
    clip = bar_clip(1)
    longer = replace(clip, frames=np.tile(clip.frames, (5, 1, 1, 1)), audio=None)
    paths["video-edit"].write_bytes(encode_master(longer))
    return paths


@pytest.mark.parametrize(("name", "modality", "other"), SOURCED)
def test_an_order_with_a_source_is_placed_as_documented(
    name: str,
    modality: Modality,
    other: int,
    video_file: bytes,
    sources: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = TRANSCRIPTS[name]
    monkeypatch.setattr(uploading, "PAUSE_S", 0.01)
    sourced = script.image if modality == "image-to-video" else script.edit
    sourced = script.other_images[other - 1] if other else sourced
    assert sourced is not None, f"write what {name} wants for {modality} by hand"
    script = replace(
        script,
        model=sourced.model or script.model,
        create=sourced.create or script.create,
        poll=sourced.poll or script.poll,
    )
    with serving_service(FakeService(script, video_file)) as service:
        service.uploading = sourced.upload
        entrant = make_entrant(name, service, tmp_path, monkeypatch)
        request = sourced_request(entrant, modality, sources[modality])
        journal = request.orders
        assert isinstance(journal, Remembering)
        provenance = order(entrant, request=request)
    (sent,) = service.orders
    called = _called(sourced, service.uploads)
    found: list[bytes] = []
    body = _without_source(sent.body, called, found)
    assert body == _filled(sourced.body, {"name": journal.name, "source": "{source}"})
    for header, value in (script.headers | sourced.headers).items():
        assert sent.headers[header.lower()] == _filled(value, {"name": journal.name})
    if sourced.sent_as == "uploaded":
        found = [max((upload.data for upload in service.uploads), key=len)]
    steps = [step for step in sourced.upload for _ in range(1 + (step.later is not None))]
    for step, upload in zip(steps, service.uploads, strict=True):
        assert (KEY in str(upload.headers)) == (step.with_key and not step.away)
        for header, value in step.headers.items():
            assert upload.headers[header] == value.format(size=len(found[0]))
    if sourced.sent_as != "address":
        assert (b"PNG" if modality == "image-to-video" else b"ftyp") in found[0]
    assert journal.events[-1] == "received"
    stored = str(journal.request)
    assert KEY not in stored + provenance.model_dump_json()
    assert "base64" not in stored
    assert len(stored) < 2000


def _called(sourced: Sourced, uploads: list[Request]) -> Any:
    """What the order calls the source, if it is not in it."""
    if sourced.sent_as == "address":
        return "https://example.com/sources/a%20source.mp4"
    if not uploads or sourced.called is not None:
        return sourced.called
    key = re.search(rb'name="key"\r\n\r\n([^\r]+)', uploads[-1].data)
    assert key is not None
    assert key[1].startswith(b"dashscope-instant/1/2/")
    return f"oss://{key[1].decode()}"


def _without_source(tree: Any, called: Any, found: list[bytes]) -> Any:
    """A body with `{source}` for what is called so, or is a file; it is put into `found`."""
    if isinstance(tree, dict):
        return {key: _without_source(value, called, found) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_without_source(value, called, found) for value in tree]
    if called is not None and tree == called:
        return "{source}"
    if isinstance(tree, str) and len(tree) > 200:
        kind, comma, encoded = tree.rpartition(",")
        assert not comma or kind in ("data:image/png;base64", "data:video/mp4;base64")
        found.append(base64.b64decode(encoded, validate=True))
        return "{source}"
    return tree


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
