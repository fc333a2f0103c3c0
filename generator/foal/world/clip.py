"""Foal's world: captioned clips with sound, deterministic, at any resolution.

This module is the world's public face; words, physics, pictures and sound have their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from generator.foal.world import sound
from generator.foal.world.captions import Description, describe, parse_prompt, plain_caption
from generator.foal.world.physics import Motions, simulate
from generator.foal.world.render import render
from generator.foal.world.scenes import Motion, Scene, Thing, sample_scene, sort_things

__all__ = [
    "FRAMES",
    "FRAME_RATE",
    "SECONDS",
    "Clip",
    "Description",
    "Scene",
    "captions",
    "held_out_captions",
    "held_out_scenes",
    "make_clip",
    "parse_prompt",
    "plain_caption",
    "sample_motions",
    "scene_for",
]

FRAME_RATE = 24
FRAMES = 72
SECONDS = FRAMES / FRAME_RATE


@dataclass(frozen=True)
class Clip:
    """A true clip of the world: what the renderer says a caption can look and sound like."""

    scene: Scene
    caption: str
    motions: Motions
    bands: np.ndarray  # (hops, BANDS), see sound.envelope

    def frames(self, *, height: int = 256, width: int = 256) -> np.ndarray:
        """Pictures, shape (FRAMES, height, width, 3), float32 in [0, 1]."""
        return render(self.scene, self.motions, height=height, width=width)

    def audio(self, *, sample_rate: int = sound.SAMPLE_RATE) -> np.ndarray:
        """Waveform, shape (samples,), float32 in [-1, 1]."""
        return sound.play(self.bands, sample_rate=sample_rate)


def make_clip(
    seed: int | np.random.Generator,
    *,
    scene: Scene | None = None,
    held_out: bool | None = False,
    frames: int = FRAMES,
) -> Clip:
    """One clip; the same seed always gives the same one."""
    rng = np.random.default_rng(seed)
    chosen = scene or sample_scene(rng, held_out=held_out)
    seconds = frames / FRAME_RATE
    motions = simulate(chosen, rng, seconds=seconds, rate=FRAME_RATE)
    bands = sound.envelope(chosen, motions, seconds=seconds)
    return Clip(scene=chosen, caption=describe(chosen, rng), motions=motions, bands=bands)


def sample_motions(scene: Scene, rng: np.random.Generator) -> Motions:
    """The scene's things moved from random starts for a clip's usual length."""
    return simulate(scene, rng, seconds=SECONDS, rate=FRAME_RATE)


def scene_for(text: str, rng: np.random.Generator) -> Scene:
    """A scene that is as a text asks, and random where it does not say.

    Raises:
        ValueError: the text asks for no thing of this world.
    """
    request = parse_prompt(text)
    if not request.in_world:
        raise ValueError(f"the world has nothing that {text!r} asks for: name a ball or a cube.")
    defaults = sample_scene(rng, held_out=None, things=len(request.things))
    motion = request.motion or defaults.motion
    if motion == Motion.COLLIDE and len(request.things) == 1:
        raise ValueError("one thing alone cannot collide: name two or three.")
    things = [
        Thing(
            requested.colour or default.colour, requested.shape, requested.material, requested.size
        )
        for requested, default in zip(request.things, defaults.things, strict=True)
    ]
    return Scene(
        things=sort_things(things),
        motion=motion,
        ground=request.ground or defaults.ground,
        time=request.time or defaults.time,
        camera=request.camera,
    )


def held_out_scenes(seed: int, *, things: int | None = None) -> Iterator[Scene]:
    """An endless stream of combinations that training never sees."""
    rng = np.random.default_rng(seed)
    while True:
        yield sample_scene(rng, held_out=True, things=things)


def captions(
    seed: int, count: int, *, held_out: bool | None = False, things: int | None = None
) -> list[str]:
    """`count` different captions; `held_out` True, False or None (all combinations)."""
    rng = np.random.default_rng(seed)
    texts: dict[str, None] = {}
    while len(texts) < count:
        texts[describe(sample_scene(rng, held_out=held_out, things=things), rng)] = None
    return list(texts)


def held_out_captions(seed: int = 0, count: int = 200, *, things: int | None = None) -> list[str]:
    """Captions of combinations that training never sees."""
    return captions(seed, count, held_out=True, things=things)
