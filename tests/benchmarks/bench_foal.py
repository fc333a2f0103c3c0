"""Measure one built-in entrant on held-out captions, including the figures of a folder.

Three of every eight clips share a caption, for `diversity`, as in `measure_ground_truth`.

Run: python tests/benchmarks/bench_foal.py [CLIPS] [ENTRANT]
"""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

import generator.foal
from generator.foal import FoalPipeline
from generator.foal.measures.measure_folder import DecodedClip, as_table, measure_clips
from generator.foal.world.captions import plain_caption
from generator.foal.world.clip import FRAME_RATE, held_out_scenes
from generator.foal.world.pictures import to_uint8
from generator.memory import reuse_freed_memory

SEED = 70_000
ENTRANTS = Path(generator.foal.__file__).parent / "entrants"


def main() -> None:
    clips = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    entrant = ENTRANTS / f"{sys.argv[2] if len(sys.argv) > 2 else 'foal-l'}.toml"
    torch.set_num_threads(1)
    reuse_freed_memory()
    Console().print(as_table(measure_clips(decoded_clips(entrant, clips))))


def decoded_clips(entrant: Path, clips: int) -> Iterator[tuple[str, str, DecodedClip]]:
    """Generate clips with one, two and three objects in turn."""
    backend = tomllib.loads(entrant.read_text())["backend"]
    pipe = FoalPipeline.from_pretrained(entrant.parent / backend["model"], local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    for i in track(range(clips), console=Console(stderr=True)):
        scene_seed = SEED + i - max(0, i % 8 - 5)
        scene = next(held_out_scenes(scene_seed, objects=1 + scene_seed % 3))
        text = plain_caption(scene)
        made = pipe(text, generator=torch.Generator().manual_seed(i), **backend["call"])
        sound = np.asarray(made.audio[0])
        yield (
            str(i),
            text,
            DecodedClip(to_uint8(made.frames[0]), FRAME_RATE, sound, pipe.audio_sample_rate),
        )


if __name__ == "__main__":
    main()
