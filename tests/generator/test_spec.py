"""Entrant and track files, and their error messages of one sentence."""

import hashlib
import re
import unicodedata
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from small_clips import entrant_of

from arena import models, text
from generator import spec
from generator.clips import Provenance
from generator.errors import SpecError
from generator.spec import TrackSettings, assign_slugs, read_entrant, read_track, slug

GOOD = """
name = "Foal L"
creator = "Hippodrome"
release_date = 2026-11-23
licence = "Apache-2.0"
tracks = ["text-to-video"]
[backend]
kind = "diffusers"
model = "weights"
revision = "main"
[backend.call]
num_inference_steps = 8
"""
TRACK = """
name = "mine"
modality = "text-to-video"
audio = true
width = 64
height = 48
fps = "24000/1001"
frames = 24
video_kbps = 100
bytes = 40000
reveal = "after-vote"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "entrant.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_entrant_file_is_read_completely(tmp_path: Path) -> None:
    entrant = read_entrant(write(tmp_path, GOOD))
    assert (entrant.name, entrant.slug, entrant.codename) == ("Foal L", "foal-l", None)
    assert entrant.tracks == ("text-to-video",)
    assert entrant.backend.kind == "diffusers"
    assert entrant.backend.call == {"num_inference_steps": 8}
    assert entrant.backend.options == {"model": "weights", "revision": "main"}


@pytest.mark.parametrize("value", ["2026-11-26", "nan", "[" * 3000 + "]" * 3000, "9" * 5000])
def test_values_without_a_json_type_are_rejected(tmp_path: Path, value: str) -> None:
    with pytest.raises(SpecError, match=r"cannot be used|not valid TOML"):
        read_entrant(write(tmp_path, f"{GOOD}seen = {value}\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seen = " + "9" * 5000, "a number has too many digits"),
        ("seen = " + "[" * 3000 + "]" * 3000, "it is nested too deeply"),
        (".".join(["a"] * 5000) + " = 1", "it is nested too deeply"),
    ],
)
def test_huge_numbers_and_deep_nesting_are_one_plain_sentence(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        read_entrant(write(tmp_path, f"{GOOD}{text}\n"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["width", "fps", "frames", "video_kbps", "bytes"])
@pytest.mark.parametrize("value", ["9" * 4000, "nan", "inf", "-1", "1e400", '"1/0"'])
def test_impossible_settings_of_a_track_are_rejected(tmp_path: Path, key: str, value: str) -> None:
    lines = [
        f"{key} = {value}" if line.startswith(f"{key} ") else line for line in TRACK.splitlines()
    ]
    path = tmp_path / "track.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(SpecError, match=rf"track\.toml cannot be used: {key} "):
        read_track(path)


def test_a_relative_model_folder_is_resolved_against_the_spec(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    options = read_entrant(write(tmp_path, GOOD)).backend.options
    assert options["model"] == str(tmp_path / "weights")


def test_a_missing_relative_path_is_resolved_too(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace('"weights"', '"../weights"'))
    assert read_entrant(path).backend.options["model"] == str(tmp_path.parent / "weights")


def test_a_hub_id_is_unchanged(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace('"weights"', '"owner/model"'))
    assert read_entrant(path).backend.options["model"] == "owner/model"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('creator = "Hippodrome"', "", "creator"),
        (
            'licence = "Apache-2.0"',
            'license = "Apache-2.0"',
            "license is not a known key; correct it to licence.",
        ),
        (
            'tracks = ["text-to-video"]',
            'tracks = "text-to-video"',
            "it is 'text-to-video' and should be a list",
        ),
        ('licence = "Apache-2.0"', 'licence = "Apache-2.0"\nspeed = 3', "speed"),
        ('tracks = ["text-to-video"]', "tracks = []", "tracks"),
        ('tracks = ["text-to-video"]', 'tracks = ["a", "a"]', "tracks"),
        ("2026-11-23", '"soon"', "release_date"),
        ('name = "Foal L"', 'name = "!!"', "name"),
        ('name = "Foal L"', 'name = "Foal\\nL"', "name"),
        ('kind = "diffusers"', "", "backend.kind"),
        ("[backend.call]\nnum_inference_steps = 8", "call = 3", "backend.call"),
        ('name = "Foal L"', 'name = "Foal L', "TOML"),
    ],
)
def test_an_error_is_one_sentence_with_file_and_key(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(SpecError) as caught:
        read_entrant(path)
    message = str(caught.value)
    assert str(path) in message
    assert key in message
    assert "\n" not in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"entrant file .*none\.toml does not exist"):
        read_entrant(tmp_path / "none.toml")


def test_keys_that_only_the_arena_needs_are_ignored(tmp_path: Path) -> None:
    track = read_track(write(tmp_path, TRACK))
    assert track.fps == Fraction(24000, 1001)
    assert track.duration_s == pytest.approx(1.001)
    assert track.audio_samples == 48048


def test_a_track_with_an_odd_size_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="height"):
        read_track(write(tmp_path, TRACK.replace("48", "47")))


def test_a_shipped_track_has_the_size_of_foals_world() -> None:
    track = TrackSettings.named("image-to-video-audio")
    assert (track.modality, track.audio) == ("image-to-video", True)
    assert (track.width, track.height, track.fps, track.frames) == (256, 256, 24, 72)
    with pytest.raises(SpecError, match="text-to-video-audio"):
        TrackSettings.named("text-to-sound")


@pytest.mark.parametrize(
    ("name", "expected"), [("Foal L", "foal-l"), ("  A__b!C ", "a-b-c"), ("X.1", "x-1")]
)
def test_slug(name: str, expected: str) -> None:
    assert slug(name) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_impossible_measurements_are_dropped(value: float) -> None:
    provenance = Provenance(
        backend="folder", seed=1, seconds=value, cost_usd=value, created_at=datetime.now(UTC)
    )
    assert (provenance.seconds, provenance.cost_usd) == (None, None)


def test_limits_that_the_arena_repeats_are_the_same() -> None:
    assert spec.MAX_NAME_LENGTH == models.NAME_LENGTH
    assert spec.AUDIO_SUFFIX == text.AUDIO_SUFFIX


@pytest.mark.parametrize("name", ["可灵 2.0", "海螺 2.0", "Кандинский", "🐎", "Élan", "Foal ²"])
def test_a_slug_that_would_lose_letters_ends_in_digits_of_the_names_hash(name: str) -> None:
    digits = hashlib.sha256(unicodedata.normalize("NFC", name).encode()).hexdigest()[:6]
    assert slug(name) in (digits, f"{slug_start(name)}-{digits}")
    assert slug(name) == slug(unicodedata.normalize("NFD", name))
    assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", slug(name))


def slug_start(name: str) -> str:
    composed = unicodedata.normalize("NFC", name).lower()
    return re.sub("[^a-z0-9]+", "-", composed).strip("-")


def test_entrants_served_together_have_different_slugs() -> None:
    names = ["Foal Pro", "Foal Pro+", "Foal-Pro", "可灵"]
    entrants = [entrant_of("folder").model_copy(update={"name": name}) for name in names]
    slugs = assign_slugs(entrants)
    assert [entrant.name for entrant in slugs.values()] == names
    assert next(iter(slugs)) == "foal-pro"
    assert len(slugs) == 4
    with pytest.raises(SpecError, match=r"Two entrants are called .*可灵"):
        assign_slugs([entrants[3], entrants[3]])
    chosen = entrants[1].model_copy(update={"chosen_slug": "foal-pro"})
    with pytest.raises(SpecError, match=r"Foal Pro\+ has the same slug as Foal Pro"):
        assign_slugs([entrants[0], chosen])


def test_names_are_composed_and_visible(tmp_path: Path) -> None:
    assert read_entrant(write(tmp_path, GOOD.replace("Foal L", "E\u0301lan"))).name == "Élan"
    assert read_entrant(write(tmp_path, GOOD.replace("Foal L", "👩\u200d🚀"))).name == "👩\u200d🚀"
    for name in ("Foal\u200dL", "Foal\u202eL", "Foal\\u0000L", "Foal\\u001bL"):
        with pytest.raises(SpecError, match="visible characters"):
            read_entrant(write(tmp_path, GOOD.replace("Foal L", name)))
