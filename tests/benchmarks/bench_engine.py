"""Overhead of the engine over bare calls of a pipeline.

In each round the same requests are made by bare calls of the pipeline, whose frames are dropped,
and by `generate` with one worker, which also fits, checks, measures and encodes each clip. The
first clip of each, with loading, is not counted. Post-processing overlaps the model if a second
processor is free; the overhead is then the time between two calls of the model.

Run: python tests/benchmarks/bench_engine.py [CLIPS] [ROUNDS] [ENTRANT.toml]
"""

import sys
import time
from pathlib import Path
from statistics import fmean

import torch
from rich.console import Console
from rich.table import Table

import generator.foal
from generator.clips import ClipRequest, FailedClip
from generator.engine import generate
from generator.foal import FoalPipeline
from generator.foal.world.clip import held_out_captions
from generator.memory import reuse_freed_memory
from generator.spec import TrackSettings, read_entrant

SEED = 5
TRACK = "text-to-video-audio"


def main() -> None:
    clips, rounds = (int(word) for word in (*sys.argv[1:3], "20", "3")[:2])
    shipped = Path(generator.foal.__file__).parent / "entrants" / "foal-l.toml"
    spec = Path(sys.argv[3]) if len(sys.argv) > 3 else shipped
    entrant, track = read_entrant(spec), TrackSettings.named(TRACK)
    requests = [
        ClipRequest(entrant, track, prompt_id=str(number), prompt=text, seed=number)
        for number, text in enumerate(held_out_captions(SEED, clips + 1))
    ]
    torch.set_num_threads(1)
    reuse_freed_memory()
    pipe = FoalPipeline.from_pretrained(entrant.backend.options["model"], local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    times: dict[str, list[float]] = {"bare calls": [], "engine": [], "engine: model only": []}
    for _ in range(rounds):
        times["bare calls"].append(_bare(pipe, requests))
        whole, model = _engine(requests)
        times["engine"].append(whole)
        times["engine: model only"].append(model)
    table = Table(
        "", "seconds per clip, each round", "mean", title=f"{entrant.name}, {clips} clips"
    )
    for name, seconds in times.items():
        each = ", ".join(f"{value / clips:.3f}" for value in seconds)
        table.add_row(name, each, f"{fmean(seconds) / clips:.3f}")
    out = Console()
    out.print(table)
    overheads = [e / b - 1 for b, e in zip(times["bare calls"], times["engine"], strict=True)]
    out.print(f"overhead of the engine: {', '.join(f'{each:+.1%}' for each in overheads)}")


def _bare(pipe: FoalPipeline, requests: list[ClipRequest]) -> float:
    started = 0.0
    for number, request in enumerate(requests):
        if number == 1:
            started = time.perf_counter()
        seeded = torch.Generator("cpu").manual_seed(request.seed)
        with torch.inference_mode():
            pipe(request.prompt, generator=seeded, **request.entrant.backend.call)
    return time.perf_counter() - started


def _engine(requests: list[ClipRequest]) -> tuple[float, float]:
    """Seconds from the end of the first clip to the end of the last, and of the model alone.

    Other load on the machine slows both.
    """
    started = model = 0.0
    for number, clip in enumerate(generate(requests, workers=1)):
        if isinstance(clip, FailedClip):
            raise SystemExit(clip.reason)
        if number == 0:
            started = time.perf_counter()
        else:
            model += clip.provenance.seconds or 0.0
    return time.perf_counter() - started, model


if __name__ == "__main__":
    main()
