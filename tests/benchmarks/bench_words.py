"""Compare clips of plain captions with those of the same captions with ordinary words added.

Each of the captions is generated as it is and with one to three added words, from the same noise;
both clips are measured against the plain caption. If the model reads both texts as the same, the
clip is the same and is generated once; with `--varied`, captions are in the many wordings of the
training, so that it is another. `--tokens` gives the model the words themselves, without rewriting
the prompt; `--plain RESULTS.jsonl` takes the plain clips' figures from an earlier run.

Run in parts, of which the last prints the figures of all:
python tests/benchmarks/bench_words.py FIRST COUNT RESULTS.jsonl [--entrant NAME] [--varied]
    [--tokens] [--plain RESULTS.jsonl]
"""

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import generator.foal
import generator.foal.pipeline
from generator.foal import FoalPipeline
from generator.foal.measures.measure_folder import DecodedClip, mean_interval, measure_clips
from generator.foal.world.captions import describe, plain_caption
from generator.foal.world.clip import FRAME_RATE, held_out_scenes
from generator.foal.world.pictures import to_uint8
from generator.foal.world.rewriting import Rewritten, rewrite_prompt
from generator.memory import reuse_freed_memory

SEED = 90_000
ENTRANTS = Path(generator.foal.__file__).parent / "entrants"
FIGURES = ("present", "count", "colour", "shape", "moves", "motion", "scene")
# Frequent English words that ask for nothing that this world can show, and verbs of motion.
ADDED = (
    "very really quite just also then now again slowly quickly gently softly happily quietly "
    "suddenly nicely there here that which with its some nice happy shiny pretty lovely soft "
    "round funny cute old new heavy plastic rubber bright beautiful simple clean fast high down "
    "up away around together outside video clip scene show please one-by-one falls drops jumps "
    "hops moves table floor"
).split()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("results", type=Path)
    parser.add_argument("--entrant", default="foal-l-turbo")
    parser.add_argument("--varied", action="store_true")
    parser.add_argument("--tokens", action="store_true")
    parser.add_argument("--plain", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    reuse_freed_memory()
    if options.tokens:
        generator.foal.pipeline.rewrite_prompt = lambda text: Rewritten(text, ())
    entrant = ENTRANTS / f"{options.entrant}.toml"
    backend = tomllib.loads(entrant.read_text())["backend"]
    pipe = FoalPipeline.from_pretrained(entrant.parent / backend["model"], local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    earlier = {} if options.plain is None else {row["plain"]: row for row in rows(options.plain)}
    for number in range(options.first, options.first + options.count):
        plain, worded = captions(number, varied=options.varied)
        if plain in earlier:
            figures = {"plain": earlier[plain]["figures"]["plain"]}
        else:
            figures = {"plain": measure(pipe, plain, plain, number, backend["call"])}
        same = rewrite_prompt(worded).text == rewrite_prompt(plain).text and not options.tokens
        figures["worded"] = (
            figures["plain"] if same else measure(pipe, worded, plain, number, backend["call"])
        )
        row = {"plain": plain, "worded": worded, "same": same, "figures": figures}
        with options.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    show(options.results)


def captions(number: int, *, varied: bool) -> tuple[str, str]:
    """A caption of a scene that was held out of training, and the same with one to three words."""
    scene = next(held_out_scenes(SEED + number, objects=1 + number % 3))
    rng = np.random.default_rng((SEED, number))
    plain = describe(scene, rng) if varied else plain_caption(scene)
    words = plain.split()
    for _ in range(1 + number % 3):
        words.insert(int(rng.integers(len(words) + 1)), ADDED[int(rng.integers(len(ADDED)))])
    return plain, " ".join(words)


def measure(
    pipe: FoalPipeline, text: str, asked: str, seed: int, call: dict[str, object]
) -> dict[str, float]:
    """Generate a clip from a text and measure it against what was asked."""
    made = pipe(text, generator=torch.Generator().manual_seed(seed), **call)
    sound = np.asarray(made.audio[0])
    clip = DecodedClip(to_uint8(made.frames[0]), FRAME_RATE, sound, pipe.audio_sample_rate)
    return measure_clips([("0", asked, clip)]).clips["0"]


def rows(results: Path) -> list[dict[str, Any]]:
    """The results of one caption each."""
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]


def show(results: Path) -> None:
    """Print both groups' figures over all parts so far."""
    measured = rows(results)
    table = Table("figure", "plain", "95% interval", "with added words", "95% interval")
    for name in FIGURES:
        cells = [name]
        for group in ("plain", "worded"):
            values = [
                row["figures"][group][name] for row in measured if name in row["figures"][group]
            ]
            estimate = mean_interval(values, maximum=1.0)
            cells += [f"{estimate.mean:.3f}", f"{estimate.lower:.3f} to {estimate.upper:.3f}"]
        table.add_row(*cells)
    same = sum(row["same"] for row in measured)
    table.caption = f"{len(measured)} captions; {same} are read as the same with the added words."
    Console().print(table)


if __name__ == "__main__":
    main()
