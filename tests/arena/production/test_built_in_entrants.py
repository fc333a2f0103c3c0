"""The built-in entrants exist, support the demo's tracks, and are small enough to ship."""

from pathlib import Path

import pytest

import generator.foal
from arena.catalog.schemas import read_track
from arena.production import built_in_entrants, read_entrant_file
from arena.shipped import Collection, track_files
from generator.spec import TrackSettings, read_entrant

MAX_TOTAL_BYTES = 60_000_000
MAX_FILE_BYTES = 16_000_000
TRACKS = {path.stem for path in track_files(Collection.DEMO)}


@pytest.mark.parametrize("path", built_in_entrants(), ids=lambda path: path.stem)
def test_each_has_weights_and_competes_in_every_track(path: Path) -> None:
    entry = read_entrant_file(path)
    assert set(entry.tracks) == TRACKS
    assert (Path(entry.backend["model"]) / "model_index.json").is_file()
    assert read_entrant(path).slug == path.stem


def test_there_are_six_and_their_weights_are_small() -> None:
    assert len(built_in_entrants()) >= 6
    weights = Path(generator.foal.__file__).parent / "weights"
    sizes = [file.stat().st_size for file in weights.rglob("*.safetensors")]
    assert sum(sizes) < MAX_TOTAL_BYTES
    assert max(sizes) < MAX_FILE_BYTES


@pytest.mark.parametrize("collection", Collection)
def test_the_generator_reads_the_arenas_tracks(collection: Collection) -> None:
    for path in track_files(collection):
        settings = TrackSettings.model_validate(read_track(path).model_dump())
        assert settings.frames / settings.fps in {3, 5, 10}
