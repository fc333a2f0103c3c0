"""Measure the built-in entrants on held-out captions: mean and 95% interval of every figure.

Run: python tests/benchmarks/bench_entrants.py [CLIPS] [ENTRANT ...]
"""

import sys
from collections import defaultdict
from pathlib import Path
from statistics import fmean, stdev

from rich.console import Console
from rich.table import Table

import generator.foal
from generator.clips import ClipRequest, GeneratedClip
from generator.engine import generate
from generator.foal.measures.measure import WEIGHTS
from generator.foal.world.clip import held_out_captions
from generator.spec import TrackSettings, read_entrant

SEED = 11
Z = 1.96  # 95%
TRACK = "text-to-video-audio"
MEASURES = (*WEIGHTS, "quality")


def main() -> None:
    clips = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    specs = sorted((Path(generator.foal.__file__).parent / "entrants").glob("*.toml"))
    if sys.argv[2:]:
        specs = [spec for spec in specs if spec.stem in sys.argv[2:]]
    captions = held_out_captions(SEED, clips)
    track = TrackSettings.named(TRACK)
    requests = [
        ClipRequest(read_entrant(spec), track, prompt_id=str(number), prompt=text, seed=number)
        for spec in specs
        for number, text in enumerate(captions)
    ]
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    seconds: dict[str, list[float]] = defaultdict(list)
    for clip in generate(requests):
        if isinstance(clip, GeneratedClip) and clip.measures:
            name = clip.request.entrant.name
            seconds[name].append(clip.provenance.seconds or 0.0)
            for measure, value in clip.measures.items():
                values[name][measure].append(value)
    table = Table("model", "clips", "seconds per clip", *MEASURES)
    for name, measured in values.items():
        cells = [_cell(measured[m]) for m in MEASURES]
        table.add_row(name, str(len(seconds[name])), f"{fmean(seconds[name]):.2f}", *cells)
    Console(width=220).print(table)


def _cell(values: list[float]) -> str:
    if len(values) < 2:
        return ""
    return f"{fmean(values):.3f} ± {Z * stdev(values) / len(values) ** 0.5:.3f}"


if __name__ == "__main__":
    main()
