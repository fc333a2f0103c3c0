"""How good a clip of Foal's world is, from its pixels and its sound alone.

Every figure lies between 0 and 1. `quality`, by which simulated voters judge, is their weighted
mean (WEIGHTS). Folders of clips are measured in `measure_folder`.
"""

from dataclasses import dataclass

import numpy as np

from generator.foal.captions import Description, parse_prompt
from generator.foal.hearing import find_blind, find_kinks, find_onsets, match
from generator.foal.physics import GRAVITY
from generator.foal.scenes import Ground, Motion, Shape, Time
from generator.foal.tracking import (
    LEAST_AREA,
    NOMINAL_AREA,
    Track,
    find_scene,
    follow,
    label_colours,
    shrink,
    visible_colours,
)

# What a viewer holds against a clip first weighs most: the wrong thing, then how it moves.
WEIGHTS = {
    "present": 0.15,
    "colour": 0.20,
    "shape": 0.15,
    "scene": 0.15,
    "moves": 0.10,
    "motion": 0.10,
    "sync": 0.15,
}
BOUNCE_RISE = 0.10  # picture heights between highest and lowest centre: more is no rolling
ROLL_RUN = 0.10  # least way along the ground
JITTER_SCALE = 0.008  # picture heights: a path whose steps shake by this much scores 1/e
STILL_JITTER = 0.0015  # what finding a centre in pixels shakes by itself, an eye sees none of it
FEWEST_FLIGHT_FRAMES = 6
FEWEST_FRAMES = 8


@dataclass(frozen=True)
class Sighting:
    """What was seen of a clip: its scene, its colours, and the paths of the things asked for."""

    ground: Ground
    time: Time
    seen: tuple[str, ...]
    wanted: dict[str, int]  # how many things of each colour were looked for
    tracks: tuple[Track, ...]  # in the order of `wanted`

    @property
    def paths(self) -> list[np.ndarray]:
        return [track.centre for track in self.tracks]


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
        present, colour, shape, scene, moves, motion, with audio also sync, and quality; or None
        where the prompt asks for no thing of this world.

    Raises:
        ValueError: frames that are no clip.
    """
    wish = parse_prompt(prompt)
    if not wish.in_world:
        return None
    sighting = look(frames, wish)
    heard = None
    if audio is not None and sample_rate:
        heard = sync(sighting, audio, fps=fps, sample_rate=sample_rate)
    return score(sighting, wish, fps=fps, heard=heard)


def look(frames: np.ndarray, wish: Description) -> Sighting:
    """Find the scene and the things that a text asks for in frames (T, H, W, 3), uint8."""
    if frames.ndim != 4 or frames.shape[-1] != 3 or len(frames) < FEWEST_FRAMES:
        raise ValueError(f"a clip is (T >= {FEWEST_FRAMES}, H, W, 3) frames, not {frames.shape}.")
    small = shrink(frames)
    ground, time = find_scene(small)
    labels = label_colours(small, ground, time)
    seen = visible_colours(labels)
    wanted = _wanted_colours(wish, seen)
    tracks = [track for colour, n in wanted.items() for track in follow(labels, colour, n)]
    return Sighting(ground, time, tuple(seen), wanted, tuple(tracks))


def sync(sighting: Sighting, audio: np.ndarray, *, fps: float, sample_rate: int) -> float:
    """F1 of sounds against the hits that were seen."""
    paths = sighting.paths
    onsets = find_onsets(audio, sample_rate)
    return match(find_kinks(paths, fps), onsets, find_blind(paths, fps)).f1


def score(
    sighting: Sighting, wish: Description, *, fps: float, heard: float | None
) -> dict[str, float]:
    """All figures of a clip and their weighted mean."""
    wanted, seen, tracks = set(sighting.wanted), set(sighting.seen), sighting.tracks
    present = [(track.area > LEAST_AREA * NOMINAL_AREA).mean() for track in tracks]
    scene = [wish.ground in (None, sighting.ground), wish.time in (None, sighting.time)]
    figures = {
        "present": float(np.mean(present)),
        "colour": len(wanted & seen) / len(wanted | seen),
        "shape": _shape_score(sighting, wish),
        "scene": float(np.mean(scene)),
        "moves": float(np.mean([_moves(track, wish.motion) for track in tracks])),
        "motion": float(np.mean([_coherence(track, fps) for track in tracks])),
    }
    if heard is not None:
        figures["sync"] = heard
    total = sum(WEIGHTS[name] for name in figures)
    quality = sum(WEIGHTS[name] * value for name, value in figures.items()) / total
    return {**figures, "quality": quality}


def _wanted_colours(wish: Description, seen: list[str]) -> dict[str, int]:
    """How many things of each colour; an unnamed colour is any that is seen and not named."""
    wanted: dict[str, int] = {}
    named = [thing.colour for thing in wish.things if thing.colour]
    others = [colour for colour in seen if colour not in named]
    for thing in wish.things:
        colour = thing.colour or (others.pop(0) if others else (seen or named or ["red"])[0])
        wanted[colour] = wanted.get(colour, 0) + 1
    return wanted


def _shape_score(sighting: Sighting, wish: Description) -> float:
    """Share of things with the right outline; the things of one colour are compared as a set."""
    right, at = 0, 0
    unnamed = [thing.shape for thing in wish.things if thing.colour is None]
    for colour, count in sighting.wanted.items():
        shapes = [thing.shape for thing in wish.things if thing.colour == colour]
        while len(shapes) < count:
            shapes.append(unnamed.pop(0))
        outlines = [t for t in sighting.tracks[at : at + count] if np.isfinite(t.harmonic)]
        square = sum(track.looks_square for track in outlines)
        cubes = shapes.count(Shape.CUBE)
        right += min(square, cubes) + min(len(outlines) - square, count - cubes)
        at += count
    return right / len(wish.things)


def _moves(track: Track, motion: Motion | None) -> float:
    """1 where the thing moves as asked: up and down, or along the ground."""
    if np.isfinite(track.centre[:, 0]).sum() < FEWEST_FLIGHT_FRAMES:
        return 0.0
    run, rise = np.nanmax(track.centre, axis=0) - np.nanmin(track.centre, axis=0)
    if motion == Motion.BOUNCE:
        return float(rise > BOUNCE_RISE)
    if motion == Motion.ROLL:
        return float(rise < BOUNCE_RISE and run > ROLL_RUN)
    return float(rise > BOUNCE_RISE or run > ROLL_RUN)


def _coherence(track: Track, fps: float) -> float:
    """Smooth paths, and flights under the world's gravity: the mean of both, or the first alone."""
    centre = track.centre
    # Third differences vanish on every path between hits; the median passes over the hits.
    shakes = np.abs(np.diff(centre, n=3, axis=0))
    shakes = shakes[np.isfinite(shakes).all(axis=1)]
    if len(shakes) < FEWEST_FLIGHT_FRAMES:
        return 0.0
    shake = float(np.median(shakes, axis=0).max())
    smooth = float(np.exp(-max(0.0, shake - STILL_JITTER) / JITTER_SCALE))
    y = centre[:, 1]
    airborne = y < np.nanmax(y) - BOUNCE_RISE / 2
    inside = airborne[:-4] & airborne[1:-3] & airborne[2:-2] & airborne[3:-1] & airborne[4:]
    # Over two frames either way: a fourth of the error of neighbours.
    pull = ((y[4:] - 2 * y[2:-2] + y[:-4]) / 4)[inside]
    pull = pull[np.isfinite(pull)]
    if len(pull) < FEWEST_FLIGHT_FRAMES:
        return smooth
    off = abs(float(np.median(pull)) * fps**2 / GRAVITY - 1)
    return (smooth + max(0.0, 1 - 2 * off)) / 2
