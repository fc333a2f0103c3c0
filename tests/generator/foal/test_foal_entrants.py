"""The shipped entrants: their weights load, and the best of them follows its prompt."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

import generator.foal
from generator.foal import FoalPipeline
from generator.foal.measure import measure_clip

ENTRANTS = Path(generator.foal.__file__).parent / "entrants"
MOST_BYTES = 20 * 2**20  # of all weights together


def _specs() -> dict[str, dict]:
    return {path.stem: tomllib.loads(path.read_text()) for path in ENTRANTS.glob("*.toml")}


def test_at_least_four_entrants_ship_with_small_safe_weights() -> None:
    specs = _specs()
    assert {"foal-l", "foal-m", "foal-s", "foal-xs"} <= set(specs)
    files = [path for path in (ENTRANTS.parent / "weights").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors"}
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


@pytest.mark.parametrize("prompt", ["a blue cube bounces on grass", "a yellow ball rolls on ice"])
def test_the_best_entrant_shows_what_was_asked_for(prompt: str) -> None:
    backend = _specs()["foal-l"]["backend"]
    pipe = FoalPipeline.from_pretrained(ENTRANTS / backend["model"], local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    clip = pipe(prompt, generator=torch.Generator().manual_seed(1), **backend["call"])
    frames = (clip.frames[0] * 255 + 0.5).astype(np.uint8)
    figures = measure_clip(
        frames,
        fps=24,
        audio=clip.audio[0].numpy(),
        sample_rate=pipe.audio_sample_rate,
        prompt=prompt,
    )
    assert figures is not None
    for name in ("present", "colour", "shape", "scene", "moves"):
        assert figures[name] > 0.9, name
