"""Quality of a clip of Foal's world, measured from its frames and its sound alone.

Every figure is between 0 and 1. `quality`, by which simulated voters judge, is the weighted mean of
the others (WEIGHTS). `measure_folder` measures folders of clips.
"""

import math
from collections.abc import Iterable

import numpy as np

from generator.foal.measures.av_sync import find_hits, find_onsets, find_unobservable, match_events
from generator.foal.measures.coherence import coherence, gravity_ratio
from generator.foal.measures.edge_sharpness import sharpness
from generator.foal.measures.motion_classification import MotionType, motion_matches
from generator.foal.measures.scene_detection import DetectedObject, SceneDetection, detect_scene
from generator.foal.world.prompts import Description, ObjectRequest, parse_prompt
from generator.foal.world.scenes import Motion

# What viewers notice first weighs most: wrong objects, then wrong motion.
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
MOTIONS_WITH_HITS = (Motion.BOUNCE, Motion.COLLIDE)  # a clip with these motions has hits


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
        fps: frames per second.
        audio: float32, shape (channels, samples), or None for a silent clip.
        sample_rate: of the audio, Hz.
        prompt: the text that the clip was generated from.

    Returns:
        The figures of WEIGHTS that could be determined, and `quality`; None if the prompt asks for
        no object of this world, as editing instructions do. There is no `sync` without sound, nor
        if hits are neither expected nor seen nor heard.

    Raises:
        ValueError: `frames` has the wrong shape or too few frames.
    """
    request = parse_prompt(prompt)
    if not request.in_world:
        return None
    detection = detect_scene(frames, request, fps=fps)
    sync_f1 = None
    if audio is not None and sample_rate:
        sync_f1 = sync_score(detection, request, audio, fps=fps, sample_rate=sample_rate)
    return score(detection, request, frames, fps=fps, sync_f1=sync_f1)


def sync_score(
    detection: SceneDetection,
    request: Description,
    audio: np.ndarray,
    *,
    fps: float,
    sample_rate: int,
) -> float | None:
    """F1 score of onsets against visible hits; None if there are neither, nor expected."""
    onsets = find_onsets(audio, sample_rate)
    unobservable = find_unobservable(detection.paths, fps)
    matched = match_events(find_hits(detection.paths, fps), onsets, unobservable)
    if matched.hits == matched.onsets == 0:
        expected = (
            request.motion in MOTIONS_WITH_HITS and len(unobservable) < len(detection.paths[0]) / 2
        )
        return 0.0 if expected else None
    return matched.f1


def score(
    detection: SceneDetection,
    request: Description,
    frames: np.ndarray,
    *,
    fps: float,
    sync_f1: float | None,
) -> dict[str, float]:
    """Compute all figures of a clip and their weighted mean."""
    objects, backdrop = detection.objects, detection.backdrop
    pairs = list(zip(objects, request.objects, strict=True))
    scene = [request.ground in (None, backdrop.ground), request.time in (None, backdrop.time)]
    judged: dict[str, float | None] = {
        "present": float(np.mean([obj.track.present.mean() for obj in objects])),
        "count": float(sum(detection.counts.values()) == len(objects)),
        "colour": float(np.mean([_right_colour(*pair) for pair in pairs])),
        "shape": _mean_known(_judge(t, t.shape, w.shape) for t, w in pairs),
        "material": _mean_known(_judge(t, t.material, w.material) for t, w in pairs),
        "size": _mean_known(_judge(t, t.size, w.size) for t, w in pairs),
        "scene": float(np.mean(scene)),
        "camera": float(backdrop.camera == request.camera),
        "moves": _mean_known(
            _unless_absent(obj, motion_matches(obj.motion_type, request.motion, collided=collided))
            for obj, collided in zip(objects, detection.collided, strict=True)
        ),
        "motion": _mean_known(
            _unless_absent(
                t, coherence(t.track.centre, fps, flies=t.motion_type == MotionType.BOUNCE)
            )
            for t in objects
        ),
        "sync": sync_f1,
        "sharpness": _mean_known(
            _unless_absent(t, sharpness(frames, t.track, backdrop)) for t in objects
        ),
    }
    figures = {name: value for name, value in judged.items() if value is not None}
    total = sum(WEIGHTS[name] for name in figures)
    quality = sum(WEIGHTS[name] * value for name, value in figures.items()) / total
    return {**figures, "quality": quality}


def gravity(detection: SceneDetection, *, fps: float) -> float | None:
    """Median acceleration of bouncing objects relative to the world's; None without flights."""
    flights = [
        obj.track.centre for obj in detection.objects if obj.motion_type == MotionType.BOUNCE
    ]
    ratios = [ratio for path in flights if not math.isnan(ratio := gravity_ratio(path, fps))]
    return float(np.mean(ratios)) if ratios else None


def _right_colour(obj: DetectedObject, request: ObjectRequest) -> bool:
    return obj.is_present and request.colour in (None, obj.colour)


def _judge(obj: DetectedObject, found: str | None, requested: str) -> float | None:
    return _unless_absent(obj, None if found is None else float(found == requested))


def _unless_absent(obj: DetectedObject, value: float | None) -> float | None:
    """0 for an absent object, else the value, which is None if it could not be determined."""
    return 0.0 if not obj.is_present else value


def _mean_known(values: Iterable[float | None]) -> float | None:
    """Mean of the known values, None if there are none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
