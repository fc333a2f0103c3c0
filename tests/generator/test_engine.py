"""Runs of many clips: grouped, repeatable, and not stopped by one that fails."""

import hashlib
import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_clips import ball_clip, entrant_of, small_track

from generator.engine import Progress, generate
from generator.media import encode_rendition
from generator.spec import (
    BackendSpec,
    ClipRequest,
    Entrant,
    FailedClip,
    GeneratedClip,
    read_entrant,
)

TRACK = small_track(audio=True)
PROMPTS = ("a red ball bounces on grass", "a blue cube rolls on ice at night", "green", "yellow")
# Importable where a worker's process is started: ends that process on one prompt.
DEADLY = """
import os
from generator.foal.pipeline import FoalPipeline

class DeadlyPipeline(FoalPipeline):
    def __call__(self, prompt, height=64, width=64, num_frames=24, frame_rate=24, generator=None,
                 num_inference_steps=1, output_type="np"):
        if prompt == "die":
            os._exit(9)
        if prompt == "raise":
            raise ZeroDivisionError("first line\\nsecond line")
        return super().__call__(prompt, height=height, width=width, num_frames=num_frames,
                                frame_rate=frame_rate, generator=generator,
                                num_inference_steps=num_inference_steps)
"""


def requests_for(entrant: Entrant, prompts: tuple[str, ...] = PROMPTS) -> list[ClipRequest]:
    return [
        ClipRequest(entrant, TRACK, f"p{number}", prompt, seed=number)
        for number, prompt in enumerate(prompts)
    ]


def outcome(clips: Iterator[GeneratedClip | FailedClip]) -> dict[tuple[str, str], str]:
    return {
        (clip.request.entrant.name, clip.request.prompt_id): (
            clip.reason
            if isinstance(clip, FailedClip)
            else hashlib.sha256(clip.rendition).hexdigest()
        )
        for clip in clips
    }


def renamed(entrant: Entrant, name: str, **options: object) -> Entrant:
    backend = entrant.backend.model_dump() | options
    return entrant.model_copy(update={"name": name, "backend": BackendSpec.model_validate(backend)})


@pytest.fixture
def deadly(tiny_foal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Entrant:
    (tmp_path / "deadly_pipeline.py").write_text(DEADLY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return renamed(read_entrant(tiny_foal), "Deadly", pipeline="deadly_pipeline:DeadlyPipeline")


def test_clips_are_the_same_however_many_workers_make_them(tiny_foal: Path) -> None:
    requests = requests_for(read_entrant(tiny_foal))
    alone = outcome(generate(requests, workers=1))
    together = outcome(generate(requests, workers=2))
    assert alone == together
    assert len(set(alone.values())) == len(PROMPTS)
    assert multiprocessing.active_children() == []


def test_requests_are_grouped_by_entrant_and_progress_is_told(tiny_foal: Path) -> None:
    first = read_entrant(tiny_foal)
    second = renamed(first, "Second")
    mixed = [
        request
        for pair in zip(requests_for(first), requests_for(second), strict=True)
        for request in pair
    ]
    told: list[Progress] = []
    clips = list(generate(mixed, workers=1, on_progress=told.append))
    names = [clip.request.entrant.name for clip in clips]
    assert names == ["Tiny Foal"] * 4 + ["Second"] * 4
    assert [progress.done for progress in told] == list(range(1, 9))
    assert {(progress.total, progress.failed) for progress in told} == {(8, 0)}


def test_an_entrant_that_cannot_run_does_not_stop_the_others(tiny_foal: Path) -> None:
    good = read_entrant(tiny_foal)
    bad = renamed(good, "Bad", model="/nowhere/at/all")
    told: list[Progress] = []
    run = generate(
        requests_for(bad, PROMPTS[:2]) + requests_for(good, PROMPTS[:1]),
        workers=1,
        on_progress=told.append,
    )
    results = outcome(run)
    assert "does not exist" in results["Bad", "p0"]
    assert results["Bad", "p0"] == results["Bad", "p1"]
    assert len(results["Tiny Foal", "p0"]) == 64
    assert told[-1].failed == 2


def test_what_a_model_raises_becomes_one_sentence(deadly: Entrant) -> None:
    results = outcome(generate(requests_for(deadly, ("raise", "a ball")), workers=1))
    assert results["Deadly", "p0"] == (
        "Deadly failed on prompt p0 (ZeroDivisionError: first line)."
    )
    assert len(results["Deadly", "p1"]) == 64


def test_a_process_that_dies_costs_one_clip(deadly: Entrant) -> None:
    results = outcome(generate(requests_for(deadly, ("die", "a ball", "a cube")), workers=2))
    assert "ended its process on prompt p0 (exit code 9)" in results["Deadly", "p0"]
    assert [len(results["Deadly", key]) for key in ("p1", "p2")] == [64, 64]


def test_closing_a_run_ends_its_processes(tmp_path: Path) -> None:
    film = encode_rendition(ball_clip(), TRACK)
    for number in range(len(PROMPTS)):
        (tmp_path / f"p{number}.mp4").write_bytes(film)
    run = generate(requests_for(entrant_of("folder", path=str(tmp_path))), workers=2)
    assert isinstance(next(run), GeneratedClip)
    assert len(multiprocessing.active_children()) == 2
    run.close()
    assert multiprocessing.active_children() == []


def test_nothing_to_do_is_done_at_once() -> None:
    assert list(generate([])) == []


def test_the_clips_of_this_world_are_measured(tiny_foal: Path) -> None:
    (clip,) = generate(requests_for(read_entrant(tiny_foal), PROMPTS[:1]), workers=1)
    assert isinstance(clip, GeneratedClip)
    assert clip.measures is not None
    assert "quality" in clip.measures
