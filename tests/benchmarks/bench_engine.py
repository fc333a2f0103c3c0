"""What the engine adds to a pipeline's own time, clip by clip, in one process on one thread.

Run: python tests/benchmarks/bench_engine.py [CLIPS] [ENTRANT.toml]

Each request is made three times, in an order that turns: by the bare call of the pipeline; by the
same call and the same rendering (pixels as bytes, fitting, measuring, encoding); and by `generate`
with one worker. What the engine adds is the third less the second, as a share of the first:
rendering is counted apart, and nothing overlaps. So is loading. Where rendering takes longer than
the model, that difference drowns in its noise, so the engine is also watched from inside: all of
its time that is neither the pipeline's call nor rendering. Seconds of the CPU stand beside those of
the clock, which hear the machine's other work.
"""

import functools
import importlib
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from generator import worker
from generator.backends import diffusers
from generator.backends.arguments import arrange_call
from generator.backends.outputs import read_output
from generator.engine import generate, render
from generator.spec import (
    ClipRequest,
    Entrant,
    GeneratedClip,
    Provenance,
    TrackSettings,
    read_entrant,
)

SHIPPED = Path(__file__).parents[2] / "generator" / "foal" / "entrants" / "foal-s.toml"
CLIPS = 100
WARM_UP = 2  # clips before the clock starts: the first one loads the engine's weights
TRACK = TrackSettings.named("text-to-video-audio")
COLOURS = ("red", "green", "blue", "yellow")
PLACES = ("grass", "sand", "ice")
WAYS = ("bounces on", "rolls over")
CONTESTANTS = ("bare call", "bare call and rendering", "engine")


def requests_for(entrant: Entrant, count: int) -> list[ClipRequest]:
    """Every prompt with one seed before any with another: what is encoded once helps least."""
    texts = product(range(count), COLOURS, WAYS, PLACES)
    return [
        ClipRequest(entrant, TRACK, f"p{number}", f"a {colour} ball {way} {place}", seed)
        for number, (seed, colour, way, place) in enumerate(islice(texts, count))
    ]


def load_bare(entrant: Entrant) -> Any:
    module, _, name = entrant.backend.options["pipeline"].partition(":")
    kind = getattr(importlib.import_module(module), name)
    dtype = getattr(torch, entrant.backend.options["dtype"])
    pipeline = kind.from_pretrained(entrant.backend.options["model"], dtype=dtype)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def call_bare(pipeline: Any, request: ClipRequest) -> Any:
    given = {"prompt": request.prompt, "output_type": "np"}
    call = dict(request.entrant.backend.call)
    arguments = arrange_call(pipeline, TRACK, fps=TRACK.fps, call=call, given=given)
    with torch.inference_mode():
        return pipeline(**arguments.passed, generator=torch.Generator().manual_seed(request.seed))


def render_bare(pipeline: Any, request: ClipRequest) -> GeneratedClip:
    output = call_bare(pipeline, request)
    raw = read_output(output, name=request.entrant.name, pipeline=pipeline, fps=TRACK.fps)
    told = Provenance(backend="bare", seed=request.seed, created_at=datetime.now(UTC))
    return render(raw, request, told)


def now() -> np.ndarray:
    """Seconds of the clock and of the CPU."""
    return np.array([time.perf_counter(), time.process_time()])


def watch(holder: Any, name: str, spent: np.ndarray) -> None:
    """Add to `spent` what each call of the holder's function takes."""
    inner = getattr(holder, name)

    @functools.wraps(inner)
    def timed(*args: Any, **kwargs: Any) -> Any:
        before = now()
        try:
            return inner(*args, **kwargs)
        finally:
            spent[:] += now() - before

    setattr(holder, name, timed)


def measure(entrant: Entrant, count: int) -> np.ndarray:
    """(clips, contestants and the engine's own, 2) seconds of the clock and of the CPU."""
    pipeline = load_bare(entrant)
    spent = np.zeros(2)
    watch(type(pipeline), "__call__", spent)
    watch(diffusers, "read_output", spent)  # pixels as bytes, which is rendering's first step
    watch(worker, "render", spent)
    requests = requests_for(entrant, WARM_UP + count)
    run = generate(requests, workers=1)
    taken = np.zeros((len(requests), len(CONTESTANTS) + 1, 2))
    for number, request in enumerate(requests):
        made: dict[int, Any] = {}
        makers: tuple[Callable[[], Any], ...] = (
            lambda request=request: call_bare(pipeline, request),
            lambda request=request: render_bare(pipeline, request),
            lambda: next(run),
        )
        for turn in range(len(makers)):
            contestant = (number + turn) % len(makers)
            spent[:] = 0
            before = now()
            made[contestant] = makers[contestant]()
            taken[number, contestant] = now() - before
            if contestant == len(makers) - 1:
                taken[number, -1] = taken[number, contestant] - spent
        if not isinstance(made[2], GeneratedClip) or made[2].rendition != made[1].rendition:
            raise SystemExit(f"The engine's clip of {request.prompt!r} is not the bare pipeline's.")
    return taken[WARM_UP:]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else CLIPS
    entrant = read_entrant(Path(sys.argv[2]) if len(sys.argv) > 2 else SHIPPED)
    taken = measure(entrant, count)
    table = Table(title=f"{entrant.name}, {count} clips of {TRACK.frames} frames with sound")
    for column in ("", "clock, s a clip", "median", "CPU, s a clip", "median"):
        table.add_column(column, justify="left" if not column else "right")
    for contestant, name in enumerate(CONTESTANTS):
        clock, processor = taken[:, contestant].T
        figures = clock.mean(), np.median(clock), processor.mean(), np.median(processor)
        table.add_row(name, *(f"{figure:.3f}" for figure in figures))
    console = Console()
    console.print(table)
    bare = taken[:, 0].sum(axis=0)
    for title, difference in (
        ("the engine adds", taken[:, 2] - taken[:, 1]),
        ("watched from inside, the engine adds", taken[:, 3]),
        ("rendering adds", taken[:, 1] - taken[:, 0]),
    ):
        share = 100 * difference.sum(axis=0) / bare
        # The error of a mean of differences: what the machine's other work leaves uncertain.
        error = 100 * difference.std(axis=0, ddof=1) * np.sqrt(count) / bare
        console.print(
            f"{title} {share[0]:+.1f}% ± {error[0]:.1f} by the clock, "
            f"{share[1]:+.1f}% ± {error[1]:.1f} of the CPU, to the bare call"
        )


if __name__ == "__main__":
    main()
