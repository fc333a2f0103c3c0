"""Captioned clips with sound, deterministic and at any resolution: the world's public interface."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from generator.foal.world import sound
from generator.foal.world.captions import describe, plain_caption
from generator.foal.world.physics import Motions, simulate
from generator.foal.world.prompts import Description, parse_prompt
from generator.foal.world.render import render
from generator.foal.world.scenes import Motion, Scene, SceneObject, sample_scene, sort_objects

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
    """A ground-truth clip: a scene, its caption and its simulated motion."""

    scene: Scene
    caption: str
    motions: Motions
    bands: np.ndarray  # (hops, BANDS), see `sound.envelope`

    def frames(self, *, height: int = 256, width: int = 256) -> np.ndarray:
        """Render the frames, shape (FRAMES, height, width, 3), float32 in [0, 1]."""
        return render(self.scene, self.motions, height=height, width=width)

    def audio(self, *, sample_rate: int = sound.SAMPLE_RATE) -> np.ndarray:
        """Synthesize the waveform, shape (samples,), float32 in [-1, 1]."""
        return sound.play(self.bands, sample_rate=sample_rate)


def make_clip(
    seed: int | np.random.Generator,
    *,
    scene: Scene | None = None,
    held_out: bool | None = False,
    frames: int = FRAMES,
) -> Clip:
    """Make a clip; the same seed always gives the same clip.

    Args:
        seed: a seed, or a generator to draw from.
        scene: the scene to show; random if not given.
        held_out: for a random scene, whether it is a held-out one; None draws from all.
        frames: length of the clip at FRAME_RATE.
    """
    rng = np.random.default_rng(seed)
    chosen = scene or sample_scene(rng, held_out=held_out)
    seconds = frames / FRAME_RATE
    motions = simulate(chosen, rng, seconds=seconds, rate=FRAME_RATE)
    bands = sound.envelope(chosen, motions, seconds=seconds)
    return Clip(scene=chosen, caption=describe(chosen, rng), motions=motions, bands=bands)


def sample_motions(scene: Scene, rng: np.random.Generator) -> Motions:
    """Simulate a scene from random initial states for the length of a clip."""
    return simulate(scene, rng, seconds=SECONDS, rate=FRAME_RATE)


def scene_for(text: str, rng: np.random.Generator) -> Scene:
    """Sample a scene that matches a text; what the text leaves open is random.

    Raises:
        ValueError: the text asks for no object of this world, or for a collision of one object.
    """
    request = parse_prompt(text)
    if not request.in_world:
        raise ValueError(
            f"{text!r} asks for nothing that this world contains: name a ball or a cube."
        )
    defaults = sample_scene(rng, held_out=None, objects=len(request.objects))
    motion = request.motion or defaults.motion
    if motion == Motion.COLLIDE and len(request.objects) == 1:
        raise ValueError("one object cannot collide: name two or three.")
    objects = [
        SceneObject(
            requested.colour or default.colour, requested.shape, requested.material, requested.size
        )
        for requested, default in zip(request.objects, defaults.objects, strict=True)
    ]
    return Scene(
        objects=sort_objects(objects),
        motion=motion,
        ground=request.ground or defaults.ground,
        time=request.time or defaults.time,
        camera=request.camera,
    )


def held_out_scenes(seed: int, *, objects: int | None = None) -> Iterator[Scene]:
    """Yield scenes that training never sees, without end."""
    rng = np.random.default_rng(seed)
    while True:
        yield sample_scene(rng, held_out=True, objects=objects)


def captions(
    seed: int, count: int, *, held_out: bool | None = False, objects: int | None = None
) -> list[str]:
    """Return `count` different captions; `held_out` None draws from all combinations."""
    rng = np.random.default_rng(seed)
    texts: dict[str, None] = {}
    while len(texts) < count:
        texts[describe(sample_scene(rng, held_out=held_out, objects=objects), rng)] = None
    return list(texts)


def held_out_captions(seed: int = 0, count: int = 200, *, objects: int | None = None) -> list[str]:
    """Return captions of scenes that training never sees."""
    return captions(seed, count, held_out=True, objects=objects)
