"""Orders of the api backend at a fake service, without an arena."""

from pathlib import Path
from typing import Any

import pytest

from fake_services import KEY, FakeService, provider_at
from generator.backends.api import ApiBackend
from generator.backends.api.provider import find_provider
from generator.clips import ClipRequest, Provenance
from generator.orders import NoJournal
from generator.spec import Entrant, Modality, TrackSettings

PROMPT = "a red ball"


class Remembering(NoJournal):
    """A journal that notes what is stored, and that a later run could continue."""

    continues = True

    def __init__(self, order_id: str | None = None) -> None:
        super().__init__()
        self.events: list[str] = []
        self.order_id = order_id

    def begin(self, service: str, request: dict[str, Any], *, named: bool = False) -> str | None:
        self.request = request
        return self.order_id

    def placing(self) -> None:
        self.events.append("placing")

    def accepted(self, order_id: str) -> None:
        self.order_id = order_id
        self.events.append("accepted")

    def waiting(self) -> None:
        self.events.append("waiting")

    def ended(self, end: Any, reason: str | None = None) -> None:
        self.events.append(str(end))


def make_entrant(
    name: str, service: FakeService, folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any
) -> Entrant:
    path = provider_at(name, service.api, folder)
    for variable in find_provider(str(path)).provider.variables:
        monkeypatch.setenv(variable, KEY)
    backend = {
        "kind": "api",
        "provider": str(path),
        "model": service.transcript.model,
        "trusted_host": service.api.removeprefix("http://"),
        "poll_s": 0.01,
        "requests_per_minute": 60_000,
        "sources_url": "https://example.com/sources/",
    }
    return Entrant(
        name="Alder",
        creator="Grove",
        licence="proprietary",
        tracks=("text-to-video",),
        backend=backend | more,
    )


TRACK = TrackSettings(
    name="text-to-video",
    modality="text-to-video",
    audio=False,
    width=1280,
    height=720,
    fps=24,
    frames=120,
    video_kbps=4000,
    bytes=3_000_000,
)


def a_request(entrant: Entrant, journal: NoJournal, *, prompt: str = PROMPT) -> ClipRequest:
    return ClipRequest(
        entrant=entrant, track=TRACK, prompt_id="p1", prompt=prompt, seed=7, orders=journal
    )


def sourced_request(entrant: Entrant, modality: Modality, source: Path) -> ClipRequest:
    """A request of a small clip, so that its source is quickly made."""
    small = {"width": 256, "height": 144, "video_kbps": 400, "bytes": 400_000}
    track = TRACK.model_copy(update={"modality": modality, "name": modality} | small)
    return ClipRequest(
        entrant=entrant,
        track=track,
        prompt_id="p1",
        prompt=PROMPT,
        seed=7,
        source=source,
        orders=Remembering(),
    )


def order(
    entrant: Entrant, journal: NoJournal | None = None, *, request: ClipRequest | None = None
) -> Provenance:
    request = request or a_request(entrant, journal or Remembering())
    with ApiBackend(entrant) as backend:
        backend.check(request.track)
        return backend.generate(request)[1]
