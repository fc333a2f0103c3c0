"""An arena with one model behind a fake service, and three prompts."""

from pathlib import Path

import pytest

from api_orders import make_entrant
from arena.catalog.entrants import add_entrant
from arena.catalog.prompts import import_prompts
from arena.catalog.schemas import PromptEntry
from arena.catalog.tracks import add_track
from arena.context import Arena, make_arena
from fake_services import TRANSCRIPTS, FakeService
from generator.backends.api import placing
from playable import settings_for
from small_arena import START, entrant_entry, track_entry

TRACK = "paid"


def make_paid_arena(
    folder: Path, service: FakeService, monkeypatch: pytest.MonkeyPatch, **options: object
) -> Arena:
    """Make the arena in a folder, with options of the model's backend."""
    monkeypatch.setenv("ARENA_HOME", str(folder))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(placing, "RETRY_S", 0.01)
    made = make_arena(settings_for(folder), None)
    name = next(name for name, script in TRANSCRIPTS.items() if script is service.transcript)
    spec = make_entrant(name, service, folder, monkeypatch, concurrency=1)
    backend = {"kind": "api"} | spec.backend.options | options
    with made.database.writing() as session:
        track = track_entry(TRACK, modality="text-to-video", audio=False)
        add_track(session, track, now=START)
        prompts = [PromptEntry(id=f"p{n}", text="a horse", tracks=(TRACK,)) for n in range(3)]
        import_prompts(session, prompts, now=START)
        entry = entrant_entry("Alder", tracks=(TRACK,), backend=backend)
        add_entrant(session, entry, now=START)
    return made
