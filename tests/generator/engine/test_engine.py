"""Runs of several clips: grouped by entrant, reproducible, and not ended by a failure."""

import multiprocessing
import os
import signal
import struct
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
from generator.engine.process import POST_PROCESSOR, WorkerProcess
from generator.engine.worker_main import PostProcessors
from generator.media import encode_rendition
from generator.spec import BackendSpec, Entrant, read_entrant

CLIPS = 12
# A pipeline that ends its process, or raises, on certain prompts.
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
        if prompt == "pid":
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


@pytest.fixture(scope="module")
def clips_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for each of `CLIPS` prompts, for the folder backend."""
    folder = tmp_path_factory.mktemp("clips")
    data = encode_rendition(ball_clip(), TRACK)
    for number in range(CLIPS):
        (folder / f"p{number}.mp4").write_bytes(data)
    return folder


@pytest.fixture
def deadly(tiny_foal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Entrant:
    (tmp_path / "deadly_pipeline.py").write_text(DEADLY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return renamed(read_entrant(tiny_foal), "Deadly", pipeline="deadly_pipeline:DeadlyPipeline")


def test_clips_do_not_depend_on_the_number_of_workers(tiny_foal: Path) -> None:
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


def test_an_entrant_that_cannot_load_does_not_stop_the_others(tiny_foal: Path) -> None:
    good = read_entrant(tiny_foal)
    bad = renamed(good, "Bad", model="/nowhere/at/all")
    run = generate(requests_for(bad, PROMPTS[:2]) + requests_for(good, PROMPTS[:1]), workers=0)
    results = outcome(run)
    assert "does not exist" in results["Bad", "p0"]
    assert results["Bad", "p0"] == results["Bad", "p1"]
    assert len(results["Tiny Foal", "p0"]) == 64


def test_an_exception_of_a_model_becomes_one_sentence(deadly: Entrant) -> None:
    results = outcome(generate(requests_for(deadly, ("raise", "a horse")), workers=0))
    assert results["Deadly", "p0"] == (
        "Deadly failed on prompt p0 (ZeroDivisionError: first line)."
    )
    assert len(results["Deadly", "p1"]) == 64


def test_a_clip_that_kills_its_process_twice_fails_alone(deadly: Entrant) -> None:
    results = outcome(generate(requests_for(deadly, ("die", "a horse", "a dog")), workers=2))
    assert "process of Deadly ended on prompt p0 (exit code 9)" in results["Deadly", "p0"]
    assert [len(results["Deadly", key]) for key in ("p1", "p2")] == [64, 64]


def test_a_clip_whose_process_died_is_retried_in_another(deadly: Entrant, tmp_path: Path) -> None:
    once = f"die once {tmp_path / 'died'}"
    results = outcome(generate(requests_for(deadly, ("a horse", once, "a dog")), workers=1))
    assert (tmp_path / "died").exists()
    assert [len(results["Deadly", key]) for key in ("p0", "p1", "p2")] == [64, 64, 64]


def test_after_a_lost_device_another_process_continues(deadly: Entrant, tmp_path: Path) -> None:
    once = f"lose once {tmp_path / 'lost'}"
    results = outcome(generate(requests_for(deadly, (once, "a dog")), workers=1))
    assert [len(results["Deadly", key]) for key in ("p0", "p1")] == [64, 64]


def test_each_entrant_has_a_process_of_its_own(deadly: Entrant) -> None:
    entrants = [renamed(deadly, name) for name in ("One", "Two")]
    requests = [each for entrant in entrants for each in requests_for(entrant, ("pid", "pid"))]
    processes: dict[str, set[tuple[str, ...]]] = {"One": set(), "Two": set()}
    for clip in generate(requests, workers=2):
        assert isinstance(clip, GeneratedClip)
        processes[clip.request.entrant.name].add(clip.provenance.warnings)  # contain the process id
    assert all(processes.values())
    assert processes["One"].isdisjoint(processes["Two"])


def test_a_clip_that_cannot_be_pickled_fails_and_the_next_one_is_made() -> None:
    near, far = multiprocessing.Pipe()
    post_process = PostProcessors((near,))
    (request,) = requests_for(entrant_of("folder", path="/clips"), PROMPTS[:1])
    unpicklable = replace(ball_clip(), original=lambda: b"")  # type: ignore[arg-type]
    provenance = Provenance(backend="folder", seed=1, created_at=datetime.now(UTC))
    failed = post_process(request, (unpicklable, provenance))
    assert isinstance(failed, FailedClip)
    assert "pickle" in failed.reason
    threading.Thread(target=lambda: (far.recv(), far.send("the clip")), daemon=True).start()
    assert post_process(request, (ball_clip(), provenance)) == "the clip"


def test_a_post_processor_that_dies_while_it_sends_a_clip_is_noticed() -> None:
    near, far = multiprocessing.Pipe()
    post_process = PostProcessors((near,))
    (request,) = requests_for(entrant_of("folder", path="/clips"), PROMPTS[:1])
    provenance = Provenance(backend="folder", seed=1, created_at=datetime.now(UTC))

    def die() -> None:
        far.recv()
        os.write(far.fileno(), struct.pack("!i", 1000) + b"half of a message")
        far.close()

    threading.Thread(target=die, daemon=True).start()
    with pytest.raises(OSError, match="end of file"):
        post_process(request, (ball_clip(), provenance))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_clips_of_a_killed_post_processor_are_made_by_another(clips_folder: Path) -> None:
    prompts = tuple(f"prompt {number}" for number in range(CLIPS))
    run = generate(requests_for(entrant_of("folder", path=str(clips_folder)), prompts), workers=1)
    clips = [next(run)]
    for process in multiprocessing.active_children():
        if process.name == POST_PROCESSOR:
            process.kill()
    clips += list(run)
    assert sorted(clip.request.seed for clip in clips) == list(range(CLIPS))
    assert all(isinstance(clip, GeneratedClip) for clip in clips)


ABANDONED_RUN = """
import sys, time
from engine_runs import requests_for
from generator.engine import generate
from small_clips import entrant_of

if __name__ == "__main__":
    run = generate(requests_for(entrant_of("folder", path=sys.argv[1])), workers=1)
    next(run)
    time.sleep(3)  # the other clips are finished and wait to be read
"""


def test_closing_a_run_ends_its_processes(clips_folder: Path) -> None:
    run = generate(requests_for(entrant_of("folder", path=str(clips_folder))), workers=2)
    assert isinstance(next(run), GeneratedClip)
    assert multiprocessing.active_children() != []
    run.close()
    assert multiprocessing.active_children() == []


def test_a_run_with_a_long_temporary_path_that_is_not_read_to_its_end_does_not_block_the_exit(
    clips_folder: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(ABANDONED_RUN)
    temporary = tmp_path / ("long" * 25)  # in which a socket's path would be too long
    temporary.mkdir()
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(temporary)}
    command = [sys.executable, script, clips_folder]
    subprocess.run(command, check=True, timeout=300, env=os.environ | environment)


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="this system has no priorities")
def test_a_model_has_priority_over_post_processing(tiny_foal: Path) -> None:
    worker = WorkerProcess()
    try:
        worker.submit(requests_for(read_entrant(tiny_foal))[0])
        assert isinstance(worker.result(), GeneratedClip)
        model = os.getpriority(os.PRIO_PROCESS, worker.process.pid or 0)
        # The second post-processor may still be starting.
        assert model < max(
            os.getpriority(os.PRIO_PROCESS, process.pid or 0) for process in worker.post_processors
        )
    finally:
        worker.stop()
        worker.join()


def test_no_requests_give_no_clips() -> None:
    assert list(generate([])) == []


def test_clips_of_the_built_in_world_are_measured(tiny_foal: Path) -> None:
    (clip,) = generate(
        requests_for(read_entrant(tiny_foal), ("a red ball bounces on grass",)), workers=1
    )
    assert isinstance(clip, GeneratedClip)
    assert clip.measures is not None
    assert "quality" in clip.measures
