"""The shipped entrants: their weights load, and the best entrant follows its prompt."""

import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import generator.foal
from generator.foal import FoalPipeline
from generator.foal.measures.measure import measure_clip
from generator.foal.world.clip import make_clip, scene_for
from generator.foal.world.pictures import to_uint8

ENTRANTS = Path(generator.foal.__file__).parent / "entrants"
MAX_BYTES = 60 * 10**6  # all weights together


def _specs() -> dict[str, dict]:
    return {path.stem: tomllib.loads(path.read_text()) for path in ENTRANTS.glob("*.toml")}


def test_six_entrants_ship_with_small_safetensors_weights_and_model_cards() -> None:
    specs = _specs()
    assert {"foal-l", "foal-l-turbo", "foal-m", "foal-s", "foal-xs", "foal-xxs"} <= set(specs)
    for spec in specs.values():
        card = ENTRANTS / spec["backend"]["model"] / "README.md"
        assert spec["name"] in card.read_text()
    files = [path for path in (ENTRANTS.parent / "weights").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".md", ".safetensors"}
    assert sum(path.stat().st_size for path in files) < MAX_BYTES


@cache
def _best() -> tuple[FoalPipeline, dict]:
    backend = _specs()["foal-l"]["backend"]
    pipe = FoalPipeline.from_pretrained(ENTRANTS / backend["model"], local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe, backend["call"]


BOUNCING, ROLLING = "a blue cube bounces on grass", "a yellow ball rolls on ice"
SWINGING = "two small green metal balls and a red cube swing over sand at night"


@pytest.mark.parametrize("prompt", [BOUNCING, ROLLING, SWINGING])
def test_the_best_entrant_shows_and_moves_what_was_requested(prompt: str) -> None:
    pipe, call = _best()
    clip = pipe(prompt, generator=torch.Generator().manual_seed(1), **call)
    figures = measure_clip(
        to_uint8(clip.frames[0]),
        fps=24,
        audio=clip.audio[0].numpy(),
        sample_rate=pipe.audio_sample_rate,
        prompt=prompt,
    )
    assert figures is not None
    for name in ("present", "count", "colour", "shape", "scene", "moves"):
        assert figures[name] > 0.9, name


def test_the_best_entrant_continues_an_image_and_edits_a_video() -> None:
    pipe, _ = _best()
    rng = np.random.default_rng(3)
    frames = make_clip(rng, scene=scene_for("a red ball bounces on sand by day", rng)).frames()
    video = to_uint8(frames)
    seed = torch.Generator().manual_seed(1)
    clip = pipe("a red ball bounces", image=video[0], generator=seed, num_inference_steps=4)
    assert np.abs(clip.frames[0][0] - frames[0]).mean() < 0.02
    edited = pipe("make the ball blue", video=list(video), generator=seed, num_inference_steps=4)
    figures = measure_clip(
        to_uint8(edited.frames[0]),
        fps=24,
        audio=edited.audio[0].numpy(),
        sample_rate=pipe.audio_sample_rate,
        prompt="a blue ball bounces on sand by day",
    )
    assert figures is not None
    for name in ("present", "count", "colour", "shape", "scene", "moves"):
        assert figures[name] > 0.9, name
