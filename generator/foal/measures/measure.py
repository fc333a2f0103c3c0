"""How good a clip of Foal's world is, from its pixels and its sound alone.

Every figure lies between 0 and 1. `quality`, by which simulated voters judge, is their weighted
mean (WEIGHTS). Folders of clips are measured in `measure_folder`.
"""

import math
from collections.abc import Iterable

import numpy as np

from generator.foal.measures.av_sync import find_blind, find_hits, find_onsets, match
from generator.foal.measures.coherence import coherence, gravity_share
from generator.foal.measures.edge_sharpness import sharpness
from generator.foal.measures.motion_classification import Way, is_as_asked
from generator.foal.measures.scene_detection import Sighting, Thing, look
from generator.foal.world.captions import Description, ThingWish, parse_prompt
from generator.foal.world.scenes import Motion

# What a viewer holds against a clip first weighs most: the wrong thing, then how it moves.
WEIGHTS = {
    "present": 0.12,
    "count": 0.06,
    "colour": 0.14,
    "shape": 0.10,
    "material": 0.06,
    "size": 0.04,
    "scene": 0.10,
    "camera": 0.05,
    "moves": 0.10,
    "motion": 0.08,
    "sync": 0.11,
    "sharpness": 0.04,
}
HITTING = (Motion.BOUNCE, Motion.COLLIDE)  # asked for these, a clip has hits


def measure_clip(
    frames: np.ndarray,
    *,
    fps: float,
    audio: np.ndarray | None,
    sample_rate: int | None,
    prompt: str,
) -> dict[str, float] | None:
    """Measure one clip against its prompt.

    Args:
        frames: uint8, shape (T, H, W, 3).
        fps: frames a second.
        audio: float32, shape (channels, samples), or None for a silent clip.
        sample_rate: of the audio.
        prompt: what was asked for.

    Returns:
        The figures of WEIGHTS that could be judged and `quality`, or None where the prompt asks
        for no thing of this world, as an edit does. A silent clip has no `sync`, nor has one in
        which nothing is to hit and nothing does.

    Raises:
        ValueError: frames that are no clip.
    """
    wish = parse_prompt(prompt)
    if not wish.in_world:
        return None
    sighting = look(frames, wish, fps=fps)
    heard = None
    if audio is not None and sample_rate:
        heard = sync(sighting, wish, audio, fps=fps, sample_rate=sample_rate)
    return score(sighting, wish, frames, fps=fps, heard=heard)


def sync(
    sighting: Sighting, wish: Description, audio: np.ndarray, *, fps: float, sample_rate: int
) -> float | None:
    """F1 of sounds against the hits that were seen; None where there is nothing to agree on."""
    onsets = find_onsets(audio, sample_rate)
    blind = find_blind(sighting.paths, fps)
    found = match(find_hits(sighting.paths, fps), onsets, blind)
    if found.hits == found.onsets == 0:
        expected = wish.motion in HITTING and len(blind) < len(sighting.paths[0]) / 2
        return 0.0 if expected else None
    return found.f1


def score(
    sighting: Sighting,
    wish: Description,
    frames: np.ndarray,
    *,
    fps: float,
    heard: float | None,
) -> dict[str, float]:
    """All figures of a clip and their weighted mean."""
    things, backdrop = sighting.things, sighting.backdrop
    pairs = list(zip(things, wish.things, strict=True))
    scene = [wish.ground in (None, backdrop.ground), wish.time in (None, backdrop.time)]
    judged: dict[str, float | None] = {
        "present": float(np.mean([thing.track.there.mean() for thing in things])),
        "count": float(sum(sighting.counts.values()) == len(things)),
        "colour": float(np.mean([_right_colour(*pair) for pair in pairs])),
        "shape": _share(_judge(t, t.shape, w.shape) for t, w in pairs),
        "material": _share(_judge(t, t.material, w.material) for t, w in pairs),
        "size": _share(_judge(t, t.size, w.size) for t, w in pairs),
        "scene": float(np.mean(scene)),
        "camera": float(backdrop.camera == wish.camera),
        "moves": _share(
            _told(thing, is_as_asked(thing.way, wish.motion, met=met))
            for thing, met in zip(things, sighting.met, strict=True)
        ),
        "motion": _share(
            _told(t, coherence(t.track.centre, fps, flies=t.way == Way.BOUNCE)) for t in things
        ),
        "sync": heard,
        "sharpness": _share(_told(t, sharpness(frames, t.track, backdrop)) for t in things),
    }
    figures = {name: value for name, value in judged.items() if value is not None}
    total = sum(WEIGHTS[name] for name in figures)
    quality = sum(WEIGHTS[name] * value for name, value in figures.items()) / total
    return {**figures, "quality": quality}


def gravity(sighting: Sighting, *, fps: float) -> float | None:
    """Median acceleration of what bounces, as a share of the world's; None without flights."""
    flights = [thing.track.centre for thing in sighting.things if thing.way == Way.BOUNCE]
    shares = [share for path in flights if not math.isnan(share := gravity_share(path, fps))]
    return float(np.mean(shares)) if shares else None


def _right_colour(thing: Thing, wish: ThingWish) -> bool:
    return thing.seen and wish.colour in (None, thing.colour)


def _judge(thing: Thing, found: str | None, asked: str) -> float | None:
    return _told(thing, None if found is None else float(found == asked))


def _told(thing: Thing, value: float | None) -> float | None:
    """0 for what was not there; None for what was, but too hidden to tell."""
    return 0.0 if not thing.seen else value


def _share(values: Iterable[float | None]) -> float | None:
    """Mean of what could be told, None where nothing could."""
    told = [value for value in values if value is not None]
    return float(np.mean(told)) if told else None
