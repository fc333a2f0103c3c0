"""The audit finds what is planted in served files, and nothing else."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from arena.audit.blindness import Finding, Kind, Report, assess
from arena.audit.blindness_collect import Collection, Served
from arena.audit.blindness_score import Sample, Score, score_entrants
from arena.commands.cli import app
from arena.database_copy import count_rows
from generator.clips import RawClip
from generator.media import encode, encode_rendition
from generator.spec import TrackSettings
from playable import TRACK, make_playable_arena

ENTRANTS = ("Alder", "Birch", "Cedar")
PROMPTS = 8
SETTINGS = TrackSettings(
    name="tiny-audio",
    modality="text-to-video",
    audio=True,
    width=32,
    height=32,
    fps=Fraction(24),
    frames=12,
    video_kbps=100,
    bytes=40_000,
)


def noise_clip(seed: int) -> RawClip:
    """Half a second of smooth noise and a tone, which say nothing about the entrant."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    tone = np.sin(np.arange(24_000) * rng.uniform(0.01, 0.2)) * 0.2
    return RawClip(
        frames=coarse.repeat(4, axis=1).repeat(4, axis=2),
        fps=Fraction(24),
        audio=np.stack([tone, tone]).astype(np.float32),
        sample_rate=48_000,
    )


@pytest.fixture(scope="module")
def files() -> dict[tuple[str, int], bytes]:
    return {
        (entrant, prompt): encode_rendition(noise_clip(number * PROMPTS + prompt), SETTINGS)
        for number, entrant in enumerate(ENTRANTS)
        for prompt in range(PROMPTS)
    }


def audit(files: dict[tuple[str, int], bytes]) -> Report:
    """Assess files as if every clip had been served once."""
    collection = Collection(battles=len(files))
    for (entrant, prompt), data in files.items():
        token = f"{entrant}-{prompt}"
        collection.files[token] = data
        collection.owners[token, "a"] = entrant, f"p-{prompt}"
        collection.served.append(
            Served(token, "a", (1.0,), (0.1,), sha256=token, same_as_other=False)
        )
    return assess(collection, track="tiny-audio", tolerance=0.05)


def test_files_of_the_encoder_are_exactly_at_chance(files: dict[tuple[str, int], bytes]) -> None:
    report = audit(files)
    served = [each.score for each in report.findings if each.kind is Kind.SERVED]
    assert {each.score for each in served} == {0.5}
    assert len({each.group for each in report.findings if each.kind is Kind.SERVED}) == 7
    assert report.problems == []


def test_frames_of_sound_of_another_size_are_found(
    files: dict[tuple[str, int], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        encode, "SOUND_FRAME_BYTES", encode.plan_file(SETTINGS).sound_frame_bytes - 9
    )
    planted = {
        (entrant, prompt): encode_rendition(noise_clip(2 * PROMPTS + prompt), SETTINGS)
        for entrant, prompt in files
        if entrant == "Cedar"
    }
    report = audit(files | planted)
    assert {each.group for each in report.alarms} >= {"sound frame sizes"}
    assert any("sound frame sizes" in each and "Cedar" in each for each in report.problems)


def test_a_file_of_another_length_is_found(files: dict[tuple[str, int], bytes]) -> None:
    planted = {key: data + bytes(key[0] == "Birch") for key, data in files.items()}
    assert ("file size", "Birch") in {
        (each.group, each.score.entrant) for each in audit(planted).alarms
    }


def test_scores_are_over_prompts_that_the_classifier_did_not_see() -> None:
    rng = np.random.default_rng(0)
    samples = [
        Sample(entrant, f"p-{prompt}", tuple(rng.normal(size=5)))
        for entrant in ENTRANTS
        for prompt in range(30)
    ]
    for score in score_entrants(samples, alpha=0.01):
        assert score.lower < 0.5 < score.upper
    shifted = [
        replace(each, features=(each.features[0] + 3 * (each.entrant == "Alder"), 0.0))
        for each in samples
    ]
    alder, *_ = score_entrants(shifted, alpha=0.01)
    assert alder.lower > 0.8
    assert (alder.samples, alder.prompts) == (30, 30)


def test_wide_intervals_say_which_leak_they_could_not_have_shown() -> None:
    def report(lower: float, upper: float, kind: Kind = Kind.SERVED) -> Report:
        finding = Finding("timings", kind, Score("Alder", 0.5, lower, upper, 12, 6), alarm=False)
        return Report("tiny", 12, 12, 6, ("Alder",), 0, 0.95, 0.05, (finding,))

    assert report(0.45, 0.55).caution is None
    assert report(0.004, 1.0, Kind.PICTURES).caution is None
    assert "12 battles of 6 prompts could not have shown any leak" in str(
        report(0.004, 1.0).caution
    )
    assert "up to 0.40 wide (timings)" in str(report(0.3, 0.7).caution)
    assert "a leak with a score below about 0.75" in str(report(0.3, 0.7).caution)


def test_the_command_serves_a_copy_and_stores_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = make_playable_arena(tmp_path)
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    before = count_rows(arena.database)
    output = tmp_path / "blindness.json"
    options = ["--track", TRACK, "--battles", "24", "--output", str(output)]
    result = CliRunner().invoke(app, ["audit", "blindness", *options, "--format", "csv"])
    assert result.exit_code == 0, result.output
    (report,) = json.loads(output.read_text())
    assert (report["battles"], report["same_file_battles"], report["passed"]) == (24, 0, True)
    sizes = [each for each in report["findings"] if each["group"] == "sound frame sizes"]
    assert [(each["score"], each["lower"], each["upper"]) for each in sizes] == [
        (0.5, 0.5, 0.5)
    ] * 3
    assert {each["kind"] for each in report["findings"]} == {"served", "content", "pictures"}
    assert count_rows(arena.database) == before
