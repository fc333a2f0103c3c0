"""Runs of many clips: grouped, repeatable, and not stopped by one that fails."""

import multiprocessing
import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from small_clips import ball_clip, entrant_of

from engine_runs import PROMPTS, TRACK, outcome, requests_for
from generator.clips import FailedClip, GeneratedClip, Provenance
from generator.engine import generate
from generator.engine.process import WorkerProcess
from generator.engine.worker_main import remote_post_processing
from generator.media import encode_rendition
from generator.spec import BackendSpec, Entrant, read_entrant

# Importable where a worker's process is started: ends that process on one prompt.
DEADLY = """
import os
from generator.foal.pipeline import FoalPipeline

class DeadlyPipeline(FoalPipeline):
    def __call__(self, prompt, height=64, width=64, num_frames=24, frame_rate=24, generator=None,
                 num_inference_steps=1, output_type="np"):
        if prompt == "die":
            os._exit(9)
        word, _, path = prompt.partition(" once ")
        if path and not os.path.exists(path):
            open(path, "w").close()
            if word == "lose":
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            os._exit(9)
        if prompt == "tell":
            prompt = f"process {os.getpid()}"
        if prompt == "raise":
            raise ZeroDivisionError("first line\\nsecond line")
        return super().__call__(prompt, height=height, width=width, num_frames=num_frames,
                                frame_rate=frame_rate, generator=generator,
                                num_inference_steps=num_inference_steps)
"""


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


def test_requests_are_grouped_by_entrant(tiny_foal: Path) -> None:
    first = read_entrant(tiny_foal)
    second = renamed(first, "Second")
    mixed = [
        request
        for pair in zip(requests_for(first), requests_for(second), strict=True)
        for request in pair
    ]
    clips = list(generate(mixed, workers=0))
    names = [clip.request.entrant.name for clip in clips]
    assert names == ["Tiny Foal"] * 4 + ["Second"] * 4


def test_an_entrant_that_cannot_run_does_not_stop_the_others(tiny_foal: Path) -> None:
    good = read_entrant(tiny_foal)
    bad = renamed(good, "Bad", model="/nowhere/at/all")
    run = generate(requests_for(bad, PROMPTS[:2]) + requests_for(good, PROMPTS[:1]), workers=0)
    results = outcome(run)
    assert "does not exist" in results["Bad", "p0"]
    assert results["Bad", "p0"] == results["Bad", "p1"]
    assert len(results["Tiny Foal", "p0"]) == 64


def test_what_a_model_raises_becomes_one_sentence(deadly: Entrant) -> None:
    results = outcome(generate(requests_for(deadly, ("raise", "a ball")), workers=0))
    assert results["Deadly", "p0"] == (
        "Deadly failed on prompt p0 (ZeroDivisionError: first line)."
    )
    assert len(results["Deadly", "p1"]) == 64


def test_a_process_that_dies_costs_the_clip_that_it_dies_of(deadly: Entrant) -> None:
    results = outcome(generate(requests_for(deadly, ("die", "a ball", "a cube")), workers=2))
    assert "ended its process on prompt p0 (exit code 9)" in results["Deadly", "p0"]
    assert [len(results["Deadly", key]) for key in ("p1", "p2")] == [64, 64]


def test_what_dies_once_is_made_by_another_process(deadly: Entrant, tmp_path: Path) -> None:
    once = f"die once {tmp_path / 'died'}"
    results = outcome(generate(requests_for(deadly, ("a ball", once, "a cube")), workers=1))
    assert (tmp_path / "died").exists()
    assert [len(results["Deadly", key]) for key in ("p0", "p1", "p2")] == [64, 64, 64]


def test_a_lost_device_is_left_with_its_process(deadly: Entrant, tmp_path: Path) -> None:
    once = f"lose once {tmp_path / 'lost'}"
    results = outcome(generate(requests_for(deadly, (once, "a cube")), workers=1))
    assert [len(results["Deadly", key]) for key in ("p0", "p1")] == [64, 64]


def test_each_entrant_has_a_process_of_its_own(deadly: Entrant) -> None:
    entrants = [renamed(deadly, name) for name in ("One", "Two")]
    requests = [each for entrant in entrants for each in requests_for(entrant, ("tell", "tell"))]
    processes: dict[str, set[tuple[str, ...]]] = {"One": set(), "Two": set()}
    for clip in generate(requests, workers=2):
        assert isinstance(clip, GeneratedClip)
        processes[clip.request.entrant.name].add(clip.provenance.warnings)  # they tell its number
    assert all(processes.values())
    assert processes["One"].isdisjoint(processes["Two"])


def test_what_cannot_be_handed_on_is_a_failed_clip_and_the_next_one_is_made() -> None:
    near, far = multiprocessing.Pipe()
    finish = remote_post_processing((near,))
    (request,) = requests_for(entrant_of("folder", path="/clips"), PROMPTS[:1])
    stuck = replace(ball_clip(), original=lambda: b"")  # type: ignore[arg-type]
    told = Provenance(backend="folder", seed=1, created_at=datetime.now(UTC))
    failed = finish(request, (stuck, told))
    assert isinstance(failed, FailedClip)
    assert "pickle" in failed.reason
    threading.Thread(target=lambda: (far.recv(), far.send("the clip")), daemon=True).start()
    assert finish(request, (ball_clip(), told)) == "the clip"


LEFT_BEHIND = """
import sys, time
from engine_runs import requests_for
from generator.engine import generate
from small_clips import entrant_of

if __name__ == "__main__":
    run = generate(requests_for(entrant_of("folder", path=sys.argv[1])), workers=1)
    next(run)
    time.sleep(3)  # the others are finished, and wait to be read
"""


def test_closing_a_run_ends_its_processes(tmp_path: Path) -> None:
    film = encode_rendition(ball_clip(), TRACK)
    for number in range(len(PROMPTS)):
        (tmp_path / f"p{number}.mp4").write_bytes(film)
    run = generate(requests_for(entrant_of("folder", path=str(tmp_path))), workers=2)
    assert isinstance(next(run), GeneratedClip)
    assert multiprocessing.active_children() != []
    run.close()
    assert multiprocessing.active_children() == []


def test_a_run_that_nobody_reads_to_its_end_does_not_keep_the_interpreter(tmp_path: Path) -> None:
    film = encode_rendition(ball_clip(), TRACK)
    for number in range(len(PROMPTS)):
        (tmp_path / f"p{number}.mp4").write_bytes(film)
    script = tmp_path / "script.py"
    script.write_text(LEFT_BEHIND)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, script, tmp_path], check=True, timeout=120, env=environment)


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="this system has no priorities")
def test_a_model_goes_before_what_finishes_its_clips(tiny_foal: Path) -> None:
    worker = WorkerProcess()
    try:
        worker.submit(requests_for(read_entrant(tiny_foal))[0])
        assert isinstance(worker.result(), GeneratedClip)
        model = os.getpriority(os.PRIO_PROCESS, worker.process.pid or 0)
        finishers = [
            os.getpriority(os.PRIO_PROCESS, process.pid or 0) for process in worker._finishers
        ]
        assert max(finishers) > model
    finally:
        worker.stop()
        worker.join()


def test_nothing_to_do_is_done_at_once() -> None:
    assert list(generate([])) == []


def test_the_clips_of_this_world_are_measured(tiny_foal: Path) -> None:
    (clip,) = generate(requests_for(read_entrant(tiny_foal), PROMPTS[:1]), workers=1)
    assert isinstance(clip, GeneratedClip)
    assert clip.measures is not None
    assert "quality" in clip.measures
